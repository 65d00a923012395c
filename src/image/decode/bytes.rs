//! Reads a file in memory. Each read names the structure that it is inside of.

use crate::image::Damage;

/// A place in a file, which moves on with each read.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a> {
    file: &'a [u8],
    position: u64,
}

impl<'a> Bytes<'a> {
    /// The place `position` bytes after the start of `file`, which may be beyond its end.
    pub(super) fn at(file: &'a [u8], position: u64) -> Self {
        Self { file, position }
    }

    /// The offset of the next byte.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: u64, inside: &'static str) -> Result<&'a [u8], Damage> {
        let end = self.position.saturating_add(count);
        let range = usize::try_from(self.position).ok().zip(usize::try_from(end).ok());
        let found = range.and_then(|(start, end)| self.file.get(start..end));
        let found = found.ok_or_else(|| self.cut(inside))?;
        self.position = end;
        Ok(found)
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(
        &mut self,
        inside: &'static str,
    ) -> Result<[u8; N], Damage> {
        let found = self.take(N as u64, inside)?;
        found.first_chunk().copied().ok_or_else(|| self.cut(inside))
    }

    /// The bytes up to the next 0, which is skipped; `None` if there are more than `limit`.
    pub(super) fn text(
        &mut self,
        limit: usize,
        inside: &'static str,
    ) -> Result<Option<&'a [u8]>, Damage> {
        let start = usize::try_from(self.position).ok();
        let rest = start.and_then(|start| self.file.get(start..)).unwrap_or_default();
        let within = rest.iter().take(limit.saturating_add(1));
        match within.clone().position(|&byte| byte == 0) {
            Some(length) => {
                let text = self.take(length as u64, inside)?;
                self.position += 1;
                Ok(Some(text))
            }
            None if within.len() > limit => Ok(None),
            None => Err(self.cut(inside)),
        }
    }

    fn cut(&self, inside: &'static str) -> Damage {
        Damage::Truncated { length: self.file.len() as u64, inside }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_cut<T>(result: &Result<T, Damage>) -> bool {
        matches!(result, Err(Damage::Truncated { length: 5, inside: "it" }))
    }

    #[test]
    fn a_read_ends_before_the_file_does() {
        let mut bytes = Bytes::at(b"abc\0d", 1);
        assert_eq!(bytes.array(" ").unwrap(), *b"b");
        assert_eq!(bytes.take(3, " ").unwrap(), b"c\0d");
        assert_eq!(bytes.position(), 5);
        assert_eq!(bytes.take(0, " ").unwrap(), b"");
        assert!(is_cut(&bytes.take(1, "it")));
        for position in [5, 6, u64::MAX] {
            let mut beyond = Bytes::at(b"abc\0d", position);
            assert!(is_cut(&beyond.array::<1>("it")));
            assert!(is_cut(&beyond.take(u64::MAX, "it")));
            assert!(is_cut(&beyond.text(9, "it")));
        }
    }

    #[test]
    fn a_text_ends_with_a_zero() {
        let mut bytes = Bytes::at(b"abc\0d", 0);
        assert_eq!(bytes.text(2, " ").unwrap(), None);
        assert_eq!(bytes.text(3, " ").unwrap(), Some(&b"abc"[..]));
        assert!(is_cut(&bytes.text(3, "it")));
        assert_eq!(bytes.text(0, " ").unwrap(), None);
        assert_eq!(Bytes::at(b"\0", 0).text(0, " ").unwrap(), Some(&b""[..]));
    }
}

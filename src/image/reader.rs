//! Reading of a file whose length is known. Every read and every step names the structure that
//! it is inside of, and fails with [`Damage::Truncated`] if the file ends first.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use super::damage::Damage;

const BLOCK: usize = 8192;

/// A file of known length.
///
/// Invariant: `position <= length`.
pub(super) struct Source<R> {
    inner: R,
    position: u64,
    length: u64,
}

impl<R: BufRead + Seek> Source<R> {
    /// A source at the first byte of `inner`, which must not be empty.
    pub(super) fn new(mut inner: R) -> Result<Self, Damage> {
        let length = inner.seek(SeekFrom::End(0))?;
        if length == 0 {
            return Err(Damage::Empty);
        }
        inner.seek(SeekFrom::Start(0))?;
        Ok(Self { inner, position: 0, length })
    }

    /// The offset of the next byte.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Fails unless the file holds the `count` bytes that begin at `start`.
    pub(super) fn require(
        &self,
        start: u64,
        count: u64,
        inside: &'static str,
    ) -> Result<(), Damage> {
        let needed = start.saturating_add(count);
        if needed > self.length {
            return Err(Damage::Truncated { length: self.length, inside });
        }
        Ok(())
    }

    /// The next `N` bytes.
    pub(super) fn bytes<const N: usize>(
        &mut self,
        inside: &'static str,
    ) -> Result<[u8; N], Damage> {
        let mut bytes = [0; N];
        self.fill(&mut bytes, inside)?;
        Ok(bytes)
    }

    /// The next byte.
    pub(super) fn byte(&mut self, inside: &'static str) -> Result<u8, Damage> {
        self.bytes::<1>(inside).map(|[byte]| byte)
    }

    /// Passes the next `count` bytes to `sink`, a block at a time.
    pub(super) fn feed(
        &mut self,
        count: u64,
        inside: &'static str,
        mut sink: impl FnMut(&[u8]),
    ) -> Result<(), Damage> {
        self.require(self.position, count, inside)?;
        let mut buffer = [0; BLOCK];
        let mut left = count;
        while left > 0 {
            let size = usize::try_from(left).map_or(BLOCK, |left| left.min(BLOCK));
            let (block, _) = buffer.split_at_mut(size);
            self.fill(block, inside)?;
            sink(block);
            left -= size as u64;
        }
        Ok(())
    }

    /// The bytes up to the next 0, which is skipped; `None` if there are more than `limit`.
    pub(super) fn text(
        &mut self,
        limit: u64,
        inside: &'static str,
    ) -> Result<Option<Vec<u8>>, Damage> {
        let mut text = Vec::new();
        let mut rest = self.inner.by_ref().take(limit.saturating_add(1));
        let read = rest.read_until(0, &mut text)?;
        self.position += read as u64;
        if text.pop_if(|last| *last == 0).is_some() {
            return Ok(Some(text));
        }
        if read as u64 > limit {
            return Ok(None);
        }
        Err(self.ended(inside))
    }

    /// Skips the next `count` bytes.
    pub(super) fn skip(&mut self, count: u64, inside: &'static str) -> Result<(), Damage> {
        self.seek(self.position.saturating_add(count), inside)
    }

    /// Moves to the byte at `position`.
    pub(super) fn seek(&mut self, position: u64, inside: &'static str) -> Result<(), Damage> {
        self.require(position, 0, inside)?;
        // A relative step lets a `BufReader` keep its buffer.
        match position.checked_signed_diff(self.position) {
            Some(step) => self.inner.seek_relative(step)?,
            None => {
                self.inner.seek(SeekFrom::Start(position))?;
            }
        }
        self.position = position;
        Ok(())
    }

    fn fill(&mut self, buffer: &mut [u8], inside: &'static str) -> Result<(), Damage> {
        let count = buffer.len() as u64;
        self.require(self.position, count, inside)?;
        self.inner.read_exact(buffer).map_err(|error| match error.kind() {
            // The file was cut after its length was determined.
            io::ErrorKind::UnexpectedEof => self.ended(inside),
            _ => Damage::Io(error),
        })?;
        self.position += count;
        Ok(())
    }

    /// The file ended where more bytes were needed.
    fn ended(&self, inside: &'static str) -> Damage {
        Damage::Truncated { length: self.position, inside }
    }
}

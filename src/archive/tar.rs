//! Tar archives (POSIX.1-1988 "ustar", with the extensions of POSIX.1-2001 and GNU for long names).
//!
//! The crate `tar` keeps a name of any length in memory: an archive of a kilobyte can name a file with a
//! terabyte of zeros.

use std::io::{self, Read};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::entry::{ArchiveError, Kind, Listed};

/// The size of a block in bytes.
const BLOCK: usize = 512;

/// The largest extended header in bytes: a path of 4096 bytes, and other attributes.
const MAX_EXTENDED: u64 = 64 * 1024;

/// A file in an archive, as its header describes it.
#[derive(Debug, PartialEq, Eq)]
pub struct Member {
    /// Its path, with slashes.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// What it is.
    pub kind: Kind,
    /// When it was last changed, if its header says so.
    pub modified: Option<SystemTime>,
}

impl Member {
    /// What the list of an archive says of it.
    pub fn listed(self) -> Listed {
        Listed { path: self.path, size: self.size, modified: self.modified }
    }
}

/// The files of an archive, one after the other.
pub struct Members<R> {
    reader: R,
    /// How much of the present file is not read, in bytes, and how much fills its last block.
    left: u64,
    padding: u64,
}

impl<R: Read> Members<R> {
    /// The files of the archive that `reader` reads.
    pub fn new(reader: R) -> Self {
        Self { reader, left: 0, padding: 0 }
    }

    /// The next file; `None` at the end.
    ///
    /// # Errors
    /// If the archive is damaged, or cannot be read.
    pub fn next(&mut self) -> Result<Option<Member>, ArchiveError> {
        let (mut long_path, mut long_size) = (None, None);
        loop {
            self.skip()?;
            let Some(header) = self.header()? else { return Ok(None) };
            let size = number(field(&header, 124, 12)).ok_or_else(damaged)?;
            let kind = field(&header, 156, 1).first().copied().unwrap_or_default();
            self.left = size;
            self.padding = size.wrapping_neg() % BLOCK as u64;
            match kind {
                b'x' => {
                    for (key, value) in records(&self.extended()?)? {
                        match key.as_str() {
                            "path" => long_path = Some(value),
                            "size" => long_size = Some(value.parse().map_err(|_| damaged())?),
                            // A file with holes, whose size is another than the header says.
                            key if key.starts_with("GNU.sparse.") => return Err(sparse()),
                            _ => {}
                        }
                    }
                }
                b'L' => long_path = Some(text(&self.extended()?)),
                // Of all files to come, and the target of a link.
                b'g' | b'K' => _ = self.extended()?,
                b'S' => return Err(sparse()),
                _ => {
                    let size = long_size.unwrap_or(size);
                    self.left = size;
                    self.padding = size.wrapping_neg() % BLOCK as u64;
                    let path = long_path.unwrap_or_else(|| short_path(&header));
                    let kind = match kind {
                        b'5' => Kind::Folder,
                        b'0' | 0 | b'7' if path.ends_with('/') => Kind::Folder,
                        b'0' | 0 | b'7' => Kind::File,
                        _ => Kind::Other,
                    };
                    let modified = number(field(&header, 136, 12))
                        .and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
                    return Ok(Some(Member { path, size, kind, modified }));
                }
            }
        }
    }

    /// The content of the present file.
    pub fn content(&mut self) -> Content<'_, R> {
        Content(self)
    }

    /// Skips what is left of the present file.
    fn skip(&mut self) -> Result<(), ArchiveError> {
        let rest = self.left.saturating_add(self.padding);
        let skipped = io::copy(&mut self.reader.by_ref().take(rest), &mut io::sink())?;
        (self.left, self.padding) = (0, 0);
        if skipped == rest { Ok(()) } else { Err(damaged()) }
    }

    /// The next header; `None` at the end, which is an empty block or that of the data.
    fn header(&mut self) -> Result<Option<[u8; BLOCK]>, ArchiveError> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.reader.read(rest) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(damaged()),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        // The checksum is computed with spaces in its own place.
        let before = field(&block, 0, 148).iter().chain(field(&block, 156, BLOCK - 156));
        let sum: u64 = before.map(|byte| u64::from(*byte)).sum::<u64>() + 8 * u64::from(b' ');
        if number(field(&block, 148, 8)) == Some(sum) { Ok(Some(block)) } else { Err(damaged()) }
    }

    /// The content of an extended header.
    fn extended(&mut self) -> Result<Vec<u8>, ArchiveError> {
        if self.left > MAX_EXTENDED {
            return Err(damaged());
        }
        let mut content = Vec::new();
        self.content().read_to_end(&mut content)?;
        Ok(content)
    }
}

/// The content of a file.
pub struct Content<'a, R>(&'a mut Members<R>);

impl<R: Read> Read for Content<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Members { reader, left, .. } = self.0;
        let read = reader.take(*left).read(buffer)?;
        if read == 0 && *left > 0 && !buffer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        *left -= read as u64;
        Ok(read)
    }
}

fn damaged() -> ArchiveError {
    ArchiveError::refuse("it is no tar archive, or damaged")
}

fn sparse() -> ArchiveError {
    ArchiveError::refuse("it has files with holes (tar --sparse)")
}

/// A part of a header.
fn field(header: &[u8], at: usize, length: usize) -> &[u8] {
    header.get(at..at + length).unwrap_or_default()
}

/// The text up to the first zero.
fn text(bytes: &[u8]) -> String {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

fn short_path(header: &[u8]) -> String {
    let (name, prefix) = (text(field(header, 0, 100)), text(field(header, 345, 155)));
    // Only POSIX has the prefix: GNU has other things there.
    let is_posix = field(header, 257, 6) == b"ustar\0";
    if prefix.is_empty() || !is_posix { name } else { format!("{prefix}/{name}") }
}

/// A number in octal digits, or in binary if the first bit says so.
fn number(bytes: &[u8]) -> Option<u64> {
    if let Some((first @ 0x80.., rest)) = bytes.split_first() {
        let start = u64::from(first & 0x7f);
        return rest.iter().try_fold(start, |number, byte| {
            number.checked_mul(256)?.checked_add(u64::from(*byte))
        });
    }
    let text = std::str::from_utf8(bytes).ok()?.trim_matches(['\0', ' ']);
    if text.is_empty() { Some(0) } else { u64::from_str_radix(text, 8).ok() }
}

/// The attributes of an extended header: `LENGTH KEY=VALUE\n` each.
fn records(mut bytes: &[u8]) -> Result<Vec<(String, String)>, ArchiveError> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let length = bytes.get(..digits).and_then(|digits| std::str::from_utf8(digits).ok());
        let length: usize = length.and_then(|it| it.parse().ok()).ok_or_else(damaged)?;
        let record = bytes.get(digits..length).ok_or_else(damaged)?;
        let record = String::from_utf8_lossy(record.strip_prefix(b" ").ok_or_else(damaged)?);
        let (key, value) = record.trim_end_matches('\n').split_once('=').ok_or_else(damaged)?;
        records.push((key.to_owned(), value.to_owned()));
        bytes = bytes.get(length..).unwrap_or_default();
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// The members of an archive, and their contents.
    fn read(bytes: &[u8]) -> Result<Vec<(Member, String)>, ArchiveError> {
        let mut members = Members::new(bytes);
        let mut found = Vec::new();
        while let Some(member) = members.next()? {
            let mut content = String::new();
            // Every second one is skipped.
            if found.len() % 2 == 0 {
                members.content().read_to_string(&mut content)?;
            }
            found.push((member, content));
        }
        Ok(found)
    }

    /// A header with a valid checksum.
    fn header(name: &str, size: &[u8], kind: u8) -> Vec<u8> {
        let mut header = vec![0; BLOCK];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..124 + size.len()].copy_from_slice(size);
        header[156] = kind;
        header[257..263].copy_from_slice(b"ustar\0");
        header[148..156].fill(b' ');
        let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        header
    }

    #[test]
    fn archives_of_tar_are_read_in_every_format() {
        let folder = tempfile::tempdir().unwrap();
        let long = ["d".repeat(60), "e".repeat(60), "n".repeat(90)].join("/");
        for (path, content) in [("a.txt", "first"), (long.as_str(), "second"), ("z", "third")] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        for format in ["gnu", "pax", "ustar", "posix"] {
            let mut tar = Command::new("tar");
            tar.current_dir(&folder).args(["--sort=name", "--format", format, "-cf", "-", "."]);
            let output = tar.output().unwrap();
            let found = read(&output.stdout).unwrap();
            let files: Vec<_> =
                found.iter().filter(|(member, _)| member.kind == Kind::File).collect();
            let paths: Vec<_> = files.iter().map(|(member, _)| member.path.as_str()).collect();
            assert_eq!(paths, ["./a.txt", &format!("./{long}"), "./z"], "{format}");
            assert_eq!(files.iter().map(|it| it.0.size).collect::<Vec<_>>(), [5, 6, 5]);
            let texts: String = files.iter().map(|it| it.1.as_str()).collect();
            assert!(["first", "second", "third"].iter().any(|it| texts.contains(it)), "{texts}");
        }
    }

    #[test]
    fn hostile_archives_are_refused() {
        let file = header("a", b"00000000001\0", b'0');
        let mut wrong = file.clone();
        wrong[0] = b'b';
        let huge =
            [&[0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff][..], b"\xff"].concat();
        for (what, bytes) in [
            ("a wrong checksum", wrong),
            ("a content that is cut short", file.clone()),
            ("a header that is cut short", file[..300].to_vec()),
            ("a name of a gigabyte", header("L", b"10000000000\0", b'L')),
            ("a size that overflows", header("a", &[0xff; 12], b'0')),
            ("a size beyond the end", header("a", &huge, b'0')),
            ("attributes that are cut short", {
                let mut all = header("x", b"00000000012\0", b'x');
                all.extend(b"99 path=a\n");
                all.resize(2 * BLOCK, 0);
                all
            }),
            ("holes", header("a", b"00000000000\0", b'S')),
            ("no archive", b"PK\x03\x04".repeat(200)),
        ] {
            assert!(read(&bytes).is_err(), "{what}");
        }
        assert_eq!(read(b"").unwrap(), []);
        for (kind, expected) in [(b'1', Kind::Other), (b'2', Kind::Other), (b'3', Kind::Other)] {
            let found = read(&header("a", b"00000000000\0", kind)).unwrap();
            assert_eq!(found[0].0.kind, expected);
        }
    }
}

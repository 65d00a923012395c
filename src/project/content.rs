//! The content of a file, by its SHA-256.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;

use sha2::{Digest as _, Sha256};

use crate::hex::hex;

/// How much of a file is read at once, in bytes.
const CHUNK: usize = 256 * 1024;

/// The SHA-256 of a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// The hash of `content`.
    pub fn of(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads the rest of `from`, and returns its hash and its length in bytes.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn of_reader(mut from: impl Read) -> io::Result<(Self, u64)> {
        let (mut hash, mut length, mut buffer) = (Sha256::new(), 0, vec![0; CHUNK]);
        loop {
            match from.read(&mut buffer) {
                Ok(0) => return Ok((Self(hash.finalize().into()), length)),
                Ok(read) => {
                    hash.update(buffer.get(..read).unwrap_or_default());
                    length += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Parses 64 hexadecimal digits in lower case.
    pub fn parse(text: &str) -> Option<Self> {
        let digit = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        let mut hash = [0; 32];
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
        if pairs.len() != hash.len() {
            return None;
        }
        for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
            *byte = (digit(*high)? << 4) | digit(*low)?;
        }
        Some(Self(hash))
    }
}

impl From<[u8; 32]> for ContentHash {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// The state of a file that changes with its content: its size, the time of its last change, and
/// which file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileState {
    size: u64,
    modified: (i64, i64),
    file: (u64, u64),
}

impl FileState {
    /// The present state of an open file.
    ///
    /// # Errors
    /// If the system does not tell it.
    pub fn of(file: &File) -> io::Result<Self> {
        file.metadata().map(|metadata| Self::from(&metadata))
    }

    /// The size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl From<&Metadata> for FileState {
    fn from(file: &Metadata) -> Self {
        Self {
            size: file.len(),
            modified: (file.mtime(), file.mtime_nsec()),
            file: (file.dev(), file.ino()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_written_as_they_are_read() {
        // Source: the empty string, in FIPS 180-4's examples.
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(ContentHash::of(b"").to_string(), empty);
        assert_eq!(ContentHash::parse(empty), Some(ContentHash::of(b"")));
        assert_eq!(ContentHash::of_reader(&b"abc"[..]).unwrap(), (ContentHash::of(b"abc"), 3));
        for bad in ["", "e3", &empty[1..], &empty.to_uppercase(), &empty.replace('e', "g")] {
            assert_eq!(ContentHash::parse(bad), None, "{bad}");
        }
    }
}

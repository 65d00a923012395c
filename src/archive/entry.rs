//! What the formats have in common: kinds of entries, and errors.

use std::io;
use std::time::SystemTime;

use thiserror::Error;

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A link or a device.
    Other,
}

/// A file in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its path, as the archive has it.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last changed, if the archive says so.
    pub modified: Option<SystemTime>,
}

/// Why an archive cannot be used.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// It is damaged, or has what must not be in it.
    #[error("{0}")]
    Refused(String),
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Io(io::Error),
    /// What is in it cannot be written.
    #[error("cannot unpack it: {0}")]
    Write(io::Error),
}

impl ArchiveError {
    /// The error of an archive that is refused for this reason.
    pub fn refuse(what: impl std::fmt::Display) -> Self {
        Self::Refused(what.to_string())
    }
}

/// An error in reading an archive: most likely it is cut short.
impl From<io::Error> for ArchiveError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::InvalidData
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::Other => Self::refuse("it is cut short or damaged"),
            _ => Self::Io(error),
        }
    }
}

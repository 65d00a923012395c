//! A file whose beginning has been read.

use std::path::PathBuf;

use bytes::Bytes;

use crate::request::Location;

/// How many bytes of a file are read first. The header of a .blend file is far smaller
/// (`SceneFile::PREFIX_LENGTH` in `src/blender`), but a file up to this size arrives whole in this
/// one request, with its checksum. Of a larger file nothing more is read if no frame is missing.
pub const START_LENGTH: u64 = 1024 * 1024 + 64 * 1024;

/// The beginning of a file, and the version of the file that it belongs to.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Where the file is.
    pub location: Location,
    /// Its first bytes.
    pub start: Bytes,
    /// The size of the whole file, in bytes.
    pub size: u64,
    /// The version of the file.
    pub version: Version,
}

impl Opened {
    /// Whether `start` is the whole file.
    pub fn is_whole(&self) -> bool {
        self.start.len() as u64 == self.size
    }
}

/// Identifies a version of a file.
#[derive(Clone, Debug)]
pub enum Version {
    /// A local file, by its absolute path. Only its content distinguishes versions.
    Local(PathBuf),
    /// An object.
    S3 {
        /// The `ETag` of the version, with its quotes. Some stores have none.
        etag: Option<String>,
    },
}

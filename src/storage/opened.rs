//! A file whose beginning is known.

use std::path::PathBuf;

use bytes::Bytes;

use crate::request::Location;

/// How much of a file is read to begin with. A .blend file says what it is in far less
/// (`ENOUGH` in `src/blender/scene_file.rs`), but files no larger than this come whole in
/// this one request, with their checksum. Of large ones it is all that is read where no
/// frame is missing: more would be for nothing.
pub(crate) const START: u64 = 1024 * 1024 + 64 * 1024;

/// The beginning of a file, and what tells this version of it from others.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Where it lies.
    pub location: Location,
    /// Its first bytes.
    pub start: Bytes,
    /// Its size in bytes.
    pub size: u64,
    /// Which version of it that is.
    pub version: Version,
}

impl Opened {
    /// Whether the first bytes are all there are.
    pub fn is_whole(&self) -> bool {
        self.start.len() as u64 == self.size
    }
}

/// What tells one version of a file from others.
#[derive(Clone, Debug)]
pub enum Version {
    /// Only its content does: it is to be found at this absolute path.
    Local(PathBuf),
    /// S3 names each version.
    S3 {
        /// The name, with its quotes; there are stores that have none.
        etag: Option<String>,
    },
}

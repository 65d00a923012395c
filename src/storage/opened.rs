//! A file whose beginning is known.

use std::path::PathBuf;

use bytes::Bytes;

use crate::request::Location;

/// How much of a file is read to begin with. Enough for the first frame of a compressed
/// .blend file: Blender packs a mebibyte in each (`ZSTD_CHUNK_SIZE` in its
/// `writefile.cc`), which may not become smaller, and must be had whole to be unpacked.
/// Small files are read with it in one go.
pub(super) const START: u64 = 1024 * 1024 + 64 * 1024;

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

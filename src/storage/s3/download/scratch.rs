//! Local files that objects are downloaded to and uploaded from.

use std::fs::File;
use std::io::{self, Seek as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::storage::Failure;
use crate::storage::crc::{Algorithm, Crc};
use crate::storage::s3::integrity::Checksum;

/// Runs file system calls on a thread where they may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// The failure of a local file. Its cause is the scratch disk, whatever the error's kind.
fn scratch_error(error: io::Error) -> Failure {
    Failure::Io(error.into())
}

/// Creates or truncates a file, for reading and writing.
pub(crate) async fn create(path: &Path) -> Result<File, Failure> {
    let path = path.to_owned();
    blocking(move || File::options().read(true).write(true).create(true).truncate(true).open(path))
        .await
        .map_err(scratch_error)
}

/// Writes `blocks` one after the other from `offset` on, and appends them to `crc`.
pub(crate) async fn write_checksummed(
    file: &Arc<File>,
    mut offset: u64,
    blocks: Vec<Bytes>,
    mut crc: Option<Crc>,
) -> Result<Option<Crc>, Failure> {
    let file = Arc::clone(file);
    let write = move || {
        for block in blocks {
            if let Some(crc) = &mut crc {
                crc.update(&block);
            }
            file.write_all_at(&block, offset)?;
            offset += block.len() as u64;
        }
        Ok(crc)
    };
    blocking(write).await.map_err(scratch_error)
}

/// Reads exactly `length` bytes from `offset` on.
pub(crate) async fn read_at(file: &Arc<File>, offset: u64, length: u64) -> Result<Bytes, Failure> {
    read_into(file, offset, length, Vec::new()).await.map(Bytes::from)
}

/// The same as [`read_at`], reusing `memory` and replacing its content.
pub(crate) async fn read_into(
    file: &Arc<File>,
    offset: u64,
    length: u64,
    mut memory: Vec<u8>,
) -> Result<Vec<u8>, Failure> {
    let file = Arc::clone(file);
    let read = move || {
        memory.resize(usize::try_from(length).map_err(io::Error::other)?, 0);
        file.read_exact_at(&mut memory, offset)?;
        Ok(memory)
    };
    blocking(read).await.map_err(scratch_error)
}

/// The CRC of `content`.
pub(crate) async fn crc_of(content: Bytes, algorithm: Algorithm) -> Result<Crc, Failure> {
    blocking(move || Ok(Crc::of(algorithm, &content))).await.map_err(scratch_error)
}

/// The checksum of a whole file, with the same algorithm as `like`.
pub(crate) async fn checksum_of(file: &Arc<File>, like: Checksum) -> Result<Checksum, Failure> {
    let file = Arc::clone(file);
    let compute = move || {
        (&*file).rewind()?;
        like.compute_file(&file)
    };
    blocking(compute).await.map_err(scratch_error)
}

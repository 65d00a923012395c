//! Files of ours that objects come from and go to.

use std::fs::File;
use std::io::{self, Seek as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::storage::Failure;
use crate::storage::crc::{Crc, Kind};
use crate::storage::s3::integrity::Sum;

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// Files of ours fail for reasons of the scratch disk, whatever the error's kind.
fn scratch(error: io::Error) -> Failure {
    Failure::Io(error.into())
}

pub(crate) async fn create(path: &Path) -> Result<File, Failure> {
    let path = path.to_owned();
    blocking(move || File::options().read(true).write(true).create(true).truncate(true).open(path))
        .await
        .map_err(scratch)
}

/// Writes `blocks` one after the other, adding them up in `sum`.
pub(crate) async fn write_summed(
    file: &Arc<File>,
    mut offset: u64,
    blocks: Vec<Bytes>,
    mut sum: Option<Crc>,
) -> Result<Option<Crc>, Failure> {
    let file = Arc::clone(file);
    let write = move || {
        for block in blocks {
            if let Some(sum) = &mut sum {
                sum.update(&block);
            }
            file.write_all_at(&block, offset)?;
            offset += block.len() as u64;
        }
        Ok(sum)
    };
    blocking(write).await.map_err(scratch)
}

pub(crate) async fn read_at(file: &Arc<File>, offset: u64, length: u64) -> Result<Bytes, Failure> {
    read_into(file, offset, length, Vec::new()).await.map(Bytes::from)
}

/// The same, in `memory` as far as that is enough. What it held before is gone.
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
    blocking(read).await.map_err(scratch)
}

/// What these bytes add up to.
pub(crate) async fn sum_of(content: Bytes, kind: Kind) -> Result<Crc, Failure> {
    blocking(move || Ok(Crc::of(kind, &content))).await.map_err(scratch)
}

/// What a whole file adds up to, in the manner of `like`.
pub(crate) async fn sum(file: &Arc<File>, like: Sum) -> Result<Sum, Failure> {
    let file = Arc::clone(file);
    let add = move || {
        (&*file).rewind()?;
        like.of_file(&file)
    };
    blocking(add).await.map_err(scratch)
}

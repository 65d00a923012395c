//! Files of ours that objects come from and go to.

use std::fs::File;
use std::io::{self, Seek as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::integrity::Sum;
use crate::storage::Failure;

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// Files of ours fail for reasons of the scratch disk, whatever the error's kind.
fn scratch(error: io::Error) -> Failure {
    Failure::Io(error.into())
}

pub(super) async fn create(path: &Path) -> Result<File, Failure> {
    let path = path.to_owned();
    blocking(move || File::options().read(true).write(true).create(true).truncate(true).open(path))
        .await
        .map_err(scratch)
}

pub(super) async fn write_at(file: &Arc<File>, offset: u64, content: Bytes) -> Result<(), Failure> {
    let file = Arc::clone(file);
    blocking(move || file.write_all_at(&content, offset)).await.map_err(scratch)
}

pub(super) async fn read_at(file: &Arc<File>, offset: u64, length: u64) -> Result<Bytes, Failure> {
    let file = Arc::clone(file);
    let length = usize::try_from(length).map_err(|error| Failure::Io(error.into()))?;
    let read = move || {
        let mut content = vec![0; length];
        file.read_exact_at(&mut content, offset)?;
        Ok(Bytes::from(content))
    };
    blocking(read).await.map_err(scratch)
}

/// What a whole file adds up to, in the manner of `like`.
pub(super) async fn sum(file: &Arc<File>, like: Sum) -> Result<Sum, Failure> {
    let file = Arc::clone(file);
    let add = move || {
        (&*file).rewind()?;
        like.of_file(&file)
    };
    blocking(add).await.map_err(scratch)
}

//! Files on this machine: scratch space and mounted volumes.

mod replace;
mod sidecar;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;

use super::crc::Crc;
use super::{Entry, Failure, Fingerprint, Names, Opened, Version};
use crate::request::{FrameFile, ImageFormat, Location};
use replace::{CHUNK, CancelFlag, CancelOnDrop, beside, make, replace_if};

/// Runs file system calls where they may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    let result = tokio::task::spawn_blocking(work).await;
    Ok(result.map_err(io::Error::other)??)
}

/// The files of these names directly in `folder`. Names that are hidden are passed over: they
/// are no frames or reports, and ours are hidden while they are written. So are names that are
/// no UTF-8, with a warning where they look like images. What is called like a frame and is
/// none, such as a folder or a dead link, is listed: reading it gives the error.
pub(crate) async fn list(folder: PathBuf, names: Names) -> Result<Vec<Entry>, Failure> {
    blocking(move || {
        let (mut entries, mut unreadable) = (Vec::new(), Vec::new());
        let listed = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(entries),
            listed => listed?,
        };
        for entry in listed {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                unreadable.extend(as_of_an_image(&name));
                continue;
            };
            if name.starts_with('.') {
                continue;
            }
            // Before each of the others costs a request to a file server.
            if !names.contain(name) {
                continue;
            }
            match fs::metadata(entry.path()) {
                Ok(metadata) if metadata.is_file() => entries.push(Entry {
                    name: name.to_owned(),
                    size: metadata.len(),
                    modified: metadata.modified()?,
                }),
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                // Neither is a file that went away meanwhile.
                Ok(_) | Err(_) => {
                    let is_there = fs::symlink_metadata(entry.path()).is_ok();
                    if is_there && FrameFile::parse(name).is_some() {
                        let (name, modified) = (name.to_owned(), SystemTime::UNIX_EPOCH);
                        entries.push(Entry { name, size: 0, modified });
                    }
                }
            }
        }
        if let Some(example) = unreadable.first() {
            tracing::warn!(
                "{} of the images in {} are passed over, as their names are not UTF-8: {example}",
                unreadable.len(),
                folder.display()
            );
        }
        Ok(entries)
    })
    .await
}

/// A name that is no UTF-8, as well as it can be shown, if it is like that of an image.
fn as_of_an_image(name: &OsStr) -> Option<String> {
    let name = name.to_string_lossy();
    let (_, extension) = name.rsplit_once('.')?;
    ImageFormat::from_extension(extension).map(|_| name.into_owned())
}

/// The content of `file`, which has `size` bytes at most.
pub(crate) async fn read(file: PathBuf, size: u64) -> Result<Bytes, Failure> {
    let content = blocking(move || {
        let mut content = Vec::new();
        let opened = File::open(&file).map_err(|error| with_target(error, &file))?;
        opened.take(size.saturating_add(1)).read_to_end(&mut content)?;
        Ok(content)
    });
    let content = content.await?;
    if content.len() as u64 > size { Err(Failure::grown(size)) } else { Ok(content.into()) }
}

/// Says of a file that is not there that it is a link to such a one.
fn with_target(error: io::Error, file: &Path) -> io::Error {
    match fs::read_link(file) {
        Ok(target) if error.kind() == io::ErrorKind::NotFound => {
            let text = format!("it is a link to {}, which is not there", target.display());
            io::Error::new(error.kind(), text)
        }
        Ok(_) | Err(_) => error,
    }
}

/// The beginning of `file`, `length` bytes of it, and its absolute path.
pub(crate) async fn open(
    location: &Location,
    file: PathBuf,
    length: u64,
) -> Result<Opened, Failure> {
    let (path, start, size) = blocking(move || {
        let path = std::path::absolute(file)?;
        // Looked at before it is opened: opening a pipe waits for whoever writes to it.
        let metadata = fs::metadata(&path).map_err(|error| with_target(error, &path))?;
        if !metadata.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::IsADirectory,
                "it is not a regular file but a directory, pipe or device",
            ));
        }
        let mut start = Vec::new();
        File::open(&path)?.take(length).read_to_end(&mut start)?;
        Ok((path, start, metadata.len()))
    })
    .await?;
    let (location, start) = (location.clone(), Bytes::from(start));
    Ok(Opened { location, start, size, version: Version::Local(path) })
}

pub(crate) async fn fingerprint(file: PathBuf) -> Result<Option<Fingerprint>, Failure> {
    blocking(move || sidecar::read(&file)).await
}

pub(crate) async fn write(file: PathBuf, content: Bytes) -> Result<(), Failure> {
    let cancel_on_drop = CancelOnDrop::default();
    let flag = cancel_on_drop.flag();
    blocking(move || replace_if(&flag, &file, |beside| beside.write_all(&content))).await
}

pub(crate) async fn copy(
    mut source: File,
    file: PathBuf,
    fingerprint: Option<Fingerprint>,
) -> Result<u64, Failure> {
    let cancel_on_drop = CancelOnDrop::default();
    let flag = cancel_on_drop.flag();
    blocking(move || {
        source.rewind()?;
        // No more than there is now: who still writes to it must not keep us for ever.
        let size = source.metadata()?.len();
        let mut source = source.take(size);
        replace_if(&flag, &file, |beside| {
            let (length, sum) = copy_summed(&mut source, beside, &flag)?;
            match fingerprint {
                Some(fingerprint) => sidecar::write(&file, fingerprint, length, &sum),
                None => sidecar::remove(&file),
            }
            Ok(length)
        })
    })
    .await
}

/// Copies everything, and says how much that is and what it adds up to.
fn copy_summed(
    from: &mut impl io::Read,
    to: &mut File,
    flag: &CancelFlag,
) -> io::Result<(u64, Crc)> {
    let (mut length, mut sum, mut buffer) = (0, sidecar::new_sum(), vec![0; CHUNK]);
    loop {
        flag.check()?;
        let read = match from.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        let chunk = buffer.get(..read).unwrap_or_default();
        if chunk.is_empty() {
            return Ok((length, sum));
        }
        sum.update(chunk);
        to.write_all(chunk)?;
        length += chunk.len() as u64;
    }
}

/// Makes `folder` and proves that files can be written there.
pub(crate) async fn prepare(folder: PathBuf) -> Result<(), Failure> {
    blocking(move || {
        make(&folder)?;
        beside(&folder).map(drop)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_has_its_fingerprint_when_it_takes_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let (source, file) = (folder.path().join("source"), folder.path().join("0001.png"));
        fs::write(&source, b"new").unwrap();
        // So that it is stopped right before.
        fs::create_dir_all(file.join("in the way")).unwrap();
        let store = || {
            let fingerprint = Some(Fingerprint::from([7; 32]));
            copy(File::open(&source).unwrap(), file.clone(), fingerprint)
        };
        assert!(store().await.is_err());
        assert!(folder.path().join(".fingerprints/0001.png").is_file());
        fs::remove_dir_all(&file).unwrap();
        assert_eq!(fingerprint(file.clone()).await.unwrap(), None);
        fs::write(&file, b"old").unwrap();
        assert_eq!(fingerprint(file.clone()).await.unwrap(), None, "it is of another content");
        store().await.unwrap();
        assert_eq!(fingerprint(file.clone()).await.unwrap(), Some(Fingerprint::from([7; 32])));
    }

    #[tokio::test]
    async fn what_is_given_up_is_never_seen() {
        let folder = tempfile::tempdir().unwrap();
        let (source, output) = (folder.path().join("source"), folder.path().join("out"));
        // Large enough that it is given up long before it is written.
        File::create(&source).unwrap().set_len(256 * 1024 * 1024).unwrap();
        let file = output.join("0001.png");
        let mut copying = Box::pin(copy(File::open(&source).unwrap(), file.clone(), None));
        assert!(futures_util::poll!(copying.as_mut()).is_pending());
        let hidden = || fs::read_dir(&output).map_or(0, Iterator::count);
        while hidden() == 0 {
            tokio::task::yield_now().await;
        }
        drop(copying);
        while hidden() > 0 {
            assert!(!file.exists());
            tokio::task::yield_now().await;
        }
    }
}

//! Local files, including mounted volumes.

mod mistake;
mod replace;
mod sidecar;
mod tree;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use nix::libc;
use tokio::sync::Semaphore;

use super::crc::Crc;
use super::uploaded_file::UploadedFile;
use super::{Entry, Failure, Fingerprint, NameRange, Opened, Version};
use crate::request::{FrameFile, ImageFormat, Location};
pub use mistake::{Meant, PathMistake};
use replace::{CHUNK, CancelFlag, CancelOnDrop, create_folder, hidden_file, replace_if};
pub(crate) use tree::list_tree;

/// How many files are read at once. That hides the round trips of a file server. Each of them takes a
/// thread with memory of its own.
static READS: Semaphore = Semaphore::const_new(16);

/// The most memory that is reserved before a file is read, in bytes: what is known of its size may be
/// wrong.
const LARGEST_CAPACITY: u64 = 64 << 20;

/// Runs file system calls on a thread where they may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    let result = tokio::task::spawn_blocking(work).await;
    Ok(result.map_err(io::Error::other)??)
}

/// Lists the files in the range `names` directly in `folder`.
///
/// Hidden files are skipped: they are not frames or reports, and files are hidden while they are
/// being written. Names that are not UTF-8 are skipped as well, with a warning if they look like
/// images. A folder or a dead link with the name of a frame is listed, so that reading it gives the
/// error.
pub(crate) async fn list(folder: PathBuf, names: NameRange) -> Result<Vec<Entry>, Failure> {
    blocking(move || {
        let (mut entries, mut not_utf8) = (Vec::new(), Vec::new());
        let listed = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(entries),
            listed => listed?,
        };
        for entry in listed {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                not_utf8.extend(lossy_image_name(&name));
                continue;
            };
            if name.starts_with('.') {
                continue;
            }
            // Before `metadata`, which can be a request to a file server.
            if !names.contains(name) {
                continue;
            }
            match fs::metadata(entry.path()) {
                Ok(metadata) if metadata.is_file() => entries.push(Entry {
                    name: name.to_owned(),
                    size: metadata.len(),
                    modified: metadata.modified()?,
                }),
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                // Not a file, a dead link, or a file that was deleted in the meantime.
                found => {
                    let is_there = fs::symlink_metadata(entry.path()).is_ok();
                    let is_image = FrameFile::parse(name).is_some()
                        || (found.is_err() && lossy_image_name(OsStr::new(name)).is_some());
                    if is_there && is_image {
                        let (name, modified) = (name.to_owned(), SystemTime::UNIX_EPOCH);
                        entries.push(Entry { name, size: 0, modified });
                    }
                }
            }
        }
        if let Some(example) = not_utf8.first() {
            let count = not_utf8.len();
            tracing::warn!(
                "skipped {count} image{} in {}, because of names that are not UTF-8: {example}",
                if count == 1 { "" } else { "s" },
                folder.display()
            );
        }
        Ok(entries)
    })
    .await
}

/// The name, with replacement characters, if it looks like that of an image.
fn lossy_image_name(name: &OsStr) -> Option<String> {
    let name = name.to_string_lossy();
    let (_, extension) = name.rsplit_once('.')?;
    ImageFormat::from_extension(extension).map(|_| name.into_owned())
}

/// Reads `file`, of `size` bytes at most.
pub(crate) async fn read(file: PathBuf, size: u64) -> Result<Bytes, Failure> {
    // The semaphore is never closed.
    let _permit = READS.acquire().await;
    let content = blocking(move || {
        let expected = size.saturating_add(1).min(LARGEST_CAPACITY);
        let mut content = Vec::with_capacity(usize::try_from(expected).unwrap_or_default());
        // Opening a named pipe would wait for somebody who writes to it.
        let opened = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&file);
        let opened = opened.map_err(|error| with_target(error, &file))?;
        opened.take(size.saturating_add(1)).read_to_end(&mut content)?;
        Ok(content)
    });
    let content = content.await?;
    if content.len() as u64 > size { Err(Failure::grown(size)) } else { Ok(content.into()) }
}

/// Reads the bytes of `file` from `start` up to but not including `end`.
pub(crate) async fn read_range(file: PathBuf, start: u64, end: u64) -> Result<Bytes, Failure> {
    let wanted = end.saturating_sub(start);
    let content = blocking(move || {
        let mut opened = File::open(&file)?;
        opened.seek(io::SeekFrom::Start(start))?;
        let mut content = Vec::new();
        opened.take(wanted).read_to_end(&mut content)?;
        Ok(content)
    });
    let content = content.await?;
    if (content.len() as u64) < wanted {
        return Err(Failure::Transient("it has become shorter".into()));
    }
    Ok(content.into())
}

/// Names the target in the error if a missing `file` is a dead link.
fn with_target(error: io::Error, file: &Path) -> io::Error {
    match fs::read_link(file) {
        Ok(target) if error.kind() == io::ErrorKind::NotFound => {
            let text = format!("it is a link to {}, which does not exist", target.display());
            io::Error::new(error.kind(), text)
        }
        Ok(_) | Err(_) => error,
    }
}

/// Turns the failure to open a scene into a mistake in its path, if it is one.
pub(crate) async fn explain_scene(scene: PathBuf, failure: Failure) -> Failure {
    let mistake = blocking(move || Ok(mistake::in_scene(&scene))).await;
    mistake.ok().flatten().map_or(failure, Failure::Mistaken)
}

/// Checks that `folder` is one.
pub(crate) async fn ensure_folder(folder: PathBuf) -> Result<(), Failure> {
    let mistake = blocking(move || Ok(mistake::in_folder(&folder))).await?;
    mistake.map_or(Ok(()), |mistake| Err(Failure::Mistaken(mistake)))
}

/// Reads the first `length` bytes of `file`, and determines its absolute path.
pub(crate) async fn open(
    location: &Location,
    file: PathBuf,
    length: u64,
) -> Result<Opened, Failure> {
    let (path, start, size) = blocking(move || {
        let path = std::path::absolute(file)?;
        // Checked before opening, because opening a pipe blocks until it has a writer.
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

/// The fingerprint of `file`, if the file has the content that it was stored with.
pub(crate) async fn fingerprint(file: PathBuf) -> Result<Option<Fingerprint>, Failure> {
    blocking(move || sidecar::read(&file)).await
}

/// Replaces `file` by one with `content`.
pub(crate) async fn write(file: PathBuf, content: Bytes) -> Result<(), Failure> {
    let cancel_on_drop = CancelOnDrop::default();
    let flag = cancel_on_drop.flag();
    blocking(move || replace_if(&flag, &file, |hidden| hidden.write_all(&content))).await
}

/// Replaces `file` by a copy of `source`, and its fingerprint. Returns the size in bytes.
pub(crate) async fn copy(content: UploadedFile, file: PathBuf) -> Result<u64, Failure> {
    let cancel_on_drop = CancelOnDrop::default();
    let flag = cancel_on_drop.flag();
    let copied = blocking(move || {
        let mut source = &*content.source;
        source.rewind()?;
        // No more than the current size: if the file is still being written, the copy must end.
        let size = source.metadata()?.len();
        let mut source = source.take(size);
        let mut changed = None;
        let copied = replace_if(&flag, &file, |hidden| {
            let (length, crc) = copy_checksummed(&mut source, hidden, &flag)?;
            if let Err(failure) = content.check() {
                changed = Some(failure);
                return Err(io::ErrorKind::Interrupted.into());
            }
            match content.fingerprint {
                Some(fingerprint) => sidecar::write(&file, fingerprint, length, &crc),
                None => sidecar::remove(&file),
            }
            Ok(length)
        });
        match changed {
            Some(failure) => Ok(Err(failure)),
            None => copied.map(Ok),
        }
    });
    copied.await?
}

/// Copies all of `from`. Returns its length in bytes, and its CRC.
fn copy_checksummed(
    from: &mut impl io::Read,
    to: &mut File,
    flag: &CancelFlag,
) -> io::Result<(u64, Crc)> {
    let (mut length, mut crc, mut buffer) = (0, sidecar::new_crc(), vec![0; CHUNK]);
    loop {
        flag.check()?;
        let read = match from.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        let chunk = buffer.get(..read).unwrap_or_default();
        if chunk.is_empty() {
            return Ok((length, crc));
        }
        crc.update(chunk);
        to.write_all(chunk)?;
        length += chunk.len() as u64;
    }
}

/// Creates `folder`, and checks that files can be written to it.
pub(crate) async fn prepare(folder: PathBuf) -> Result<(), Failure> {
    let path = folder.clone();
    let prepared = blocking(move || {
        create_folder(&folder)?;
        hidden_file(&folder).map(drop)
    });
    let Err(failure) = prepared.await else { return Ok(()) };
    let mistake = blocking(move || Ok(mistake::in_output(&path))).await;
    Err(mistake.ok().flatten().map_or(failure, Failure::Mistaken))
}

/// The folders that [`prepare`] would create for `folder`, innermost first.
pub(crate) async fn missing_folders(folder: PathBuf) -> Vec<PathBuf> {
    let missing = blocking(move || {
        let missing = folder.ancestors().take_while(|path| !path.as_os_str().is_empty());
        Ok(missing.take_while(|path| !path.exists()).map(Path::to_owned).collect())
    });
    missing.await.unwrap_or_default()
}

/// Removes those of `folders` that are empty.
pub(crate) async fn remove_empty(folders: Vec<PathBuf>) {
    let removed = blocking(move || {
        // Fails if a folder has content, and then it must stay.
        for folder in &folders {
            _ = fs::remove_dir(folder);
        }
        Ok(())
    });
    _ = removed.await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_fingerprint_is_stored_before_the_file_appears() {
        let folder = tempfile::tempdir().unwrap();
        let (source, file) = (folder.path().join("source"), folder.path().join("0001.png"));
        fs::write(&source, b"new").unwrap();
        // Makes the final rename fail.
        fs::create_dir_all(file.join("in the way")).unwrap();
        let store = || {
            let fingerprint = Some(Fingerprint::from([7; 32]));
            copy(UploadedFile::new(File::open(&source).unwrap(), fingerprint), file.clone())
        };
        assert!(store().await.is_err());
        assert!(folder.path().join(".fingerprints/0001.png").is_file());
        fs::remove_dir_all(&file).unwrap();
        assert_eq!(fingerprint(file.clone()).await.unwrap(), None);
        fs::write(&file, b"old").unwrap();
        assert_eq!(fingerprint(file.clone()).await.unwrap(), None, "it is for other content");
        store().await.unwrap();
        assert_eq!(fingerprint(file.clone()).await.unwrap(), Some(Fingerprint::from([7; 32])));
    }

    #[tokio::test]
    async fn a_cancelled_copy_never_appears() {
        let folder = tempfile::tempdir().unwrap();
        let (source, output) = (folder.path().join("source"), folder.path().join("out"));
        // Large enough to be cancelled long before it is written.
        File::create(&source).unwrap().set_len(256 * 1024 * 1024).unwrap();
        let file = output.join("0001.png");
        let mut copying =
            Box::pin(copy(UploadedFile::new(File::open(&source).unwrap(), None), file.clone()));
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

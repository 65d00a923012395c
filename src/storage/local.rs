//! Files on this machine: scratch space and mounted volumes.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use tempfile::NamedTempFile;

use super::{Entry, Failure, Fingerprint, Names, Opened, Version, sidecar};
use crate::request::{FrameFile, ImageFormat, Location};
use crate::space::Space;

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
pub(super) async fn list(folder: PathBuf, names: Names) -> Result<Vec<Entry>, Failure> {
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

pub(super) async fn read(file: PathBuf) -> Result<Bytes, Failure> {
    blocking(move || {
        let content = fs::read(&file).map_err(|error| with_target(error, &file))?;
        Ok(Bytes::from(content))
    })
    .await
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
pub(super) async fn open(
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

pub(super) async fn fingerprint(file: PathBuf) -> Result<Option<Fingerprint>, Failure> {
    blocking(move || sidecar::read(&file)).await
}

pub(super) async fn write(file: PathBuf, content: Bytes) -> Result<(), Failure> {
    blocking(move || replace(&file, |beside| beside.write_all(&content))).await
}

pub(super) async fn copy(
    mut source: File,
    file: PathBuf,
    fingerprint: Option<Fingerprint>,
) -> Result<u64, Failure> {
    blocking(move || {
        source.rewind()?;
        // No more than there is now: who still writes to it must not keep us for ever.
        let size = source.metadata()?.len();
        let mut source = source.take(size);
        replace(&file, |beside| {
            let length = io::copy(&mut source, beside)?;
            match fingerprint {
                Some(fingerprint) => {
                    // A file server may set the time only when it has everything.
                    beside.sync_all()?;
                    sidecar::write(&file, beside, &fingerprint);
                }
                None => sidecar::remove(&file),
            }
            Ok(length)
        })
    })
    .await
}

/// Makes `folder` and proves that files can be written there.
pub(super) async fn prepare(folder: PathBuf) -> Result<(), Failure> {
    blocking(move || {
        fs::create_dir_all(&folder)?;
        beside(&folder).map(drop)
    })
    .await
}

/// Writes a hidden file beside `file`, then renames it: whoever looks sees the old
/// content or the new one, whole.
pub(super) fn replace<T>(
    file: &Path,
    write_to: impl FnOnce(&mut File) -> io::Result<T>,
) -> io::Result<T> {
    let folder = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let mut beside = beside(folder)?;
    let result = write_to(beside.as_file_mut()).map_err(|error| with_space(error, folder))?;
    // Before the rename, or a crash of the machine could leave an empty file under
    // the final name.
    beside.as_file().sync_all().map_err(|error| with_space(error, folder))?;
    beside.persist(file)?;
    Ok(result)
}

/// Adds to an error that says that a disk is full how large that is, as long as what
/// fills it is there.
fn with_space(error: io::Error, folder: &Path) -> io::Error {
    match Space::on(folder) {
        Ok(space) if error.kind() == io::ErrorKind::StorageFull => {
            io::Error::new(error.kind(), format!("{error}: {space}"))
        }
        Ok(_) | Err(_) => error,
    }
}

/// A hidden file in `folder`, removed when dropped.
fn beside(folder: &Path) -> io::Result<NamedTempFile> {
    let made = tempfile::Builder::new()
        .prefix(".")
        .suffix(".part")
        // As any other new file: what the umask leaves of it.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder);
    made.map_err(|error| with_space(error, folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_fails_leaves_what_was_there_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("frames/0001.png");
        replace(&file, |beside| beside.write_all(b"old")).unwrap();
        let failed = replace(&file, |beside| {
            beside.write_all(b"ne")?;
            Err::<(), _>(io::Error::from(io::ErrorKind::StorageFull))
        });
        assert_eq!(failed.err().unwrap().kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read(&file).unwrap(), b"old");
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
    }

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
        assert_eq!(fingerprint(file.clone()).await.unwrap(), None, "it is of another time");
        store().await.unwrap();
        assert_eq!(fingerprint(file.clone()).await.unwrap(), Some(Fingerprint::from([7; 32])));
    }

    #[test]
    fn a_file_gets_the_permissions_of_any_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, plain) = (folder.path().join("ours"), folder.path().join("plain"));
        replace(&ours, |beside| beside.write_all(b"x")).unwrap();
        fs::write(&plain, b"x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
    }
}

//! Files on this machine: scratch space and mounted volumes.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use tempfile::NamedTempFile;

use super::crc::Crc;
use super::{Entry, Failure, Fingerprint, Names, Opened, Version, sidecar};
use crate::request::{FrameFile, ImageFormat, Location};
use crate::space::Space;

/// How much of a file is read at once.
pub(super) const CHUNK: usize = 256 * 1024;

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

/// The content of `file`, which has `size` bytes at most.
pub(super) async fn read(file: PathBuf, size: u64) -> Result<Bytes, Failure> {
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
    let waiting = Waiting::default();
    let wanted = waiting.wanted();
    blocking(move || replace_if(&wanted, &file, |beside| beside.write_all(&content))).await
}

pub(super) async fn copy(
    mut source: File,
    file: PathBuf,
    fingerprint: Option<Fingerprint>,
) -> Result<u64, Failure> {
    let waiting = Waiting::default();
    let wanted = waiting.wanted();
    blocking(move || {
        source.rewind()?;
        // No more than there is now: who still writes to it must not keep us for ever.
        let size = source.metadata()?.len();
        let mut source = source.take(size);
        replace_if(&wanted, &file, |beside| {
            let (length, sum) = copy_summed(&mut source, beside, &wanted)?;
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
fn copy_summed(from: &mut impl io::Read, to: &mut File, wanted: &Wanted) -> io::Result<(u64, Crc)> {
    let (mut length, mut sum, mut buffer) = (0, sidecar::new_sum(), vec![0; CHUNK]);
    loop {
        wanted.check()?;
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

/// Waits for a file to be written. What runs in a thread of its own does not end when nobody
/// waits any more: from then on it must not be seen.
#[derive(Default)]
struct Waiting(Wanted);

impl Waiting {
    fn wanted(&self) -> Wanted {
        self.0.clone()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        *self.0.given_up() = true;
    }
}

/// Whether a file is still waited for.
#[derive(Clone, Default)]
struct Wanted(Arc<Mutex<bool>>);

impl Wanted {
    fn given_up(&self) -> MutexGuard<'_, bool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self) -> io::Result<()> {
        if *self.given_up() { Err(io::Error::other("it was given up")) } else { Ok(()) }
    }
}

/// Makes `folder` and proves that files can be written there.
pub(super) async fn prepare(folder: PathBuf) -> Result<(), Failure> {
    blocking(move || {
        make(&folder)?;
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
    replace_if(&Wanted::default(), file, write_to)
}

/// The same, unless that is not wanted any more before the rename.
fn replace_if<T>(
    wanted: &Wanted,
    file: &Path,
    write_to: impl FnOnce(&mut File) -> io::Result<T>,
) -> io::Result<T> {
    let folder = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    make(folder)?;
    let mut beside = beside(folder)?;
    let result = write_to(beside.as_file_mut()).map_err(|error| with_space(error, folder))?;
    // Before the rename, or a crash of the machine could leave an empty file under
    // the final name.
    beside.as_file().sync_all().map_err(|error| with_space(error, folder))?;
    let given_up = wanted.given_up();
    if *given_up {
        return Err(io::Error::other("it was given up"));
    }
    beside.persist(file)?;
    drop(given_up);
    // The name as well must outlive a crash of the machine.
    sync(folder)?;
    Ok(result)
}

/// Makes a folder, and those it is in, to stay.
fn make(folder: &Path) -> io::Result<()> {
    let missing: Vec<_> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
    fs::create_dir_all(folder)?;
    missing.iter().filter_map(|folder| folder.parent()).try_for_each(|parent| {
        let here = parent.as_os_str().is_empty();
        sync(if here { Path::new(".") } else { parent })
    })
}

/// Has the names in a folder written to the disk.
fn sync(folder: &Path) -> io::Result<()> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // Not every file system does that, and a folder may be writable and not readable.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidInput
                    | io::ErrorKind::Unsupported
                    | io::ErrorKind::PermissionDenied
            ) =>
        {
            Ok(())
        }
        synced => synced,
    }
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

//! A file takes the place of another one whole, or not at all.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tempfile::NamedTempFile;

use crate::space::Space;

/// How much of a file is read at once.
pub(super) const CHUNK: usize = 256 * 1024;

/// Waits for a file to be written. What runs in a thread of its own does not end when nobody
/// waits any more: from then on it must not be seen.
#[derive(Default)]
pub(super) struct CancelOnDrop(CancelFlag);

impl CancelOnDrop {
    pub(super) fn flag(&self) -> CancelFlag {
        self.0.clone()
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        *self.0.cancelled() = true;
    }
}

/// Whether a file is still waited for.
#[derive(Clone, Default)]
pub(super) struct CancelFlag(Arc<Mutex<bool>>);

impl CancelFlag {
    fn cancelled(&self) -> MutexGuard<'_, bool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn check(&self) -> io::Result<()> {
        if *self.cancelled() { Err(io::Error::other("it was given up")) } else { Ok(()) }
    }
}

/// Writes a hidden file beside `file`, then renames it: whoever looks sees the old
/// content or the new one, whole.
pub(super) fn replace<T>(
    file: &Path,
    write_to: impl FnOnce(&mut File) -> io::Result<T>,
) -> io::Result<T> {
    replace_if(&CancelFlag::default(), file, write_to)
}

/// The same, unless that is not wanted any more before the rename.
pub(super) fn replace_if<T>(
    flag: &CancelFlag,
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
    let cancelled = flag.cancelled();
    if *cancelled {
        return Err(io::Error::other("it was given up"));
    }
    beside.persist(file)?;
    drop(cancelled);
    // The name as well must outlive a crash of the machine.
    sync(folder)?;
    Ok(result)
}

/// Makes a folder, and those it is in, to stay.
pub(super) fn make(folder: &Path) -> io::Result<()> {
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
pub(super) fn beside(folder: &Path) -> io::Result<NamedTempFile> {
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
    use std::io::Write as _;

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

//! Atomic replacement of files.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tempfile::NamedTempFile;

use crate::space::Space;

/// How much of a file is read at once, in bytes.
pub(super) const CHUNK: usize = 256 * 1024;

/// Cancels a write when dropped. A thread does not end when the future that waits for it is
/// dropped, so this keeps its file from appearing.
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

/// Whether a write was cancelled. Clones share the flag.
#[derive(Clone, Default)]
pub(super) struct CancelFlag(Arc<Mutex<bool>>);

impl CancelFlag {
    fn cancelled(&self) -> MutexGuard<'_, bool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fails if the write was cancelled.
    pub(super) fn check(&self) -> io::Result<()> {
        if *self.cancelled() { Err(cancelled_error()) } else { Ok(()) }
    }
}

fn cancelled_error() -> io::Error {
    io::Error::other("the write was cancelled")
}

/// Replaces `file` atomically: writes a hidden file in the same folder, and renames it.
pub(super) fn replace<T>(
    file: &Path,
    write_to: impl FnOnce(&mut File) -> io::Result<T>,
) -> io::Result<T> {
    replace_if(&CancelFlag::default(), file, write_to)
}

/// The same as [`replace`], unless the write is cancelled before the rename.
pub(super) fn replace_if<T>(
    flag: &CancelFlag,
    file: &Path,
    write_to: impl FnOnce(&mut File) -> io::Result<T>,
) -> io::Result<T> {
    let folder = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    create_folder(folder)?;
    let mut hidden = hidden_file(folder)?;
    let result = write_to(hidden.as_file_mut()).map_err(|error| with_space(error, folder))?;
    // Before the rename, or a crash of the machine could leave an empty file under the final name.
    hidden.as_file().sync_all().map_err(|error| with_space(error, folder))?;
    // Locked during the rename: after a cancellation, no file appears.
    let cancelled = flag.cancelled();
    if *cancelled {
        return Err(cancelled_error());
    }
    hidden.persist(file)?;
    drop(cancelled);
    // The rename must survive a crash of the machine as well.
    sync(folder)?;
    Ok(result)
}

/// Creates a folder and its parents, and syncs them to the disk.
pub(super) fn create_folder(folder: &Path) -> io::Result<()> {
    let missing: Vec<_> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
    fs::create_dir_all(folder)?;
    missing.iter().filter_map(|folder| folder.parent()).try_for_each(|parent| {
        let is_current = parent.as_os_str().is_empty();
        sync(if is_current { Path::new(".") } else { parent })
    })
}

/// Syncs the names in a folder to the disk.
fn sync(folder: &Path) -> io::Result<()> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // Some file systems do not support this, and a folder may be writable but not readable.
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

/// Adds the size of the disk to the error that it is full. Call it before the hidden file, which
/// may be what fills the disk, is removed.
fn with_space(error: io::Error, folder: &Path) -> io::Error {
    match Space::on(folder) {
        Ok(space) if error.kind() == io::ErrorKind::StorageFull => {
            io::Error::new(error.kind(), format!("{error}: {space}"))
        }
        Ok(_) | Err(_) => error,
    }
}

/// Creates a hidden file in `folder`. Dropping it removes it.
pub(super) fn hidden_file(folder: &Path) -> io::Result<NamedTempFile> {
    let mut options = File::options();
    // The permissions of any new file, subject to the umask.
    options.read(true).write(true).create_new(true).mode(0o666);
    // Unlike `tempfile_in`, this does not add the hidden name to the error: nobody asked for it.
    let created = tempfile::Builder::new()
        .prefix(".")
        .suffix(".part")
        .make_in(folder, |path| options.open(path));
    created.map_err(|error| with_space(error, folder))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("frames/0001.png");
        replace(&file, |hidden| hidden.write_all(b"old")).unwrap();
        let failed = replace(&file, |hidden| {
            hidden.write_all(b"ne")?;
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
        replace(&ours, |hidden| hidden.write_all(b"x")).unwrap();
        fs::write(&plain, b"x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
    }
}

//! The scratch folder for temporary files, and its removal.
//!
//! A scene may have put anything there: folders nested deeper than a path can be long or a stack
//! can recurse, folders without permissions, links to other places, millions of files. So removal
//! never recurses, never builds a long path and never follows a link. Each nested folder is first
//! moved to the top under a numbered name, and emptied later. Two file descriptors are enough for
//! any tree, and the cost of a step does not grow with the depth.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, chmodat, fchmod, openat, renameat, unlinkat,
};
use rustix::io::Errno;
use tokio::time::Instant;

use super::{Worker, sandbox_policy};
use crate::error::Error;
use crate::process::shutdown::Shutdown;

/// A new folder for temporary files, removed when dropped.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    shutdown: Shutdown,
}

impl Scratch {
    /// Creates a scratch folder.
    ///
    /// # Errors
    /// [`Error::Scratch`] if it cannot be created.
    pub fn create(worker: &Worker) -> Result<Self, Error> {
        let parent = worker.scratch_dir.clone().unwrap_or_else(std::env::temp_dir);
        let mut builder = tempfile::Builder::new();
        builder.prefix(sandbox_policy::SCRATCH_PREFIX);
        // Unlike `tempdir_in`, this does not add the random name to the error.
        let folder = std::path::absolute(&parent)
            .and_then(|parent| builder.make_in(parent, |path| fs::create_dir(path)))
            .and_then(|folder| Ok(folder.into_temp_path().keep()?));
        let path = folder.map_err(|source| Error::Scratch { path: parent, source })?;
        Ok(Self { path, shutdown: worker.shutdown.clone() })
    }

    /// Returns the path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let began = Instant::now();
        let removed = remove(&self.path, || self.shutdown.has_time_to_clean_up(began));
        if let Err(why) = removed {
            let path = self.path.display();
            tracing::warn!(
                "cannot remove the scratch folder {path}: {why}; remove it by hand: rm -r {path}"
            );
        }
    }
}

/// Removes a folder and its content, for as long as `has_time` returns true.
///
/// # Errors
/// The first reason why something is left.
fn remove(folder: &Path, has_time: impl Fn() -> bool) -> io::Result<()> {
    let top = match open(CWD, folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        top => top?,
    };
    // Random, so that a scene cannot have created the name before.
    let prefix = format!("removed-{:016x}-", fastrand::u64(..));
    let mut removal =
        Removal { top: &top, has_time, prefix, moved: 0, pending: vec![], first_error: None };
    removal.empty(Dir::read_from(&top)?, true)?;
    removal.remove_pending()?;
    // An entry that failed may have been removed later. If not, the first error explains the rest.
    std::fs::remove_dir(folder).map_err(|error| removal.first_error.map_or(error, Into::into))
}

/// The removal of one scratch folder.
struct Removal<'a, F> {
    top: &'a OwnedFd,
    has_time: F,
    /// The prefix of the names of folders that were moved to the top; a number follows.
    prefix: String,
    /// How many folders were moved to the top.
    moved: u64,
    /// The numbers of moved folders that are not removed yet.
    pending: Vec<u64>,
    /// Why an entry could not be removed, the first time.
    first_error: Option<Errno>,
}

impl<F: Fn() -> bool> Removal<'_, F> {
    /// Removes the folders that were moved to the top, and the folders in them.
    fn remove_pending(&mut self) -> io::Result<()> {
        while let Some(number) = self.pending.pop() {
            let name = format!("{}{number}", self.prefix);
            match open(self.top, Path::new(&name)).and_then(|folder| Ok(Dir::new(folder)?)) {
                Ok(entries) => self.empty(entries, false)?,
                Err(error) => self.note_error(Errno::from_io_error(&error).unwrap_or(Errno::IO)),
            }
            if let Err(error) = unlinkat(self.top, &name, AtFlags::REMOVEDIR) {
                self.note_error(error);
            }
        }
        Ok(())
    }

    /// Removes the files in a folder, and moves the folders in it to the top.
    fn empty(&mut self, mut folder: Dir, is_top: bool) -> io::Result<()> {
        // Reading can skip entries while others are removed: repeat until a pass removes nothing.
        loop {
            let mut removed_any = false;
            while let Some(entry) = folder.read() {
                if !(self.has_time)() {
                    return Err(io::Error::other("there was no time left to remove all of it"));
                }
                let entry = entry?;
                let name = entry.file_name();
                let is_pending = is_top && name.to_bytes().starts_with(self.prefix.as_bytes());
                if name == c"." || name == c".." || is_pending {
                    continue;
                }
                match self.remove(folder.fd()?, name, entry.file_type()) {
                    Ok(()) => removed_any = true,
                    Err(error) => self.note_error(error),
                }
            }
            if !removed_any {
                return Ok(());
            }
            folder.rewind();
        }
    }

    /// Removes an entry of a folder, or moves it to the top if it is a folder that is not empty.
    fn remove(&mut self, folder: impl AsFd, name: &CStr, kind: FileType) -> Result<(), Errno> {
        if kind != FileType::Directory {
            match unlinkat(&folder, name, AtFlags::empty()) {
                // Some file systems do not report the type of an entry.
                Err(Errno::ISDIR | Errno::PERM) if kind == FileType::Unknown => {}
                result => return result,
            }
        }
        if unlinkat(&folder, name, AtFlags::REMOVEDIR).is_ok() {
            return Ok(());
        }
        let new = format!("{}{}", self.prefix, self.moved);
        match renameat(&folder, name, self.top, &new) {
            // Moving a folder changes its `..`, which needs write permission on the folder itself.
            Err(Errno::ACCESS) => {
                chmodat(&folder, name, Mode::RWXU, AtFlags::empty())?;
                renameat(&folder, name, self.top, &new)?;
            }
            result => result?,
        }
        self.pending.push(self.moved);
        self.moved += 1;
        Ok(())
    }

    fn note_error(&mut self, error: Errno) {
        self.first_error = self.first_error.or(Some(error));
    }
}

/// Opens a folder, but not a link to one, and makes its entries removable.
fn open(at: impl AsFd, folder: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = match openat(&at, folder, flags, Mode::empty()) {
        Err(Errno::ACCESS) => {
            chmodat(&at, folder, Mode::RWXU, AtFlags::empty())?;
            openat(&at, folder, flags, Mode::empty())?
        }
        opened => opened?,
    };
    // A failure is ignored: the present permissions may suffice.
    _ = fchmod(&opened, Mode::RWXU);
    Ok(opened)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    /// Nests `depth` folders, with a file in the innermost one.
    fn nest(top: &Path, depth: usize) {
        let mut folder = open(CWD, top).unwrap();
        for _ in 0..depth {
            rustix::fs::mkdirat(&folder, "d", Mode::RWXU).unwrap();
            folder = open(&folder, Path::new("d")).unwrap();
        }
        openat(&folder, "leaf", OFlags::CREATE | OFlags::WRONLY, Mode::RWXU).unwrap();
    }

    #[test]
    fn everything_inside_is_removed_and_nothing_outside() {
        let temp = tempfile::tempdir().unwrap();
        let (folder, beside) = (temp.path().join("scratch"), temp.path().join("beside"));
        fs::create_dir(&beside).unwrap();
        fs::write(beside.join("file"), "stays").unwrap();
        let make = |name: &str| fs::create_dir_all(folder.join(name)).unwrap();
        make("empty");
        make("a/b/c/removed-0000000000000000-0/x");
        make("full");
        for number in 0..3000 {
            fs::write(folder.join(format!("full/{number}")), "").unwrap();
            make(&format!("wide/{number}"));
        }
        for (name, target) in [("link", &beside), ("a/link", &beside), ("loop", &folder)] {
            symlink(target, folder.join(name)).unwrap();
        }
        symlink("nowhere", folder.join("a/b/dangling")).unwrap();
        std::os::unix::net::UnixListener::bind(folder.join("socket")).unwrap();
        nix::unistd::mkfifo(&folder.join("a/fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        nest(&folder, 5000);
        make("closed/closed/x");
        for name in ["closed/closed/x", "closed/closed", "closed"] {
            fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o0)).unwrap_or(());
        }
        remove(&folder, || true).unwrap();
        assert!(!folder.exists());
        assert_eq!(fs::read_to_string(beside.join("file")).unwrap(), "stays");
        remove(&folder, || true).unwrap();
    }

    #[test]
    fn removal_stops_when_time_is_up() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("scratch");
        fs::create_dir(&folder).unwrap();
        nest(&folder, 50);
        let steps = std::cell::Cell::new(0);
        let has_time = || steps.replace(steps.get() + 1) < 20;
        assert!(remove(&folder, has_time).unwrap_err().to_string().contains("no time left"));
        assert!(folder.exists());
        remove(&folder, || true).unwrap();
        assert!(!folder.exists());
    }
}

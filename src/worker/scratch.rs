//! The folder for temporary files, and its removal.
//!
//! A scene may have put anything there: folders in folders, deeper than a path can name or a
//! stack can follow; folders that nobody may enter; links to elsewhere; millions of files.
//! So nothing here recurses, names a path or follows a link. Each folder that is found in
//! another is moved up to the top first, under a number, and then it is that one's turn: two
//! descriptors are enough for any tree, and each step is as quick as the first.

use std::ffi::CStr;
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

/// A fresh folder for temporary files, removed when dropped.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    shutdown: Shutdown,
}

impl Scratch {
    /// Makes one.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn make(worker: &Worker) -> Result<Self, Error> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(sandbox_policy::SCRATCH_PREFIX);
        let folder = match &worker.scratch_dir {
            Some(dir) => std::path::absolute(dir).and_then(|dir| builder.tempdir_in(dir)),
            None => builder.tempdir(),
        };
        let folder = folder.map_err(|source| Error::Scratch {
            path: worker.scratch_dir.clone().unwrap_or_else(std::env::temp_dir),
            source,
        })?;
        Ok(Self { path: folder.keep(), shutdown: worker.shutdown.clone() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let began = Instant::now();
        let removed = remove(&self.path, || self.shutdown.has_time_to_tidy(began));
        if let Err(why) = removed {
            let path = self.path.display();
            tracing::warn!(
                "the scratch folder {path} is still there: {why}; remove it: rm -r {path}"
            );
        }
    }
}

/// Removes a folder and all that is in it, as long as it `may_go_on`.
///
/// # Errors
/// Why something is left.
fn remove(folder: &Path, may_go_on: impl Fn() -> bool) -> io::Result<()> {
    let top = match open(CWD, folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        top => top?,
    };
    // A name that nobody can have prepared.
    let moved = format!("removed-{:016x}-", fastrand::u64(..));
    let mut removal =
        Removal { top: &top, may_go_on, moved, numbers: 0, found: vec![], failed: None };
    removal.empty(Dir::read_from(&top)?, true)?;
    removal.rest()?;
    // What failed may have gone later. If not, the first failure is the cause of the others.
    std::fs::remove_dir(folder).map_err(|error| removal.failed.map_or(error, Into::into))
}

struct Removal<'a, F> {
    top: &'a OwnedFd,
    may_go_on: F,
    /// How the names of folders begin that were moved to the top; a number follows.
    moved: String,
    /// How many numbers are taken.
    numbers: u64,
    /// The numbers of folders that are to come.
    found: Vec<u64>,
    /// Why an entry could not be removed, the first time.
    failed: Option<Errno>,
}

impl<F: Fn() -> bool> Removal<'_, F> {
    /// Removes the folders that were found, and those that are found in them.
    fn rest(&mut self) -> io::Result<()> {
        while let Some(number) = self.found.pop() {
            let name = format!("{}{number}", self.moved);
            match open(self.top, Path::new(&name)).and_then(|folder| Ok(Dir::new(folder)?)) {
                Ok(entries) => self.empty(entries, false)?,
                Err(error) => self.fails(Errno::from_io_error(&error).unwrap_or(Errno::IO)),
            }
            if let Err(error) = unlinkat(self.top, &name, AtFlags::REMOVEDIR) {
                self.fails(error);
            }
        }
        Ok(())
    }

    /// Removes the files in a folder, and moves the folders in it to the top.
    fn empty(&mut self, mut folder: Dir, is_top: bool) -> io::Result<()> {
        // Entries may be passed over while others go: until a look brings nothing new.
        loop {
            let mut gone = false;
            while let Some(entry) = folder.read() {
                if !(self.may_go_on)() {
                    return Err(io::Error::other("there was no time left to remove all of it"));
                }
                let entry = entry?;
                let name = entry.file_name();
                let is_to_come = is_top && name.to_bytes().starts_with(self.moved.as_bytes());
                if name == c"." || name == c".." || is_to_come {
                    continue;
                }
                match self.remove(folder.fd()?, name, entry.file_type()) {
                    Ok(()) => gone = true,
                    Err(error) => self.fails(error),
                }
            }
            if !gone {
                return Ok(());
            }
            folder.rewind();
        }
    }

    fn remove(&mut self, folder: impl AsFd, name: &CStr, kind: FileType) -> Result<(), Errno> {
        if kind != FileType::Directory {
            match unlinkat(&folder, name, AtFlags::empty()) {
                // Some file systems do not say what is a folder.
                Err(Errno::ISDIR | Errno::PERM) if kind == FileType::Unknown => {}
                result => return result,
            }
        }
        if unlinkat(&folder, name, AtFlags::REMOVEDIR).is_ok() {
            return Ok(());
        }
        let new = format!("{}{}", self.moved, self.numbers);
        match renameat(&folder, name, self.top, &new) {
            // To move a folder elsewhere is to change what its `..` is.
            Err(Errno::ACCESS) => {
                chmodat(&folder, name, Mode::RWXU, AtFlags::empty())?;
                renameat(&folder, name, self.top, &new)?;
            }
            result => result?,
        }
        self.found.push(self.numbers);
        self.numbers += 1;
        Ok(())
    }

    fn fails(&mut self, error: Errno) {
        self.failed = self.failed.or(Some(error));
    }
}

/// Opens a folder, no link to one, so that what is in it can be removed.
fn open(at: impl AsFd, folder: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = match openat(&at, folder, flags, Mode::empty()) {
        Err(Errno::ACCESS) => {
            chmodat(&at, folder, Mode::RWXU, AtFlags::empty())?;
            openat(&at, folder, flags, Mode::empty())?
        }
        opened => opened?,
    };
    // Where it cannot be changed, what is in it may be removed all the same.
    _ = fchmod(&opened, Mode::RWXU);
    Ok(opened)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    /// Makes folders in each other, so many, and enters the last one: deeper than any path.
    fn nest(top: &Path, depth: usize) {
        let mut folder = open(CWD, top).unwrap();
        for _ in 0..depth {
            rustix::fs::mkdirat(&folder, "d", Mode::RWXU).unwrap();
            folder = open(&folder, Path::new("d")).unwrap();
        }
        openat(&folder, "leaf", OFlags::CREATE | OFlags::WRONLY, Mode::RWXU).unwrap();
    }

    #[test]
    fn whatever_is_in_it_goes_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let (folder, beside) = (place.path().join("scratch"), place.path().join("beside"));
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
    fn it_is_given_up_when_time_is_over() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("scratch");
        fs::create_dir(&folder).unwrap();
        nest(&folder, 50);
        let steps = std::cell::Cell::new(0);
        let few = || steps.replace(steps.get() + 1) < 20;
        assert!(remove(&folder, few).unwrap_err().to_string().contains("no time left"));
        assert!(folder.exists());
        remove(&folder, || true).unwrap();
        assert!(!folder.exists());
    }
}

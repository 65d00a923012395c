//! What all rows work with.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::peers::Peers;
use crate::settings::Settings;
use crate::transfer;

/// Settings, peers and a folder for everything that is made. What is in it is warm: it has
/// just been written, or was read in the round before.
pub struct Bench {
    pub settings: Settings,
    pub peers: Peers,
    folder: TempDir,
}

impl Bench {
    pub fn new(settings: Settings) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("home")).expect("a folder");
        Self { settings, peers: Peers::find(), folder }
    }

    /// A new folder, deleted with what is in it when it is dropped.
    pub fn folder(&self) -> TempDir {
        TempDir::new_in(self.folder.path()).expect("a folder")
    }

    /// A program in an environment with nothing but a search path and a home without
    /// settings of anybody's.
    pub fn program(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path().join("home"))
            .current_dir(self.folder.path());
        command
    }

    /// The worker's own storage, as a program.
    pub fn transfer(&self) -> Command {
        let mut command = self.program(std::env::current_exe().expect("a path of this program"));
        command.arg(transfer::WORD);
        command
    }
}

/// A file that is made once: the same for every contender.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    files.sort();
    files
}

/// How many bytes the files in a folder have, and how many files they are.
pub fn content(folder: &Path) -> (usize, u64) {
    let sizes = files(folder).into_iter().map(|file| file.metadata().expect("a file").len());
    sizes.fold((0, 0), |(count, bytes), size| (count + 1, bytes + size))
}

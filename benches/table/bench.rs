//! What all rows share.

use std::ffi::OsStr;
use std::process::Command;

use tempfile::TempDir;

use crate::peers::Peers;
use crate::settings::Settings;
use crate::transfer;

/// Settings, programs to compare with, and a folder for all files. Its files are in the page
/// cache: they have just been written, or were read in the previous round.
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

    /// Creates a folder that is deleted with its content when dropped.
    pub fn folder(&self) -> TempDir {
        TempDir::new_in(self.folder.path()).expect("a folder")
    }

    /// Starts a command line whose environment is only `PATH` and an empty `HOME`, so that no
    /// program reads settings of the user.
    pub fn program(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path().join("home"))
            .current_dir(self.folder.path());
        command
    }

    /// The worker's own storage as a program: see [`transfer`].
    pub fn transfer(&self) -> Command {
        let mut command = self.program(std::env::current_exe().expect("a path of this program"));
        command.arg(transfer::WORD);
        command
    }
}

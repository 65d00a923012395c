//! The sandbox: a child can read what it needs and write where it should, but cannot reach the
//! network or other processes.
//!
//! A .blend file can contain programs by its author, and FFmpeg decodes the images that these
//! make. The sandbox uses two kernel features that need no privileges: `files` (Landlock) and
//! `calls` (seccomp). Both apply to one thread and everything that it starts, and cannot be
//! undone. So each child is started by its own thread, which restricts itself first. No code runs
//! between fork and exec for this, and an error is an ordinary error of that thread.
//!
//! `PR_SET_DUMPABLE` ([`undumpable`](crate::process::startup::undumpable)) protects the worker's
//! memory from children without Landlock, and with `--sandbox off`.

mod calls;
mod files;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::thread::{
    CapabilitySet, capabilities, clear_ambient_capability_set, remove_capability_from_bounding_set,
    set_capabilities,
};

use thiserror::Error;

use crate::request::{Confinement, SandboxMode};

/// The sandbox that this system supports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sandbox {
    mode: SandboxMode,
    /// The version of Landlock's interface, or why Landlock is not available.
    landlock: Result<i32, String>,
    /// Why seccomp is not available.
    seccomp: Result<(), String>,
}

/// A sandbox is required, but this system does not support all of it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("--sandbox (SANDBOX) require: this system cannot sandbox programs: {0}")]
pub struct NoSandbox(String);

impl Sandbox {
    /// Detects what this system supports, by restricting a thread that does nothing else.
    pub fn detect(mode: SandboxMode) -> Self {
        if mode == SandboxMode::Off {
            let off = "--sandbox off".to_owned();
            return Self { mode, landlock: Err(off.clone()), seccomp: Err(off) };
        }
        let tried = std::thread::spawn(|| {
            let landlock =
                files::restrict_thread(&SandboxPolicy::default()).map_err(|e| e.to_string());
            let seccomp = calls::restrict_thread_unwatched().map_err(|e| e.to_string());
            (landlock, seccomp)
        });
        let (landlock, seccomp) = tried.join().unwrap_or_else(|_| {
            let panicked = "the attempt panicked".to_owned();
            (Err(panicked.clone()), Err(panicked))
        });
        Self { mode, landlock, seccomp }
    }

    /// Checks that the sandbox is complete if the user requires it.
    ///
    /// # Errors
    /// With `--sandbox require`, if Landlock or seccomp is not available.
    pub fn ensure_required(&self) -> Result<(), NoSandbox> {
        match (self.mode, &self.landlock, &self.seccomp) {
            (SandboxMode::Require, Err(why), _) => Err(NoSandbox(format!("no Landlock ({why})"))),
            (SandboxMode::Require, _, Err(why)) => Err(NoSandbox(format!("no seccomp ({why})"))),
            (SandboxMode::Require | SandboxMode::Auto | SandboxMode::Off, _, _) => Ok(()),
        }
    }

    /// Whether a sandbox is wanted but Landlock or seccomp is not available.
    pub fn is_incomplete(&self) -> bool {
        self.mode != SandboxMode::Off && (self.landlock.is_err() || self.seccomp.is_err())
    }

    /// Whether Landlock restricts which files children can open.
    pub fn restricts_files(&self) -> bool {
        self.landlock.is_ok()
    }

    /// Removes the folders that children cannot read from their `PATH`.
    ///
    /// Blender's Python takes its home from a Python of the same version in `PATH`, and fails if
    /// it can see that folder but not read it.
    #[must_use]
    pub fn confine(&self, mut confinement: Confinement) -> Confinement {
        if !self.restricts_files() {
            return confinement;
        }
        let readable = &confinement.readable;
        let is_readable = |folder: &&str| {
            let folder = Path::new(folder);
            let below = |path: &Path| folder.starts_with(path);
            files::SOFTWARE.iter().any(|path| below(path.as_ref()))
                || readable.iter().any(|path| below(path))
        };
        for (name, value) in &mut confinement.environment {
            if name == "PATH" {
                *value = value.split(':').filter(is_readable).collect::<Vec<_>>().join(":");
            }
        }
        confinement
    }

    /// Restricts the calling thread permanently. It can then start `program`.
    pub(crate) fn restrict_thread(&self, policy: &SandboxPolicy, program: &str) -> io::Result<()> {
        if self.mode == SandboxMode::Off {
            return Ok(());
        }
        give_up_capabilities();
        if self.landlock.is_ok() {
            files::restrict_thread(policy)?;
        }
        // Last, because seccomp also denies the system calls of Landlock.
        if self.seccomp.is_ok() { calls::restrict_thread(program) } else { Ok(()) }
    }
}

impl fmt::Display for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.mode, &self.landlock, &self.seccomp) {
            (SandboxMode::Off, _, _) => f.write_str("no sandbox: --sandbox off"),
            (_, Ok(abi), Ok(())) => write!(f, "sandbox: Landlock ABI {abi} and seccomp"),
            (_, Ok(abi), Err(why)) => write!(f, "sandbox: Landlock ABI {abi}, no seccomp ({why})"),
            (_, Err(why), Ok(())) => write!(f, "sandbox: seccomp, no Landlock ({why})"),
            (_, Err(files), Err(calls)) => {
                write!(f, "no sandbox: no Landlock ({files}), no seccomp ({calls})")
            }
        }
    }
}

/// The files that one child can access besides the system's programs and libraries. Paths that do
/// not exist are skipped.
#[derive(Clone, Debug, Default)]
pub struct SandboxPolicy {
    /// Files and folders that the child can read and execute.
    pub run: Vec<PathBuf>,
    /// Files and folders that it can read.
    pub read: Vec<PathBuf>,
    /// Folders that it can list, without reading the files in them.
    pub list: Vec<PathBuf>,
    /// Folders that it can read and write.
    pub write: Vec<PathBuf>,
}

/// Drops capabilities. A child of root keeps only root's powers over files: no raw devices, no
/// kernel memory, no other processes. A child of another user has no capabilities at all, even if
/// the worker's are inheritable.
fn give_up_capabilities() {
    let files = CapabilitySet::CHOWN
        | CapabilitySet::DAC_OVERRIDE
        | CapabilitySet::DAC_READ_SEARCH
        | CapabilitySet::FOWNER
        | CapabilitySet::FSETID;
    for capability in CapabilitySet::all().difference(files).iter() {
        // A thread that may not do this has no capability that a child could get.
        _ = remove_capability_from_bounding_set(capability);
    }
    // Programs of other users than root also get ambient and inheritable capabilities.
    _ = clear_ambient_capability_set();
    if let Ok(mut sets) = capabilities(None) {
        sets.inheritable = CapabilitySet::empty();
        _ = set_capabilities(None, sets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sandbox(mode: SandboxMode, landlock: bool, seccomp: bool) -> Sandbox {
        let no = || "no such call".to_owned();
        Sandbox {
            mode,
            landlock: if landlock { Ok(7) } else { Err(no()) },
            seccomp: if seccomp { Ok(()) } else { Err(no()) },
        }
    }

    #[test]
    fn an_incomplete_sandbox_is_an_error_only_if_required() {
        for (landlock, seccomp) in [(true, true), (true, false), (false, true), (false, false)] {
            let complete = landlock && seccomp;
            let required = sandbox(SandboxMode::Require, landlock, seccomp);
            assert_eq!(required.ensure_required().is_ok(), complete);
            assert_eq!(sandbox(SandboxMode::Auto, landlock, seccomp).is_incomplete(), !complete);
            for mode in [SandboxMode::Auto, SandboxMode::Off] {
                assert_eq!(sandbox(mode, landlock, seccomp).ensure_required(), Ok(()));
            }
        }
    }

    #[test]
    fn unreadable_folders_are_removed_from_the_search_path() {
        let search_path = |landlock| {
            let confinement = Confinement {
                passed: vec![],
                environment: vec![(
                    "PATH".to_owned(),
                    "/root/py/bin:/usr/bin:bin:/srv/x/bin".to_owned(),
                )],
                readable: vec![PathBuf::from("/srv/x")],
                sandbox: SandboxMode::Auto,
            };
            let confined = sandbox(SandboxMode::Auto, landlock, true).confine(confinement);
            confined.environment[0].1.clone()
        };
        assert_eq!(search_path(true), "/usr/bin:/srv/x/bin");
        assert_eq!(search_path(false), "/root/py/bin:/usr/bin:bin:/srv/x/bin");
    }

    #[test]
    fn the_description_names_what_is_in_force_and_why_the_rest_is_not() {
        let text = |mode, landlock, seccomp| sandbox(mode, landlock, seccomp).to_string();
        let auto = SandboxMode::Auto;
        assert_eq!(text(auto, true, true), "sandbox: Landlock ABI 7 and seccomp");
        assert_eq!(text(auto, false, true), "sandbox: seccomp, no Landlock (no such call)");
        assert_eq!(text(auto, true, false), "sandbox: Landlock ABI 7, no seccomp (no such call)");
        let none = "no sandbox: no Landlock (no such call), no seccomp (no such call)";
        assert_eq!(text(auto, false, false), none);
        assert_eq!(Sandbox::detect(SandboxMode::Off).to_string(), "no sandbox: --sandbox off");
        let required = sandbox(SandboxMode::Require, false, true).ensure_required().unwrap_err();
        assert!(required.to_string().contains("no Landlock (no such call)"), "{required}");
    }
}

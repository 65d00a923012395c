//! Locking a child in: it reads what it needs, writes where it should, and reaches no
//! network and no other process.
//!
//! A .blend is a program of whoever made it, and FFmpeg decodes what that program drew.
//! Two policy of the kernel, neither of which needs a right to be put up: `files`
//! (Landlock) and `calls` (seccomp). Both hold for a thread and for everything that it
//! starts, and cannot be taken down again. So each child is started by a thread that
//! locks itself in first and then ends: there is no code between fork and exec, and an
//! error on the way is an ordinary error here.
//!
//! `PR_SET_DUMPABLE` ([`undumpable`](crate::process::startup::undumpable)) closes the worker's memory to children
//! where there is no Landlock, and where `--sandbox off` was given.

mod calls;
mod files;

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::thread::{
    CapabilitySet, capabilities, clear_ambient_capability_set, remove_capability_from_bounding_set,
    set_capabilities,
};

use crate::request::{Confinement, SandboxMode};

/// Which policy are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sandbox {
    mode: SandboxMode,
    /// The version of Landlock's interface, or why there is none.
    landlock: Result<i32, String>,
    seccomp: Result<(), String>,
}

/// A child that must be locked in cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoSandbox(String);

impl fmt::Display for NoSandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--sandbox (SANDBOX) require: this system cannot lock programs in: {}", self.0)
    }
}

impl Error for NoSandbox {}

impl Sandbox {
    /// Finds out what this system can do: a thread that does nothing else locks itself in.
    pub fn detect(mode: SandboxMode) -> Self {
        if mode == SandboxMode::Off {
            let off = "--sandbox off".to_owned();
            return Self { mode, landlock: Err(off.clone()), seccomp: Err(off) };
        }
        let tried = std::thread::spawn(|| {
            let landlock =
                files::lock_in(&SandboxPolicy::default()).map_err(|error| error.to_string());
            let seccomp = calls::lock_in_unwatched().map_err(|error| error.to_string());
            (landlock, seccomp)
        });
        let (landlock, seccomp) = tried.join().unwrap_or_else(|_| {
            let panicked = "the attempt panicked".to_owned();
            (Err(panicked.clone()), Err(panicked))
        });
        Self { mode, landlock, seccomp }
    }

    /// Whether what was asked for is there.
    ///
    /// # Errors
    /// If it was required and is not.
    pub fn suffices(&self) -> Result<(), NoSandbox> {
        match (self.mode, &self.landlock, &self.seccomp) {
            (SandboxMode::Require, Err(why), _) => Err(NoSandbox(format!("no Landlock ({why})"))),
            (SandboxMode::Require, _, Err(why)) => Err(NoSandbox(format!("no seccomp ({why})"))),
            (SandboxMode::Require | SandboxMode::Auto | SandboxMode::Off, _, _) => Ok(()),
        }
    }

    /// Whether there is no wall where some were wanted, or not every one.
    pub fn is_incomplete(&self) -> bool {
        self.mode != SandboxMode::Off && (self.landlock.is_err() || self.seccomp.is_err())
    }

    /// Whether files are out of reach.
    pub fn has_files(&self) -> bool {
        self.landlock.is_ok()
    }

    /// What children are given where they are locked in: of `PATH` only what they can read.
    /// Python, which is in Blender, takes for its home the place where `PATH` has a Python of
    /// the same version, and fails if it may look but not read there.
    #[must_use]
    pub fn confine(&self, mut confinement: Confinement) -> Confinement {
        if !self.has_files() {
            return confinement;
        }
        let readable = &confinement.readable;
        let can_be_read = |folder: &&str| {
            let folder = Path::new(folder);
            let below = |path: &Path| folder.starts_with(path);
            files::SOFTWARE.iter().any(|path| below(path.as_ref()))
                || readable.iter().any(|path| below(path))
        };
        for (name, value) in &mut confinement.environment {
            if name == "PATH" {
                *value = value.split(':').filter(can_be_read).collect::<Vec<_>>().join(":");
            }
        }
        confinement
    }

    /// Locks the calling thread in, for good, to start `program`.
    pub(crate) fn lock_in(&self, policy: &SandboxPolicy, program: &str) -> io::Result<()> {
        if self.mode == SandboxMode::Off {
            return Ok(());
        }
        give_up_capabilities();
        if self.landlock.is_ok() {
            files::lock_in(policy)?;
        }
        // Last: it also denies what Landlock is put up with.
        if self.seccomp.is_ok() { calls::lock_in(program) } else { Ok(()) }
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

/// What one child may reach beside the system's programs and libraries. Paths that are
/// not there are passed over.
#[derive(Clone, Debug, Default)]
pub struct SandboxPolicy {
    /// Files and folders that it may read and execute.
    pub run: Vec<PathBuf>,
    /// Files and folders that it may read.
    pub read: Vec<PathBuf>,
    /// Folders whose names it may list, but not what lies in them.
    pub list: Vec<PathBuf>,
    /// Folders that it may read and write.
    pub write: Vec<PathBuf>,
}

/// A child of root has root's powers over files and nothing else: no raw devices, no
/// kernel memory, no other process. A child of another user has none, whatever the worker
/// was given to hand on.
fn give_up_capabilities() {
    let files = CapabilitySet::CHOWN
        | CapabilitySet::DAC_OVERRIDE
        | CapabilitySet::DAC_READ_SEARCH
        | CapabilitySet::FOWNER
        | CapabilitySet::FSETID;
    for capability in CapabilitySet::all().difference(files).iter() {
        // Who may not give them up has none that a child could get.
        _ = remove_capability_from_bounding_set(capability);
    }
    // What is ambient or inheritable passes to programs that are not even root's.
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
    fn only_what_is_required_must_be_there() {
        for (landlock, seccomp) in [(true, true), (true, false), (false, true), (false, false)] {
            let all = landlock && seccomp;
            assert_eq!(sandbox(SandboxMode::Require, landlock, seccomp).suffices().is_ok(), all);
            assert_eq!(sandbox(SandboxMode::Auto, landlock, seccomp).is_incomplete(), !all);
            for mode in [SandboxMode::Auto, SandboxMode::Off] {
                assert_eq!(sandbox(mode, landlock, seccomp).suffices(), Ok(()));
            }
        }
    }

    #[test]
    fn of_the_search_path_only_what_can_be_read_is_left() {
        let confined = |landlock| {
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
        assert_eq!(confined(true), "/usr/bin:/srv/x/bin");
        assert_eq!(confined(false), "/root/py/bin:/usr/bin:bin:/srv/x/bin");
    }

    #[test]
    fn what_is_in_force_is_said_and_why_something_is_not() {
        let text = |mode, landlock, seccomp| sandbox(mode, landlock, seccomp).to_string();
        let auto = SandboxMode::Auto;
        assert_eq!(text(auto, true, true), "sandbox: Landlock ABI 7 and seccomp");
        assert_eq!(text(auto, false, true), "sandbox: seccomp, no Landlock (no such call)");
        assert_eq!(text(auto, true, false), "sandbox: Landlock ABI 7, no seccomp (no such call)");
        let none = "no sandbox: no Landlock (no such call), no seccomp (no such call)";
        assert_eq!(text(auto, false, false), none);
        assert_eq!(Sandbox::detect(SandboxMode::Off).to_string(), "no sandbox: --sandbox off");
        let required = sandbox(SandboxMode::Require, false, true).suffices().unwrap_err();
        assert!(required.to_string().contains("no Landlock (no such call)"), "{required}");
    }
}

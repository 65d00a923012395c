//! Starts the program of a child.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;

use nix::errno::Errno;
use thiserror::Error;
use tokio::process::Child;
use tokio::runtime::Handle;

use crate::process::sandbox::{Sandbox, SandboxPolicy};
use crate::process::system;

/// A program cannot be started.
#[derive(Debug, Error)]
#[error("cannot start {}{}", program.display(), hint(*restricted, source))]
pub struct SpawnError {
    pub(super) program: PathBuf,
    pub(super) source: io::Error,
    /// Whether the sandbox restricts which files the program can open.
    pub(super) restricted: bool,
}

/// The advice for a program that may lack access to its interpreter, or to the file that it is a
/// link to.
fn hint(restricted: bool, error: &io::Error) -> &'static str {
    if restricted && error.kind() == io::ErrorKind::PermissionDenied {
        " (it may need files that the sandbox does not let it read: --allow-read)"
    } else {
        ""
    }
}

/// Keeps alive the thread that started a child. The thread ends when this is dropped, or when the
/// worker is killed. The kernel then kills the child if it is still running.
pub(super) type Launcher = mpsc::Sender<Infallible>;

/// Starts a program in a new thread that restricts itself first. Only this thread and the child
/// are restricted (see [`sandbox`](crate::process::sandbox)).
pub(super) fn spawn(
    mut command: Command,
    sandbox: Sandbox,
    policy: SandboxPolicy,
) -> io::Result<(Child, Launcher)> {
    let runtime = Handle::current();
    let (result, started) = mpsc::channel();
    let (launcher, until_dropped) = mpsc::channel();
    check_format(Path::new(command.get_program()))?;
    system::kill_with_this_thread(&mut command);
    let name = Path::new(command.get_program()).file_name().unwrap_or_default();
    let name = name.to_string_lossy().into_owned();
    std::thread::Builder::new().name("launch".to_owned()).spawn(move || {
        let child = {
            let _guard = runtime.enter();
            sandbox
                .restrict_thread(&policy, &name)
                .and_then(|()| tokio::process::Command::from(command).kill_on_drop(true).spawn())
        };
        // Cannot fail: the receiver waits below.
        _ = result.send(child);
        _ = until_dropped.recv();
    })?;
    // Blocks for a few milliseconds.
    let child = started
        .recv()
        .unwrap_or_else(|_| Err(io::Error::other("the thread that starts it panicked")))?;
    Ok((child, launcher))
}

/// Checks that a file is a program or a script.
///
/// [`system::kill_with_this_thread`] makes the standard library use `execvp`, which runs a file in
/// a shell if the kernel does not know its format (`exec(3)`). For any other file, a shell would
/// only report confusing errors.
///
/// # Errors
/// ENOEXEC, which the kernel would report, if the file is neither. A file that cannot be read
/// passes: it may still be executable.
fn check_format(path: &Path) -> io::Result<()> {
    let mut start = [0; 4];
    match File::open(path).and_then(|mut file| file.read(&mut start)) {
        Ok(_) if start != *b"\x7fELF" && !start.starts_with(b"#!") => Err(Errno::ENOEXEC.into()),
        Ok(_) | Err(_) => Ok(()),
    }
}

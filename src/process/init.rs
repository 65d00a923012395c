//! PID 1: start the worker, forward signals to it, reap orphans, pass on its end.
//!
//! In a container without `--init` the ENTRYPOINT is PID 1. The kernel applies no
//! default action to PID 1 and hands it every orphan (`pid_namespaces(7)`). A
//! program that also waits for children of its own would either leave zombies or
//! steal its own children's statuses, so PID 1 is a process of its own that does
//! nothing else; the worker is this same executable, started by it.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid};

/// Whether this process is PID 1 of its PID namespace.
pub fn is_init() -> bool {
    getpid() == Pid::from_raw(1)
}

/// Runs this executable again with the same arguments as a child and serves it as
/// init until it ends. The exit code is the worker's, or 128 + the signal that
/// ended it.
///
/// # Errors
/// If the executable cannot be found or started again (no `/proc`), in which case
/// nothing has happened yet.
pub fn run(args: impl IntoIterator<Item = OsString>) -> io::Result<ExitCode> {
    let mut args = args.into_iter();
    let mut command = Command::new(std::env::current_exe()?);
    // Blocked, signals wait for sigwait() and cannot be lost between two calls.
    let all = SigSet::all();
    all.thread_block()?;
    if let Some(name) = args.next() {
        command.arg0(name);
    }
    // In a group of its own, ctrl-C on a terminal reaches the worker once, through
    // us, and not a second time from the terminal.
    let started = command.args(args).process_group(0).spawn();
    if started.is_err() {
        all.thread_unblock()?;
    }
    let worker = i32::try_from(started?.id()).map(Pid::from_raw).map_err(io::Error::other)?;

    loop {
        match all.wait() {
            Ok(Signal::SIGCHLD) => {
                if let Some(code) = reap(worker) {
                    return Ok(ExitCode::from(code));
                }
            }
            // The worker may have ended in between: its SIGCHLD comes next.
            Ok(signal) => _ = kill(worker, signal),
            // A real-time signal, which has no name here: nobody sends us one.
            Err(_) => {}
        }
    }
}

/// Reaps every child that has ended. Several SIGCHLD may have become one.
fn reap(worker: Pid) -> Option<u8> {
    let mut code = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, status)) if pid == worker => {
                code = u8::try_from(status).ok().or(Some(1));
            }
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == worker => {
                code = u8::try_from(128 + signal as i32).ok().or(Some(1));
            }
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return code,
            // An orphan, a stop or a continuation; or EINTR.
            Ok(_) | Err(_) => {}
        }
    }
}

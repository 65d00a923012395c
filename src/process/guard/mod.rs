//! The process above the worker: starts it, forwards signals to it, reaps orphans, passes on
//! its end, and leaves nothing of it alive.
//!
//! In a container without `--init` the ENTRYPOINT is PID 1. The kernel applies no
//! default action to PID 1 and hands it every orphan (`pid_namespaces(7)`). A
//! program that also waits for children of its own would either leave zombies or
//! steal its own children's statuses, so PID 1 is a process of its own that does
//! nothing else; the worker is this same executable, started by it.
//!
//! Elsewhere nobody ends Blender when the worker is killed by SIGKILL. So there is a guard
//! there as well. It adopts the orphans of the worker (see [`orphans`]) and ends them; and
//! when the guard itself is killed, the kernel tells the worker, which ends them then. What
//! Blender is, is killed by the kernel if both go at once
//! ([`supervisor`](super::supervisor)).

pub mod orphans;

use std::ffi::{CStr, OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use nix::libc::{self, c_int};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{Pid, getpid, getppid};
use rustix::process::{WaitOptions, WaitStatus, wait};

use super::system;
use orphans::PreExisting;

/// The worker's first argument, with the id of its guard. Nobody else's business.
const GUARDED_BY: &str = "--guarded-by=";

/// What a guard is called in lists of processes, so that who kills workers by their name
/// leaves somebody to clean up.
const NAME: &CStr = c"worker-guard";

/// Whether this process is PID 1 of its PID namespace.
pub fn is_init() -> bool {
    getpid() == Pid::from_raw(1)
}

/// The signal that the worker gets when its guard is gone. No other program sends it.
pub(crate) fn loss() -> c_int {
    libc::SIGRTMAX()
}

/// A guard, as its worker knows it.
#[derive(Clone, Copy, Debug)]
pub struct Guard(Pid);

impl Guard {
    /// The guard of this process, if it was started by one, and the arguments without the one
    /// that says so. From now on `loss` is sent when the guard ends.
    pub fn of(args: impl IntoIterator<Item = OsString>) -> (Option<Self>, Vec<OsString>) {
        let mut args: Vec<_> = args.into_iter().collect();
        let id = args.get(1).and_then(|arg| arg.to_str()?.strip_prefix(GUARDED_BY)?.parse().ok());
        let Some(id) = id else { return (None, args) };
        args.remove(1);
        // Fails only for an invalid argument. Should the guard be gone already, the question
        // whether it is there is answered by its id.
        _ = system::on_parents_death(loss());
        (Some(Self(Pid::from_raw(id))), args)
    }

    /// Whether it is still there. It is our parent until it ends.
    pub fn is_there(self) -> bool {
        getppid() == self.0
    }
}

/// Runs this executable again with the same arguments as a child and guards it until it
/// ends. The exit code is the worker's, or 128 + the signal that ended it. Signals that are
/// `ignored` are not forwarded.
///
/// # Errors
/// If the executable cannot be found or started again (no `/proc`), in which case
/// nothing has happened yet.
pub fn run(args: &[OsString], ignored: &[Signal]) -> io::Result<ExitCode> {
    // Blocked, signals wait to be read and cannot be lost between two calls.
    let mut waiting = SigSet::all();
    for &signal in ignored {
        waiting.remove(signal);
    }
    let signals = SignalFd::with_flags(&waiting, SfdFlags::SFD_CLOEXEC)?;
    orphans::adopt();
    let pre_existing = PreExisting::now();
    waiting.thread_block()?;
    let started = start(args);
    if started.is_err() {
        waiting.thread_unblock()?;
    }
    let worker = started?;
    // Fails only for an invalid argument.
    _ = prctl::set_name(NAME);

    let code = loop {
        let Ok(Some(info)) = signals.read_signal() else { continue };
        let signal = c_int::try_from(info.ssi_signo).unwrap_or_default();
        if signal == libc::SIGCHLD {
            if let Some(code) = reap(worker) {
                break code;
            }
            continue;
        }
        // The worker may have ended in between: its SIGCHLD comes next.
        _ = system::kill(worker, signal);
        // From a terminal (ctrl-Z). The shell that asked waits for us to stand still, not for
        // the worker; and PID 1 cannot be stopped.
        if [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU].contains(&signal) {
            _ = raise(Signal::SIGSTOP);
        }
    };
    // When PID 1 ends, the kernel kills all there is.
    if !is_init() {
        orphans::end_all(&pre_existing);
    }
    Ok(ExitCode::from(code))
}

fn start(args: &[OsString]) -> io::Result<Pid> {
    let mut command = Command::new(std::env::current_exe()?);
    let mut args = args.iter().map(OsString::as_os_str);
    command.arg0(args.next().unwrap_or(OsStr::new(env!("CARGO_PKG_NAME"))));
    command.arg(format!("{GUARDED_BY}{}", getpid())).args(args);
    // In a group of its own, ctrl-C on a terminal reaches the worker once, through
    // us, and not a second time from the terminal.
    let worker = command.process_group(0).spawn()?;
    i32::try_from(worker.id()).map(Pid::from_raw).map_err(io::Error::other)
}

/// Reaps every child that has ended. Several SIGCHLD may have become one.
fn reap(worker: Pid) -> Option<u8> {
    let mut code = None;
    // No more than the orphans that have ended, and the worker; then there is none, or none
    // that has ended.
    while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
        if pid.as_raw_nonzero().get() == worker.as_raw() {
            code = Some(exit_code(status));
        }
    }
    code
}

/// As a shell has it.
fn exit_code(status: WaitStatus) -> u8 {
    let signal = status.terminating_signal().map(|signal| 128 + signal);
    status.exit_status().or(signal).and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_is_known_by_the_first_argument_alone() {
        let of = |words: &[&str]| {
            let (guard, args) = Guard::of(words.iter().map(OsString::from));
            (guard.map(|guard| guard.0.as_raw()), args.len())
        };
        assert_eq!(of(&["render-worker", "--guarded-by=17", "render"]), (Some(17), 2));
        for other in [&["render-worker", "render", "--guarded-by=17"][..], &["render-worker"], &[]]
        {
            assert_eq!(of(other), (None, other.len()));
        }
        let us = Guard(getppid());
        assert!(us.is_there() && !Guard(getpid()).is_there());
    }
}

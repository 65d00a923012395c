//! The guard: the parent process of the worker. It starts the worker, forwards signals to it,
//! reaps orphans, exits with the worker's exit code, and leaves no descendant alive.
//!
//! In a container without `--init` the ENTRYPOINT is PID 1. The kernel applies no default
//! action to signals of PID 1, and makes it the parent of every orphan (`pid_namespaces(7)`). If
//! that process also waited for children of its own, it would either leave zombies or steal the
//! exit statuses of its own children. So PID 1 is a separate process that does nothing else, and
//! starts the same executable again as the worker.
//!
//! Elsewhere nothing would end Blender when the worker dies of SIGKILL, so there is a guard as
//! well. It adopts the worker's orphans (see [`orphans`]) and kills them. If the guard itself is
//! killed, the kernel notifies the worker, which then kills its descendants. If both die at once,
//! the kernel kills Blender ([`supervisor`](super::supervisor)).

pub mod children;
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

/// The worker's first argument, with the process id of its guard. Internal: users never pass it.
const GUARDED_BY: &str = "--guarded-by=";

/// Makes the C library of the worker keep freed memory for all threads together instead of for each.
/// Pictures are decoded on many threads, and freed on others: without previews, `stitch` of 500 frames of
/// 640x360 takes 27 MiB instead of 47. Blender and FFmpeg do not get this variable, unlike
/// `MALLOC_ARENA_MAX`, which a user may set for them.
const ONE_ARENA: (&str, &str) = ("GLIBC_TUNABLES", "glibc.malloc.arena_max=1");

/// The guard's name in process lists. It differs from the worker's: killing all workers by name
/// leaves the guards alive to clean up.
const NAME: &CStr = c"worker-guard";

/// Whether this process is PID 1 of its PID namespace.
pub fn is_init() -> bool {
    getpid() == Pid::from_raw(1)
}

/// The signal that the kernel sends to the worker when its guard dies. No other program uses it.
pub(crate) fn loss_signal() -> c_int {
    libc::SIGRTMAX()
}

/// The worker's view of its guard.
#[derive(Clone, Copy, Debug)]
pub struct Guard(Pid);

impl Guard {
    /// Returns the guard that started this process, if any, and the arguments without the internal
    /// one. From now on the kernel sends its loss signal when the guard ends.
    pub fn from_args(args: impl IntoIterator<Item = OsString>) -> (Option<Self>, Vec<OsString>) {
        let mut args: Vec<_> = args.into_iter().collect();
        let id = args.get(1).and_then(|arg| arg.to_str()?.strip_prefix(GUARDED_BY)?.parse().ok());
        let Some(id) = id else { return (None, args) };
        args.remove(1);
        // Fails only for an invalid argument. If the guard has already ended, no signal comes, but
        // `is_alive` notices.
        _ = system::set_parent_death_signal(loss_signal());
        (Some(Self(Pid::from_raw(id))), args)
    }

    /// Whether the guard is still running. It is our parent until it ends.
    pub fn is_alive(self) -> bool {
        getppid() == self.0
    }
}

/// Starts this executable again as the worker, with the same arguments, and guards it until it
/// ends. Returns the worker's exit code, or 128 + the number of the signal that killed it.
/// `ignored` signals are not forwarded.
///
/// # Errors
/// If this executable cannot be found or started again (no `/proc`). No worker is running then,
/// and the caller may do the work itself.
pub fn run(args: &[OsString], ignored: &[Signal]) -> io::Result<ExitCode> {
    // Blocked signals stay pending until they are read: none is lost between two reads.
    let mut blocked = SigSet::all();
    for &signal in ignored {
        blocked.remove(signal);
    }
    let signals = SignalFd::with_flags(&blocked, SfdFlags::SFD_CLOEXEC)?;
    orphans::adopt();
    let pre_existing = PreExisting::now();
    blocked.thread_block()?;
    let started = start(args);
    if started.is_err() {
        blocked.thread_unblock()?;
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
        // Fails if the worker has just ended: its SIGCHLD comes next.
        _ = system::kill(worker, signal);
        // Job control of a terminal (ctrl-Z): the shell waits for the guard to stop, not for the
        // worker. PID 1 cannot be stopped.
        if [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU].contains(&signal) {
            _ = raise(Signal::SIGSTOP);
        }
    };
    // When PID 1 ends, the kernel kills every process in its namespace.
    if !is_init() {
        orphans::kill_all(&pre_existing);
    }
    Ok(ExitCode::from(code))
}

fn start(args: &[OsString]) -> io::Result<Pid> {
    let mut command = Command::new(std::env::current_exe()?);
    let mut args = args.iter().map(OsString::as_os_str);
    command.arg0(args.next().unwrap_or(OsStr::new(env!("CARGO_PKG_NAME"))));
    command.arg(format!("{GUARDED_BY}{}", getpid())).args(args);
    let (variable, one_arena) = ONE_ARENA;
    #[expect(
        clippy::disallowed_methods,
        reason = "it is the C library's setting, not the worker's"
    )]
    let is_set = std::env::var_os(variable).is_some();
    if !is_set {
        command.env(variable, one_arena);
    }
    // In a process group of its own, the worker gets ctrl-C once, from the guard, and not a second
    // time from the terminal.
    let worker = command.process_group(0).spawn()?;
    i32::try_from(worker.id()).map(Pid::from_raw).map_err(io::Error::other)
}

/// Reaps every child that has ended: several SIGCHLD may have been merged into one. Returns the
/// worker's exit code if it was among them.
fn reap(worker: Pid) -> Option<u8> {
    let mut code = None;
    while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
        if pid.as_raw_nonzero().get() == worker.as_raw() {
            code = Some(exit_code(status));
        }
    }
    code
}

/// The exit code that a shell would report.
fn exit_code(status: WaitStatus) -> u8 {
    let signal = status.terminating_signal().map(|signal| 128 + signal);
    status.exit_status().or(signal).and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_argument_can_name_a_guard() {
        let parse = |args: &[&str]| {
            let (guard, args) = Guard::from_args(args.iter().map(OsString::from));
            (guard.map(|guard| guard.0.as_raw()), args.len())
        };
        assert_eq!(parse(&["render-worker", "--guarded-by=17", "render"]), (Some(17), 2));
        for other in [&["render-worker", "render", "--guarded-by=17"][..], &["render-worker"], &[]]
        {
            assert_eq!(parse(other), (None, other.len()));
        }
        assert!(Guard(getppid()).is_alive() && !Guard(getpid()).is_alive());
    }
}

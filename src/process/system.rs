//! System calls without a safe wrapper in any crate. Each one is wrapped once, with the reason
//! why it is safe.

#![expect(unsafe_code, reason = "system calls that no crate wraps")]

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::errno::Errno;
use nix::libc::{self, c_int, c_long, c_ulong};
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::{Pid, getpid, getppid};
use seccompiler::sock_filter;

/// Sends a signal by number: [`Signal`] has no names for real-time signals.
pub(crate) fn kill(process: Pid, signal: c_int) -> io::Result<()> {
    // SAFETY: takes two numbers.
    Errno::result(unsafe { libc::kill(process.as_raw(), signal) }).map(drop).map_err(Into::into)
}

/// Ignores a signal or restores its default action. Returns whether it was ignored before, or
/// `None` for signals whose action cannot be set.
///
/// Must run before handlers exist.
pub(crate) fn set_action(which: Signal, ignored: bool) -> Option<bool> {
    let action = if ignored { SigHandler::SigIgn } else { SigHandler::SigDfl };
    // SAFETY: neither action runs code of this program, and no handler is installed yet.
    let before = unsafe { signal(which, action) }.ok()?;
    Some(matches!(before, SigHandler::SigIgn))
}

/// Sets the signal that the kernel sends to this process when the thread that started it ends
/// (`PR_SET_PDEATHSIG` in `prctl(2)`).
pub(crate) fn set_parent_death_signal(signal: c_int) -> io::Result<()> {
    let signal = c_ulong::from(signal.unsigned_abs());
    // SAFETY: takes two numbers.
    let result = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal, 0, 0, 0) };
    Errno::result(result).map(drop).map_err(Into::into)
}

/// Makes the kernel kill the child when the calling thread ends.
pub(crate) fn kill_with_this_thread(command: &mut Command) {
    let us = getpid();
    let before_exec = move || {
        set_parent_death_signal(libc::SIGKILL)?;
        // The parent may have ended before the signal was set.
        if getppid() == us { Ok(()) } else { Err(Errno::ESRCH.into()) }
    };
    // SAFETY: two system calls, which are allowed after a fork in a program with threads;
    // nothing is allocated and no lock is taken.
    unsafe { command.pre_exec(before_exec) };
}

/// A child that has ended and has not been waited for. It stays a zombie.
///
/// `waitid` of nix fails for a child that a real-time signal killed.
pub(crate) fn ended_child() -> Option<Pid> {
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: all zeros is a valid `siginfo_t`.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: `info` is a local variable that the call may write to.
    Errno::result(unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, flags) }).ok()?;
    // SAFETY: waitid() has filled in `info`, or left the zeros.
    let id = unsafe { info.si_pid() };
    (id != 0).then_some(Pid::from_raw(id))
}

/// Marks all descriptors from `first` on close-on-exec. Returns false if the kernel cannot do
/// this (Linux before 5.11).
pub(crate) fn close_on_exec_from(first: RawFd) -> bool {
    let flags = c_long::from(libc::CLOSE_RANGE_CLOEXEC);
    // SAFETY: takes three numbers, and closes nothing.
    unsafe { libc::syscall(libc::SYS_close_range, c_long::from(first), c_long::MAX, flags) == 0 }
}

/// Installs a seccomp filter for the calling thread and everything that it starts. The filter
/// cannot be removed.
///
/// With `listens`, returns the listener: the descriptor from which [`receive_call`] reads the
/// calls that the filter reports.
pub(crate) fn install_filter(
    program: &[sock_filter],
    listens: bool,
) -> io::Result<Option<OwnedFd>> {
    let flags = if listens { libc::SECCOMP_FILTER_FLAG_NEW_LISTENER } else { 0 };
    let filter = libc::sock_fprog {
        len: program.len().try_into().map_err(io::Error::other)?,
        filter: program.as_ptr().cast::<libc::sock_filter>().cast_mut(),
    };
    // SAFETY: takes numbers.
    Errno::result(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
    // SAFETY: the kernel checks and copies the filter, which outlives the call. Both types are
    // `struct sock_filter` in C layout.
    let result = Errno::result(unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const filter)
    })?;
    if !listens {
        return Ok(None);
    }
    let descriptor = RawFd::try_from(result).map_err(io::Error::other)?;
    // SAFETY: the kernel has just opened this descriptor for us.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(descriptor) }))
}

/// A system call that a filter reports (`seccomp_unotify(2)`). The calling thread waits for the
/// response.
#[derive(Debug)]
pub(crate) struct ReportedCall {
    id: u64,
    /// The number of the system call.
    pub number: c_int,
}

/// Receives the next call that this listener's filter reports.
pub(crate) fn receive_call(listener: &OwnedFd) -> io::Result<ReportedCall> {
    // SAFETY: all zeros is a valid `struct seccomp_notif`, and the kernel requires zeros.
    let mut call: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    let request = libc::SECCOMP_IOCTL_NOTIF_RECV;
    // SAFETY: the request writes one such structure, a local variable.
    Errno::result(unsafe { libc::ioctl(listener.as_raw_fd(), request, &raw mut call) })?;
    Ok(ReportedCall { id: call.id, number: call.data.nr })
}

/// Makes a reported call fail with `errno`.
pub(crate) fn fail_call(listener: &OwnedFd, call: &ReportedCall, errno: c_int) {
    let mut response = libc::seccomp_notif_resp { id: call.id, val: 0, error: -errno, flags: 0 };
    let request = libc::SECCOMP_IOCTL_NOTIF_SEND;
    // SAFETY: the request reads one such structure. A failure is ignored: the calling thread
    // has ended, and nothing waits for the response.
    _ = unsafe { libc::ioctl(listener.as_raw_fd(), request, &raw mut response) };
}

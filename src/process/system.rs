//! What the kernel offers and no crate has as a safe function: each call once, with why it
//! is safe.

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

/// Sends a signal by its number: real-time signals have no name in [`Signal`].
pub(crate) fn kill(process: Pid, signal: c_int) -> io::Result<()> {
    // SAFETY: takes two numbers.
    Errno::result(unsafe { libc::kill(process.as_raw(), signal) }).map(drop).map_err(Into::into)
}

/// Gives a signal its default action, or has it ignored; the result is whether it was ignored.
/// `None` for signals whose action cannot be set.
///
/// Must run before handlers exist.
pub(crate) fn set_action(which: Signal, ignored: bool) -> Option<bool> {
    let action = if ignored { SigHandler::SigIgn } else { SigHandler::SigDfl };
    // SAFETY: neither action runs code of ours, and no handler was installed yet that
    // anybody could rely on.
    let before = unsafe { signal(which, action) }.ok()?;
    Some(matches!(before, SigHandler::SigIgn))
}

/// Has this process get `signal` when the thread that started it ends
/// (`PR_SET_PDEATHSIG` in `prctl(2)`).
pub(crate) fn on_parents_death(signal: c_int) -> io::Result<()> {
    let signal = c_ulong::from(signal.unsigned_abs());
    // SAFETY: takes two numbers.
    let result = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal, 0, 0, 0) };
    Errno::result(result).map(drop).map_err(Into::into)
}

/// Has the kernel kill the child when the calling thread ends.
pub(crate) fn dies_with_this_thread(command: &mut Command) {
    let us = getpid();
    let before_exec = move || {
        on_parents_death(libc::SIGKILL)?;
        // It may have ended before that.
        if getppid() == us { Ok(()) } else { Err(Errno::ESRCH.into()) }
    };
    // SAFETY: two system calls, which is what may be done after a fork in a program with
    // threads; nothing is allocated and no lock is taken.
    unsafe { command.pre_exec(before_exec) };
}

/// A child that has ended and was not waited for yet, whatever ended it: nix knows no signal
/// without a name.
pub(crate) fn ended_child() -> Option<Pid> {
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: all zeros is a `siginfo_t`.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: `info` is ours to be written to.
    Errno::result(unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, flags) }).ok()?;
    // SAFETY: what waitid() has written, or the zeros where it had nothing to write.
    let id = unsafe { info.si_pid() };
    (id != 0).then_some(Pid::from_raw(id))
}

/// Has every descriptor from `first` on closed when a program is executed; false where the
/// kernel cannot (Linux before 5.11).
pub(crate) fn close_on_exec_from(first: RawFd) -> bool {
    let flags = c_long::from(libc::CLOSE_RANGE_CLOEXEC);
    // SAFETY: takes three numbers, and closes nothing.
    unsafe { libc::syscall(libc::SYS_close_range, c_long::from(first), c_long::MAX, flags) == 0 }
}

/// Puts up a filter of system calls for the calling thread and what it starts, for good.
/// With `listens`, the result is the descriptor at which calls that the filter hands over
/// are answered.
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
    // SAFETY: the kernel copies the filter, which outlives the call, and checks it. Both
    // types are `struct sock_filter`, laid out as C has it.
    let result = Errno::result(unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const filter)
    })?;
    if !listens {
        return Ok(None);
    }
    let descriptor = RawFd::try_from(result).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made it, for us.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(descriptor) }))
}

/// A call that a filter handed over.
#[derive(Debug)]
pub(crate) struct HandedOver {
    id: u64,
    /// Its number.
    pub number: c_int,
}

/// The next call that the filter of this listener hands over.
pub(crate) fn next_call(listener: &OwnedFd) -> io::Result<HandedOver> {
    // SAFETY: all zeros is a `struct seccomp_notif`, and what the kernel wants to be handed.
    let mut call: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    let request = libc::SECCOMP_IOCTL_NOTIF_RECV;
    // SAFETY: the request writes one such structure, which is ours.
    Errno::result(unsafe { libc::ioctl(listener.as_raw_fd(), request, &raw mut call) })?;
    Ok(HandedOver { id: call.id, number: call.data.nr })
}

/// Has it fail.
pub(crate) fn answer_call(listener: &OwnedFd, call: &HandedOver, errno: c_int) {
    let mut answer = libc::seccomp_notif_resp { id: call.id, val: 0, error: -errno, flags: 0 };
    let request = libc::SECCOMP_IOCTL_NOTIF_SEND;
    // SAFETY: the request reads one such structure. It fails if whoever made the call has
    // ended, and then nobody waits for an answer.
    _ = unsafe { libc::ioctl(listener.as_raw_fd(), request, &raw mut answer) };
}

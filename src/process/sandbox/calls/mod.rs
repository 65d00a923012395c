//! seccomp: which system calls a child can make.
//!
//! The filter is an allow-list ([`table`]): calls of future kernels are denied until they have been
//! reviewed. A call with the number of another architecture kills the child; see
//! [`restrict_thread`].

mod table;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc;

use nix::libc::{self, c_int, c_long};
use nix::unistd::{Pid, getpgid, getpid, getppid};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpArgLen::Qword,
    SeccompCmpOp as Op, SeccompCondition as Condition, SeccompFilter, SeccompRule, sock_filter,
};

use crate::process::system;
use table::{ALLOWED, PRETENDED, PRETENDED_OF_OTHERS};

/// Calls that always fail, with an error for which programs have a fallback. The flags of `clone3`
/// are in memory, which a filter cannot read; with ENOSYS, the C library uses `clone` instead.
/// `connect` fails as if no server was listening.
const REFUSED: [(c_long, c_int); 2] =
    [(libc::SYS_clone3, libc::ENOSYS), (libc::SYS_connect, libc::ECONNREFUSED)];

/// Denied `ioctl` requests. They insert input into the worker's terminal or redirect it
/// (`ioctl_tty(2)`), change attributes of files that are open only for reading
/// (`ioctl_iflags(2)`), or choose the process that gets a descriptor's signals.
const DENIED_IOCTLS: [u64; 11] = [
    0x5412,      // TIOCSTI
    0x541c,      // TIOCLINUX
    0x541d,      // TIOCCONS
    0x5423,      // TIOCSETD
    0x4008_6602, // FS_IOC_SETFLAGS
    0x4004_6602, // FS_IOC32_SETFLAGS
    0x4008_7602, // FS_IOC_SETVERSION
    0x4004_7602, // FS_IOC32_SETVERSION
    0x401c_5820, // FS_IOC_FSSETXATTR
    0x8901,      // FIOSETOWN
    0x8902,      // SIOCSPGRP
];

/// Allowed commands of `fcntl`: for a descriptor, its file and its locks. Not allowed are commands
/// for signals, which may go to any process, for leases, which make other processes wait, and for
/// directory notifications.
const ALLOWED_FCNTLS: [c_int; 25] = [
    libc::F_DUPFD,
    libc::F_GETFD,
    libc::F_SETFD,
    libc::F_GETFL,
    libc::F_SETFL,
    libc::F_GETLK,
    libc::F_SETLK,
    libc::F_SETLKW,
    libc::F_GETOWN,
    11, // F_GETSIG
    16, // F_GETOWN_EX
    libc::F_OFD_GETLK,
    libc::F_OFD_SETLK,
    libc::F_OFD_SETLKW,
    libc::F_GETLEASE,
    1027, // F_DUPFD_QUERY
    libc::F_DUPFD_CLOEXEC,
    libc::F_SETPIPE_SZ,
    libc::F_GETPIPE_SZ,
    libc::F_ADD_SEALS,
    libc::F_GET_SEALS,
    1035, // F_GET_RW_HINT
    1036, // F_SET_RW_HINT
    1037, // F_GET_FILE_RW_HINT
    1038, // F_SET_FILE_RW_HINT
];

/// Allowed options of `prctl`: those that affect only the calling thread or process.
const ALLOWED_PRCTLS: &[c_int] = &[
    libc::PR_GET_PDEATHSIG,
    libc::PR_GET_DUMPABLE,
    libc::PR_SET_DUMPABLE,
    libc::PR_SET_NAME,
    libc::PR_GET_NAME,
    libc::PR_GET_SECCOMP,
    libc::PR_CAPBSET_READ,
    libc::PR_GET_TIMERSLACK,
    libc::PR_SET_TIMERSLACK,
    libc::PR_SET_NO_NEW_PRIVS,
    libc::PR_GET_NO_NEW_PRIVS,
    libc::PR_GET_THP_DISABLE,
    libc::PR_SET_THP_DISABLE,
    52, // PR_GET_SPECULATION_CTRL
    libc::PR_SET_VMA,
    0x4155_5856, // PR_GET_AUXV
    #[cfg(target_arch = "aarch64")]
    51, // PR_SVE_GET_VL
    #[cfg(target_arch = "aarch64")]
    50, // PR_SVE_SET_VL
    #[cfg(target_arch = "aarch64")]
    libc::PR_PAC_RESET_KEYS,
    #[cfg(target_arch = "aarch64")]
    libc::PR_GET_TAGGED_ADDR_CTRL,
    #[cfg(target_arch = "aarch64")]
    libc::PR_SET_TAGGED_ADDR_CTRL,
];

/// Denied flags of `clone`: new namespaces, and children of the caller's parent.
const DENIED_CLONE_FLAGS: c_int = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_PARENT;

/// Allowed arguments of `personality`: 0xffffffff, which only queries, and 0, the default.
const ALLOWED_PERSONALITIES: [u64; 2] = [0xffff_ffff, 0];

/// Restricts the calling thread permanently. Denied calls of `program` are logged if the kernel
/// can report them (Linux 5.0), and no other filter of this thread reports to a listener already.
///
/// Calls with the number of another architecture (32-bit programs on x86-64) kill the child: the
/// filter cannot interpret them. Calls with the numbers of x32, which the kernel counts as x86-64,
/// fail with ENOSYS.
///
/// # Errors
/// If the kernel does not support seccomp filters, or refuses this one.
pub(crate) fn restrict_thread(program: &str) -> io::Result<()> {
    let (sender, listener) = mpsc::channel();
    let name = program.to_owned();
    let watch = move || watch::deny_calls(&name, &listener);
    let watched = std::thread::Builder::new().name("calls".to_owned()).spawn(watch);
    if watched.is_ok()
        && let Ok(Some(listener)) = system::install_filter(&filter(true)?, true)
    {
        // Fails only if the thread has panicked. Denied calls then fail with ENOSYS.
        _ = sender.send(listener);
        return Ok(());
    }
    tracing::debug!("system calls of {program} that the sandbox denies cannot be logged");
    restrict_thread_unwatched()
}

/// Like [`restrict_thread`], but does not log denied calls.
///
/// # Errors
/// If the kernel does not support seccomp filters, or refuses this one.
pub(crate) fn restrict_thread_unwatched() -> io::Result<()> {
    system::install_filter(&filter(false)?, false).map(drop)
}

/// Builds the filter. A call on no list is reported to the listener if `watched`, and fails with
/// EPERM otherwise.
fn filter(watched: bool) -> io::Result<BpfProgram> {
    let architecture = std::env::consts::ARCH.try_into().map_err(io::Error::other)?;
    let rules = rules().map_err(io::Error::other)?;
    // seccompiler has no action that reports to a listener. `Trace`, which is not used otherwise,
    // is a placeholder for it.
    let placeholder = SeccompAction::Trace(0);
    let filter = SeccompFilter::new(rules, placeholder, SeccompAction::Allow, architecture);
    let program = filter.and_then(BpfProgram::try_from).map_err(io::Error::other)?;
    let deny = if watched { libc::SECCOMP_RET_USER_NOTIF } else { fail_with(libc::EPERM) };
    let program = program.into_iter().map(|instruction| {
        let is_placeholder = instruction.code == code(libc::BPF_RET | libc::BPF_K)
            && instruction.k == libc::SECCOMP_RET_TRACE;
        sock_filter { k: if is_placeholder { deny } else { instruction.k }, ..instruction }
    });
    Ok(prologue().into_iter().chain(program).collect())
}

/// The instructions before the rules: for calls that get a fixed result.
fn prologue() -> BpfProgram {
    let load = |offset| instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset);
    let equal =
        |value, jt, jf| instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, jt, jf, value);
    let end = |errno| instruction(libc::BPF_RET | libc::BPF_K, 0, 0, fail_with(errno));
    let number = |call: c_long| u32::try_from(call).unwrap_or(u32::MAX);
    let at_least = libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K;
    let mut program = vec![load(NUMBER), instruction(at_least, 0, 1, X32), end(libc::ENOSYS)];
    let pretended = PRETENDED.iter().map(|&(call, _)| (call, 0));
    for (call, errno) in REFUSED.into_iter().chain(pretended) {
        program.extend([equal(number(call), 0, 1), end(errno)]);
    }
    for (call, argument) in PRETENDED_OF_OTHERS {
        program.extend([
            equal(number(call), 0, 4),
            load(ARGUMENTS + 8 * u32::from(argument)),
            equal(0, 1, 0),
            end(0),
            load(NUMBER),
        ]);
    }
    program
}

/// The bit that marks call numbers of x32 (`seccomp(2)`, "Caveats"). None of them is allowed.
const X32: u32 = 0x4000_0000;

/// Offsets of the call's number and arguments in `struct seccomp_data`. On both supported
/// architectures the lower half of an argument comes first.
const NUMBER: u32 = 0;
const ARGUMENTS: u32 = 16;

fn instruction(operation: u32, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code: code(operation), jt, jf, k }
}

fn code(operation: u32) -> u16 {
    u16::try_from(operation).unwrap_or_default()
}

/// The return value of a filter that makes a call fail with `errno`, or succeed if that is 0.
fn fail_with(errno: c_int) -> u32 {
    libc::SECCOMP_RET_ERRNO | errno.unsigned_abs()
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// The calls that are allowed, each with conditions on its arguments. A call without conditions is
/// always allowed.
fn rules() -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = ALLOWED.iter().map(|&(call, _)| (call, Vec::new())).collect();
    let unix = equals(0, libc::AF_UNIX)?;
    // Other families reach the network. Datagram sockets reach servers without `connect`.
    let sockets = [libc::SOCK_STREAM, libc::SOCK_SEQPACKET].into_iter().map(|kind| {
        let kind = u64::from(kind.unsigned_abs());
        SeccompRule::new(vec![unix.clone(), Condition::new(1, Dword, Op::MaskedEq(0xf), kind)?])
    });
    let sockets = sockets.collect::<Result<Vec<_>, _>>()?;
    rules.insert(libc::SYS_socket, sockets.clone());
    rules.insert(libc::SYS_socketpair, sockets);
    // Only without a destination address.
    rules.insert(libc::SYS_sendto, all_of([Condition::new(4, Qword, Op::Eq, 0)?])?);
    let denied_flags = u64::from(DENIED_CLONE_FLAGS.unsigned_abs());
    rules.insert(
        libc::SYS_clone,
        all_of([Condition::new(0, Dword, Op::MaskedEq(denied_flags), 0)?])?,
    );
    for call in [libc::SYS_kill, libc::SYS_tgkill, libc::SYS_pidfd_open] {
        let others = protected_ids().into_iter();
        let others = others.map(|id| Condition::new(0, Dword, Op::Ne, u64::from(id)));
        rules.insert(call, all_of(others.collect::<Result<Vec<_>, _>>()?)?);
    }
    // Only into a new group: in the worker's group, `kill(0)` would reach the worker.
    rules.insert(libc::SYS_setpgid, all_of([equals(1, 0)?])?);
    let not_denied =
        DENIED_IOCTLS.into_iter().map(|request| Condition::new(1, Dword, Op::Ne, request));
    rules.insert(libc::SYS_ioctl, all_of(not_denied.collect::<Result<Vec<_>, _>>()?)?);
    rules.insert(libc::SYS_fcntl, any_of(1, ALLOWED_FCNTLS)?);
    let mut options = any_of(0, ALLOWED_PRCTLS.iter().copied())?;
    // Only SIGKILL: the worker makes this call in the child, between fork and exec.
    let sigkill = Condition::new(1, Qword, Op::Eq, libc::SIGKILL.unsigned_abs().into())?;
    options.extend(all_of([equals(0, libc::PR_SET_PDEATHSIG)?, sigkill])?);
    rules.insert(libc::SYS_prctl, options);
    // Only its own limits: it could also lower those of the user's other processes.
    rules.insert(libc::SYS_prlimit64, all_of([equals(0, 0)?])?);
    let personalities = ALLOWED_PERSONALITIES.map(|kind| Condition::new(0, Dword, Op::Eq, kind));
    let personalities = personalities.map(|kind| SeccompRule::new(vec![kind?]));
    rules.insert(libc::SYS_personality, personalities.into_iter().collect::<Result<_, _>>()?);
    // Only for the calling thread (id 0). For other ids, the prologue pretends success.
    for call in [
        libc::SYS_sched_setaffinity,
        libc::SYS_sched_setscheduler,
        libc::SYS_sched_setparam,
        libc::SYS_sched_setattr,
    ] {
        rules.insert(call, all_of([equals(0, 0)?])?);
    }
    let prio_process = libc::PRIO_PROCESS.try_into().unwrap_or_default();
    rules.insert(libc::SYS_setpriority, all_of([equals(0, prio_process)?, equals(1, 0)?])?);
    let ioprio_who_process = 1;
    rules.insert(libc::SYS_ioprio_set, all_of([equals(0, ioprio_who_process)?, equals(1, 0)?])?);
    Ok(rules)
}

/// The ids that a child must not signal: -1 (every process), PID 1, the worker, its guard, and
/// their groups (negative). Landlock restricts signals too, but only since Linux 6.12.
fn protected_ids() -> Vec<u32> {
    let group = |id: Option<Pid>| getpgid(id).ok().map(|group| -group.as_raw());
    let (us, guard) = (getpid(), getppid());
    let ids = [
        Some(-1),
        Some(1),
        Some(us.as_raw()),
        Some(guard.as_raw()),
        group(None),
        group(Some(guard)),
    ];
    // 0 would mean the caller's own group. It stands for a group outside of this PID namespace.
    ids.into_iter().flatten().filter(|&id| id != 0).map(i32::cast_unsigned).collect()
}

/// The condition that a 32-bit argument has this value.
fn equals(argument: u8, value: c_int) -> Result<Condition, seccompiler::BackendError> {
    Condition::new(argument, Dword, Op::Eq, value.cast_unsigned().into())
}

/// One rule: all conditions must hold.
fn all_of(
    conditions: impl Into<Vec<Condition>>,
) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    Ok(vec![SeccompRule::new(conditions.into())?])
}

/// One rule for each value that a 32-bit argument may have.
fn any_of(
    argument: u8,
    values: impl IntoIterator<Item = c_int>,
) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    values.into_iter().map(|value| SeccompRule::new(vec![equals(argument, value)?])).collect()
}

//! seccomp: which system calls a child can make.
//!
//! A list of what is allowed ([`table`]): what the next kernel brings is denied until
//! somebody has looked at it. Numbers of another architecture end the child; see [`lock_in`].

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

/// Answered at once with an error that says what to do instead. Of `clone3` the flags lie in
/// memory, where a filter cannot look; where there is no such call, the C library uses
/// `clone`. And `connect` fails as if nobody was listening.
const REFUSED: [(c_long, c_int); 2] =
    [(libc::SYS_clone3, libc::ENOSYS), (libc::SYS_connect, libc::ECONNREFUSED)];

/// Requests that change more than what they are made of: keys sent to the terminal that the
/// worker may run on, as if typed, and what that is connected to (`ioctl_tty(2)`); attributes
/// of files that are only open to be read (`ioctl_iflags(2)`); who gets signals of a
/// descriptor.
const REQUESTS: [u64; 11] = [
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

/// Commands of `fcntl` about the descriptor, its file and its locks. Not among them: signals,
/// to whomever they go, leases, which have others wait, and notices.
const COMMANDS: [c_int; 25] = [
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

/// Options of `prctl` about the thread or process itself.
const OPTIONS: &[c_int] = &[
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

/// Of `clone`: namespaces, and children that are somebody else's.
const FOREIGN: c_int = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_PARENT;

/// What `personality` may be asked for: nothing, and what all programs are.
const PERSONALITIES: [u64; 2] = [0xffff_ffff, 0];

/// Locks the calling thread in. What `program` then calls in vain is told in the log, where
/// the kernel can hand it over (Linux 5.0) and no other does so already.
///
/// Calls with the numbers of another architecture (32-bit programs on x86-64) kill the
/// child: the filter would not know them. The numbers of x32, which the kernel counts
/// as x86-64, do not exist.
///
/// # Errors
/// If the kernel has no seccomp filters, or refuses.
pub(crate) fn lock_in(program: &str) -> io::Result<()> {
    let (hand_over, listener) = mpsc::channel();
    let name = program.to_owned();
    let watch = move || watch::answer(&name, &listener);
    let watched = std::thread::Builder::new().name("calls".to_owned()).spawn(watch);
    if watched.is_ok()
        && let Ok(Some(listener)) = system::install_filter(&filter(true)?, true)
    {
        // Fails only if the thread has panicked: then each such call fails.
        _ = hand_over.send(listener);
        return Ok(());
    }
    tracing::debug!("what the sandbox denies {program} is not told: nobody can listen");
    lock_in_unwatched()
}

/// The same without a word.
///
/// # Errors
/// If the kernel has no seccomp filters, or refuses.
pub(crate) fn lock_in_unwatched() -> io::Result<()> {
    system::install_filter(&filter(false)?, false).map(drop)
}

/// The filter. What is on no list is handed over, or denied if nobody listens.
fn filter(watched: bool) -> io::Result<BpfProgram> {
    let architecture = std::env::consts::ARCH.try_into().map_err(io::Error::other)?;
    let rules = allowed().map_err(io::Error::other)?;
    // The crate knows no handing over; this action stands for it, and nothing traces here.
    let marked = SeccompAction::Trace(0);
    let filter = SeccompFilter::new(rules, marked, SeccompAction::Allow, architecture);
    let program = filter.and_then(BpfProgram::try_from).map_err(io::Error::other)?;
    let denied = if watched { libc::SECCOMP_RET_USER_NOTIF } else { answer(libc::EPERM) };
    let program = program.into_iter().map(|step| {
        let is_marked =
            step.code == code(libc::BPF_RET | libc::BPF_K) && step.k == libc::SECCOMP_RET_TRACE;
        sock_filter { k: if is_marked { denied } else { step.k }, ..step }
    });
    Ok(answered().into_iter().chain(program).collect())
}

/// What comes before the rules: calls that are answered by an error of their own.
fn answered() -> BpfProgram {
    let load = |offset| step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset);
    let equal = |value, jt, jf| step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, jt, jf, value);
    let end = |errno| step(libc::BPF_RET | libc::BPF_K, 0, 0, answer(errno));
    let number = |call: c_long| u32::try_from(call).unwrap_or(u32::MAX);
    let at_least = libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K;
    let mut program = vec![load(NUMBER), step(at_least, 0, 1, X32), end(libc::ENOSYS)];
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

/// The bit of the numbers of x32 (`seccomp(2)`, "Caveats"): none is a call.
const X32: u32 = 0x4000_0000;

/// Where a filter finds the number of a call, and its arguments, of which both architectures
/// have the lower half first (`struct seccomp_data`).
const NUMBER: u32 = 0;
const ARGUMENTS: u32 = 16;

fn step(operation: u32, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code: code(operation), jt, jf, k }
}

fn code(operation: u32) -> u16 {
    u16::try_from(operation).unwrap_or_default()
}

fn answer(errno: c_int) -> u32 {
    libc::SECCOMP_RET_ERRNO | errno.unsigned_abs()
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn allowed() -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = ALLOWED.iter().map(|&(call, _)| (call, Vec::new())).collect();
    let unix = equals(0, libc::AF_UNIX)?;
    // The network is every other family, and a datagram needs no connection to reach whoever
    // listens on a path.
    let sockets = [libc::SOCK_STREAM, libc::SOCK_SEQPACKET].into_iter().map(|kind| {
        let kind = u64::from(kind.unsigned_abs());
        SeccompRule::new(vec![unix.clone(), Condition::new(1, Dword, Op::MaskedEq(0xf), kind)?])
    });
    let sockets = sockets.collect::<Result<Vec<_>, _>>()?;
    rules.insert(libc::SYS_socket, sockets.clone());
    rules.insert(libc::SYS_socketpair, sockets);
    // A message without an address.
    rules.insert(libc::SYS_sendto, rule([Condition::new(4, Qword, Op::Eq, 0)?])?);
    let foreign = u64::from(FOREIGN.unsigned_abs());
    rules.insert(libc::SYS_clone, rule([Condition::new(0, Dword, Op::MaskedEq(foreign), 0)?])?);
    for call in [libc::SYS_kill, libc::SYS_tgkill, libc::SYS_pidfd_open] {
        let others = not_to_be_signalled().into_iter();
        let others = others.map(|id| Condition::new(0, Dword, Op::Ne, u64::from(id)));
        rules.insert(call, rule(others.collect::<Result<Vec<_>, _>>()?)?);
    }
    // A group of its own: in that of the worker, `kill(0)` would reach it.
    rules.insert(libc::SYS_setpgid, rule([equals(1, 0)?])?);
    let not_these = REQUESTS.into_iter().map(|request| Condition::new(1, Dword, Op::Ne, request));
    rules.insert(libc::SYS_ioctl, rule(not_these.collect::<Result<Vec<_>, _>>()?)?);
    rules.insert(libc::SYS_fcntl, each(1, COMMANDS)?);
    let mut options = each(0, OPTIONS.iter().copied())?;
    // Only to be killed with the worker, which is what is done for it before it is executed.
    let with_the_worker = Condition::new(1, Qword, Op::Eq, libc::SIGKILL.unsigned_abs().into())?;
    options.extend(rule([equals(0, libc::PR_SET_PDEATHSIG)?, with_the_worker])?);
    rules.insert(libc::SYS_prctl, options);
    // The limits of others: the same user may lower them.
    rules.insert(libc::SYS_prlimit64, rule([equals(0, 0)?])?);
    let personalities = PERSONALITIES.map(|kind| Condition::new(0, Dword, Op::Eq, kind));
    let personalities = personalities.map(|kind| SeccompRule::new(vec![kind?]));
    rules.insert(libc::SYS_personality, personalities.into_iter().collect::<Result<_, _>>()?);
    // Of the calling thread alone; of others it is pretended before.
    for call in [
        libc::SYS_sched_setaffinity,
        libc::SYS_sched_setscheduler,
        libc::SYS_sched_setparam,
        libc::SYS_sched_setattr,
    ] {
        rules.insert(call, rule([equals(0, 0)?])?);
    }
    let of_processes = libc::PRIO_PROCESS.try_into().unwrap_or_default();
    rules.insert(libc::SYS_setpriority, rule([equals(0, of_processes)?, equals(1, 0)?])?);
    rules.insert(libc::SYS_ioprio_set, rule([equals(0, 1)?, equals(1, 0)?])?);
    Ok(rules)
}

/// Everybody at once, PID 1, the worker, its guard, and their groups. Landlock keeps signals
/// in, but only since Linux 6.12.
fn not_to_be_signalled() -> Vec<u32> {
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
    // A group of one is the group of the caller: nobody has that.
    ids.into_iter().flatten().filter(|&id| id != 0).map(i32::cast_unsigned).collect()
}

/// An argument of 32 bits.
fn equals(argument: u8, value: c_int) -> Result<Condition, seccompiler::BackendError> {
    Condition::new(argument, Dword, Op::Eq, value.cast_unsigned().into())
}

/// All of these at once.
fn rule(
    conditions: impl Into<Vec<Condition>>,
) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    Ok(vec![SeccompRule::new(conditions.into())?])
}

/// One of these.
fn each(
    argument: u8,
    values: impl IntoIterator<Item = c_int>,
) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    values.into_iter().map(|value| SeccompRule::new(vec![equals(argument, value)?])).collect()
}

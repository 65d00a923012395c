//! seccomp: which system calls a child cannot make.
//!
//! A list of what is denied, as container engines have it: what no renderer and no encoder
//! does and what would lead out. Everything else is allowed, so no new Blender needs a new
//! list. Numbers of another architecture end the child; see [`lock_in`].

use std::collections::BTreeMap;
use std::io;

use nix::libc::{self, c_long};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpArgLen::Qword,
    SeccompCmpOp as Op, SeccompCondition as Condition, SeccompFilter, SeccompRule, apply_filter,
    sock_filter,
};

/// Denied whatever their arguments.
const NEVER: &[c_long] = &[
    // Does what the filter denies, where the filter does not see it.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // Other processes: their memory, their descriptors.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // Keys, which belong to the user and not to a process.
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    // The kernel: programs in it, its faults, its parts, its clock, its end.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_acct,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    // Other views of the file system and of the machine.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_open_tree,
    OPEN_TREE_ATTR,
    libc::SYS_move_mount,
    libc::SYS_mount_setattr,
    libc::SYS_setns,
    libc::SYS_unshare,
    // Files past Landlock, which does not look at these.
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_truncate,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    SETXATTRAT,
    REMOVEXATTRAT,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lchown,
    libc::SYS_fchown,
    libc::SYS_fchownat,
];

/// Said to have been done, and not done: Landlock does not look at these either, and
/// Python's `shutil.copy` fails where they do. To the worker, a file's mode is nothing.
const PRETENDED: &[c_long] = &[
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    FCHMODAT2,
];

/// Their flags lie in memory, where a filter cannot look. Where there is no such call,
/// the C library uses `clone`.
const UNKNOWN: &[c_long] = &[libc::SYS_clone3];

// Newer than the C library's headers, and the same everywhere (asm-generic/unistd.h).
const FCHMODAT2: c_long = 452;
const SETXATTRAT: c_long = 463;
const REMOVEXATTRAT: c_long = 466;
const OPEN_TREE_ATTR: c_long = 467;

/// Keys sent to the terminal that the worker may run on, as if typed (`ioctl_tty(2)`).
const TERMINAL_INPUT: [u64; 2] = [0x5412, 0x541c];

/// Namespaces in `clone`: mount, cgroup, UTS, IPC, user, PID and network.
const NAMESPACES: [i32; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// Locks the calling thread in.
///
/// Calls with the numbers of another architecture (32-bit programs on x86-64) kill the
/// child: the filter would not know them. The numbers of x32, which the kernel counts
/// as x86-64, do not exist.
///
/// # Errors
/// If the kernel has no seccomp filters, or refuses.
pub(super) fn lock_in() -> io::Result<()> {
    let filters = [
        filter(denied().map_err(io::Error::other)?, libc::EPERM),
        filter(always(PRETENDED), 0),
        filter(always(UNKNOWN), libc::ENOSYS),
        // As if nobody was listening.
        filter(always(&[libc::SYS_connect]), libc::ECONNREFUSED),
    ];
    for filter in filters {
        install(&filter?)?;
    }
    if cfg!(target_arch = "x86_64") { install(&without_x32()) } else { Ok(()) }
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn always(calls: &[c_long]) -> Rules {
    calls.iter().map(|&call| (call, Vec::new())).collect()
}

fn denied() -> Result<Rules, seccompiler::BackendError> {
    let mut rules = always(NEVER);
    let unix = u64::from(libc::AF_UNIX.unsigned_abs());
    let datagram = u64::from(libc::SOCK_DGRAM.unsigned_abs());
    let raw = u64::from(libc::SOCK_RAW.unsigned_abs());
    // The network is every family but this one, and a datagram needs no connection to
    // reach whoever listens on a path.
    let sockets = vec![
        when(0, Op::Ne, unix)?,
        when(1, Op::MaskedEq(0xf), datagram)?,
        when(1, Op::MaskedEq(0xf), raw)?,
    ];
    rules.insert(libc::SYS_socket, sockets.clone());
    rules.insert(libc::SYS_socketpair, sockets);
    let namespaces = NAMESPACES.iter().map(|&flag| {
        let flag = u64::from(flag.unsigned_abs());
        when(0, Op::MaskedEq(flag), flag)
    });
    rules.insert(libc::SYS_clone, namespaces.collect::<Result<_, _>>()?);
    let keys = TERMINAL_INPUT.iter().map(|&request| when(1, Op::Eq, request));
    rules.insert(libc::SYS_ioctl, keys.collect::<Result<_, _>>()?);
    // The limits of the worker: the same user may lower them.
    rules.insert(libc::SYS_prlimit64, vec![when(0, Op::Ne, 0)?]);
    // A message with an address, for what is left.
    let address = SeccompRule::new(vec![Condition::new(4, Qword, Op::Ne, 0)?])?;
    rules.insert(libc::SYS_sendto, vec![address]);
    Ok(rules)
}

/// An argument of 32 bits.
fn when(argument: u8, op: Op, value: u64) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(vec![Condition::new(argument, Dword, op, value)?])
}

fn filter(rules: Rules, errno: i32) -> io::Result<BpfProgram> {
    let architecture = std::env::consts::ARCH.try_into().map_err(io::Error::other)?;
    let answer = SeccompAction::Errno(errno.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, answer, architecture);
    filter.and_then(BpfProgram::try_from).map_err(io::Error::other)
}

fn install(program: &BpfProgram) -> io::Result<()> {
    apply_filter(program).map_err(io::Error::other)
}

/// Every number with the bit of x32 is no call (`seccomp(2)`, "Caveats"): load it,
/// compare it, and answer.
fn without_x32() -> BpfProgram {
    const X32: u32 = 0x4000_0000;
    let step = |code: u32, jt, jf, k| sock_filter {
        code: u16::try_from(code).unwrap_or_default(),
        jt,
        jf,
        k,
    };
    vec![
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 1, X32),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::errno::Errno;
    use std::process::Command;

    /// Does something in a thread that is locked in.
    fn inside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        std::thread::spawn(|| {
            lock_in().unwrap();
            work()
        })
        .join()
        .unwrap()
    }

    /// What a call without arguments answers.
    #[expect(unsafe_code, reason = "calls that no library makes")]
    fn call(number: c_long, arguments: [c_long; 2]) -> Result<(), Errno> {
        // SAFETY: the calls that are tried take no pointers in these arguments, or fail
        // on a null pointer.
        Errno::result(unsafe { libc::syscall(number, arguments[0], arguments[1], 0, 0, 0, 0) })
            .map(drop)
    }

    #[test]
    fn there_is_no_network_and_no_way_around_the_filter() {
        use std::net::{TcpListener, UdpSocket};
        let kind = |error: io::Error| error.raw_os_error();
        inside(move || {
            let eperm = Some(libc::EPERM);
            assert_eq!(TcpListener::bind("127.0.0.1:0").map_err(kind).unwrap_err(), eperm);
            assert_eq!(UdpSocket::bind("[::1]:0").map_err(kind).unwrap_err(), eperm);
            assert!(std::os::unix::net::UnixStream::pair().is_ok());
            assert_eq!(
                std::os::unix::net::UnixDatagram::unbound().map_err(kind).unwrap_err(),
                eperm
            );
            for netlink_packet_vsock in [16, 17, 40] {
                let socket = call(libc::SYS_socket, [netlink_packet_vsock, 3]);
                assert_eq!(socket, Err(Errno::EPERM));
            }
            for &number in NEVER {
                assert_eq!(call(number, [0, 0]), Err(Errno::EPERM), "{number}");
            }
            let user_namespace = c_long::from(libc::CLONE_NEWUSER | libc::SIGCHLD);
            assert_eq!(call(libc::SYS_clone, [user_namespace, 0]), Err(Errno::EPERM));
            assert_eq!(call(libc::SYS_clone3, [0, 0]), Err(Errno::ENOSYS));
            assert_eq!(call(libc::SYS_connect, [0, 0]), Err(Errno::ECONNREFUSED));
            assert_eq!(call(libc::SYS_ioctl, [0, 0x5412]), Err(Errno::EPERM));
            assert_eq!(call(libc::SYS_prlimit64, [1, 0]), Err(Errno::EPERM));
        });
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn numbers_of_x32_are_no_calls() {
        let x32 = |number| call(0x4000_0000 | number, [2, 1]);
        inside(move || {
            for number in [libc::SYS_socket, libc::SYS_getpid, 521] {
                assert_eq!(x32(number), Err(Errno::ENOSYS));
            }
        });
        // The kernel may have no x32 at all; the filter is asked before it.
        let steps = without_x32();
        assert_eq!((steps[1].jt, steps[1].jf, steps[1].k), (0, 1, 0x4000_0000));
    }

    #[test]
    fn a_mode_is_not_changed_and_programs_run() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_owned();
        let mode = |path: &std::path::Path| {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::metadata(path).unwrap().permissions().mode() & 0o777
        };
        let before = mode(&path);
        inside(move || {
            let output = Command::new("chmod").arg("777").arg(&path).output().unwrap();
            assert!(output.status.success(), "{output:?}");
        });
        assert_eq!(mode(file.path()), before);
    }
}

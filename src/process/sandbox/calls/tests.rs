use super::*;
use nix::errno::Errno;
use std::process::Command;
use table::{DENIED, LIMITED};

/// Runs `work` in a restricted thread: once with a listener for denied calls and once without.
fn inside(work: impl Fn(bool) + Send + Sync) {
    for watched in [true, false] {
        std::thread::scope(|scope| {
            let inside = || {
                let restricted =
                    if watched { restrict_thread("test") } else { restrict_thread_unwatched() };
                restricted.unwrap();
                work(watched);
            };
            scope.spawn(inside);
        });
    }
}

/// Makes a system call and returns its error.
#[expect(unsafe_code, reason = "calls that no library makes")]
fn call(number: c_long, arguments: [c_long; 2]) -> Result<(), Errno> {
    // SAFETY: the calls in these tests take no pointers in these arguments, or fail on a null
    // pointer.
    Errno::result(unsafe { libc::syscall(number, arguments[0], arguments[1], 0, 0, 0, 0) })
        .map(drop)
}

#[test]
fn calls_on_no_list_are_denied() {
    inside(|watched| {
        for &(number, name) in DENIED {
            let denied = if watched { watch::errno_for(number) } else { libc::EPERM };
            assert_eq!(call(number, [0, 0]), Err(Errno::from_raw(denied)), "{name}");
        }
        // Calls of future kernels.
        for number in 470..600 {
            let denied = if watched { Errno::ENOSYS } else { Errno::EPERM };
            assert_eq!(call(number, [0, 0]), Err(denied), "{number}");
        }
    });
}

#[test]
fn the_network_is_unreachable() {
    use std::net::{TcpListener, UdpSocket};
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
    let kind = |error: io::Error| error.raw_os_error();
    inside(|_| {
        let eperm = Some(libc::EPERM);
        assert_eq!(TcpListener::bind("127.0.0.1:0").map_err(kind).unwrap_err(), eperm);
        assert_eq!(UdpSocket::bind("[::1]:0").map_err(kind).unwrap_err(), eperm);
        assert!(UnixStream::pair().is_ok());
        assert_eq!(UnixDatagram::unbound().map_err(kind).unwrap_err(), eperm);
        assert_eq!(UnixListener::bind("/tmp/x").map_err(kind).unwrap_err(), eperm);
        for netlink_packet_vsock in [16, 17, 40] {
            let socket = call(libc::SYS_socket, [netlink_packet_vsock, 3]);
            assert_eq!(socket, Err(Errno::EPERM));
        }
        assert_eq!(call(libc::SYS_connect, [0, 0]), Err(Errno::ECONNREFUSED));
    });
}

#[test]
fn limited_calls_with_other_arguments_are_denied() {
    let user_namespace = c_long::from(libc::CLONE_NEWUSER | libc::SIGCHLD);
    let sibling = c_long::from(libc::CLONE_PARENT | libc::SIGCHLD);
    let (us, guard) = (getpid().as_raw().into(), getppid().as_raw().into());
    let long = |value: i32| c_long::from(value);
    inside(|_| {
        for (number, arguments) in [
            (libc::SYS_clone, [user_namespace, 0]),
            (libc::SYS_clone, [sibling, 0]),
            (libc::SYS_kill, [us, 0]),
            (libc::SYS_kill, [guard, 0]),
            (libc::SYS_kill, [1, 0]),
            (libc::SYS_kill, [-1, 0]),
            (libc::SYS_tgkill, [us, us]),
            (libc::SYS_pidfd_open, [us, 0]),
            (libc::SYS_setpgid, [0, nix::unistd::getpgrp().as_raw().into()]),
            (libc::SYS_prlimit64, [1, 0]),
            (libc::SYS_fcntl, [0, long(libc::F_SETOWN)]),
            (libc::SYS_fcntl, [0, long(libc::F_SETLEASE)]),
            (libc::SYS_fcntl, [0, 10]),
            (libc::SYS_ioctl, [0, 0x5412]),
            (libc::SYS_ioctl, [0, 0x4008_6602]),
            (libc::SYS_prctl, [long(libc::PR_SET_PDEATHSIG), 0]),
            (libc::SYS_prctl, [long(libc::PR_SET_CHILD_SUBREAPER), 1]),
            (libc::SYS_prctl, [long(libc::PR_SET_SECCOMP), 2]),
            (libc::SYS_prctl, [long(libc::PR_CAP_AMBIENT), 2]),
            (libc::SYS_personality, [0x0004_0000, 0]),
            (libc::SYS_setpriority, [1, 0]), // the whole group
        ] {
            assert!(LIMITED.iter().any(|&(limited, _)| limited == number));
            assert_eq!(call(number, arguments), Err(Errno::EPERM), "{number} {arguments:?}");
        }
        assert_eq!(call(libc::SYS_clone3, [0, 0]), Err(Errno::ENOSYS));
    });
}

#[test]
fn changes_to_other_threads_are_pretended() {
    let us = getpid();
    let nice = || {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        stat.rsplit_once(") ").unwrap().1.split(' ').nth(16).unwrap().to_owned()
    };
    let before = nice();
    inside(|_| {
        assert_eq!(call(libc::SYS_setpriority, [0, us.as_raw().into()]), Ok(()));
        for number in [libc::SYS_sched_setaffinity, libc::SYS_sched_setscheduler] {
            assert_eq!(call(number, [us.as_raw().into(), 0]), Ok(()));
            // For the calling thread, the kernel handles the call: it may fail for other reasons.
            assert_ne!(call(number, [0, 0]), Err(Errno::EPERM));
        }
    });
    assert_eq!(nice(), before);
}

#[test]
#[cfg(target_arch = "x86_64")]
fn calls_with_x32_numbers_fail() {
    // The kernel may not support x32, but the filter runs first.
    inside(|_| {
        for number in [libc::SYS_socket, libc::SYS_getpid, 521] {
            assert_eq!(call(c_long::from(X32) | number, [2, 1]), Err(Errno::ENOSYS));
        }
    });
    let program = prologue();
    assert_eq!((program[1].jt, program[1].jf, program[1].k), (0, 1, 0x4000_0000));
}

#[test]
fn changes_of_modes_and_times_are_pretended() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path();
    let mode_and_time = || {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = std::fs::metadata(path).unwrap();
        (metadata.mode(), metadata.mtime_nsec())
    };
    let before = mode_and_time();
    inside(|_| {
        for arguments in [["chmod", "777"], ["touch", "-d2001-01-01"]] {
            let output = Command::new(arguments[0]).arg(arguments[1]).arg(path).output().unwrap();
            assert!(output.status.success(), "{output:?}");
        }
    });
    assert_eq!(mode_and_time(), before);
}

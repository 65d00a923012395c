//! Which system calls there are, and what becomes of them.
//!
//! Allowed is what Blender 3.4 and 4.5 with each of their engines and image formats,
//! Python with what add-ons do in it, and FFmpeg with each codec were seen to call (strace),
//! what their libraries call on other machines (NUMA, GPUs, newer or older C libraries), and
//! close relatives of these. Nothing here reaches another process, another user's file, or
//! the system.

use nix::libc::{self, c_long};

/// A number and its name.
pub(crate) type Call = (c_long, &'static str);

macro_rules! calls {
    ($($(#[$attribute:meta])* $name:ident)*) => {
        &[$($(#[$attribute])* (numbers::$name, stringify!($name)),)*]
    };
}

/// Newer than the C library's headers, and the same everywhere (asm-generic/unistd.h).
#[allow(non_upper_case_globals, reason = "named as the kernel's headers have it")]
mod numbers {
    pub(crate) use nix::libc::*;

    use super::c_long;

    // There, and not in the headers' Rust.
    #[cfg(target_arch = "aarch64")]
    pub const SYS_renameat: c_long = 38;
    #[cfg(target_arch = "aarch64")]
    pub const SYS_sync_file_range: c_long = 84;
    #[cfg(target_arch = "aarch64")]
    pub const SYS_getrlimit: c_long = 163;
    #[cfg(target_arch = "aarch64")]
    pub const SYS_setrlimit: c_long = 164;

    pub const SYS_fchmodat2: c_long = 452;
    pub const SYS_map_shadow_stack: c_long = 453;
    pub const SYS_futex_wake: c_long = 454;
    pub const SYS_futex_wait: c_long = 455;
    pub const SYS_futex_requeue: c_long = 456;
    pub const SYS_statmount: c_long = 457;
    pub const SYS_listmount: c_long = 458;
    pub const SYS_mseal: c_long = 462;
    pub const SYS_setxattrat: c_long = 463;
    pub const SYS_getxattrat: c_long = 464;
    pub const SYS_listxattrat: c_long = 465;
    pub const SYS_removexattrat: c_long = 466;
    pub const SYS_open_tree_attr: c_long = 467;
    pub const SYS_file_getattr: c_long = 468;
    pub const SYS_file_setattr: c_long = 469;
}

/// From this number on (Linux 5.1, when all architectures began to count alike), programs
/// must do without a call that is not there.
pub(crate) const RECENT: c_long = 424;

/// Allowed whatever their arguments.
pub(crate) const ALLOWED: &[Call] = calls![
    // Memory of its own.
    SYS_brk SYS_mmap SYS_munmap SYS_mprotect SYS_mremap SYS_madvise SYS_msync SYS_mincore
    SYS_mlock SYS_mlock2 SYS_munlock SYS_mlockall SYS_munlockall SYS_membarrier SYS_memfd_create
    SYS_get_mempolicy SYS_set_mempolicy SYS_mbind SYS_pkey_mprotect SYS_pkey_alloc SYS_pkey_free
    SYS_mseal SYS_map_shadow_stack
    // Files: Landlock says which.
    SYS_openat SYS_openat2 SYS_close SYS_close_range SYS_read SYS_readv SYS_pread64 SYS_preadv
    SYS_preadv2 SYS_write SYS_writev SYS_pwrite64 SYS_pwritev SYS_pwritev2 SYS_lseek SYS_ftruncate
    SYS_fallocate SYS_fadvise64 SYS_readahead SYS_fsync SYS_fdatasync SYS_sync_file_range
    SYS_sendfile SYS_copy_file_range SYS_splice SYS_tee SYS_vmsplice SYS_flock SYS_dup SYS_dup3
    SYS_pipe2 SYS_umask SYS_getcwd SYS_chdir SYS_fchdir SYS_getdents64 SYS_fstat SYS_newfstatat
    SYS_statx SYS_statfs SYS_fstatfs SYS_faccessat SYS_faccessat2 SYS_readlinkat SYS_mkdirat
    SYS_unlinkat SYS_renameat SYS_renameat2 SYS_linkat SYS_symlinkat SYS_getxattr SYS_lgetxattr
    SYS_fgetxattr SYS_listxattr SYS_llistxattr SYS_flistxattr
    #[cfg(target_arch = "x86_64")] SYS_open
    #[cfg(target_arch = "x86_64")] SYS_creat
    #[cfg(target_arch = "x86_64")] SYS_stat
    #[cfg(target_arch = "x86_64")] SYS_lstat
    #[cfg(target_arch = "x86_64")] SYS_access
    #[cfg(target_arch = "x86_64")] SYS_readlink
    #[cfg(target_arch = "x86_64")] SYS_mkdir
    #[cfg(target_arch = "x86_64")] SYS_rmdir
    #[cfg(target_arch = "x86_64")] SYS_unlink
    #[cfg(target_arch = "x86_64")] SYS_rename
    #[cfg(target_arch = "x86_64")] SYS_link
    #[cfg(target_arch = "x86_64")] SYS_symlink
    #[cfg(target_arch = "x86_64")] SYS_getdents
    #[cfg(target_arch = "x86_64")] SYS_dup2
    #[cfg(target_arch = "x86_64")] SYS_pipe
    // Waiting, for descriptors and for time.
    SYS_ppoll SYS_pselect6 SYS_epoll_create1 SYS_epoll_ctl SYS_epoll_pwait SYS_epoll_pwait2
    SYS_eventfd2 SYS_signalfd4 SYS_timerfd_create SYS_timerfd_settime SYS_timerfd_gettime
    SYS_nanosleep SYS_clock_nanosleep SYS_clock_gettime SYS_clock_getres SYS_gettimeofday
    SYS_times SYS_getitimer SYS_setitimer SYS_timer_create SYS_timer_settime SYS_timer_gettime
    SYS_timer_getoverrun SYS_timer_delete
    #[cfg(target_arch = "x86_64")] SYS_poll
    #[cfg(target_arch = "x86_64")] SYS_select
    #[cfg(target_arch = "x86_64")] SYS_epoll_create
    #[cfg(target_arch = "x86_64")] SYS_epoll_wait
    #[cfg(target_arch = "x86_64")] SYS_eventfd
    #[cfg(target_arch = "x86_64")] SYS_signalfd
    #[cfg(target_arch = "x86_64")] SYS_alarm
    #[cfg(target_arch = "x86_64")] SYS_pause
    #[cfg(target_arch = "x86_64")] SYS_time
    // Threads, and processes that it starts.
    SYS_execve SYS_execveat SYS_exit SYS_exit_group SYS_wait4 SYS_waitid SYS_set_tid_address
    SYS_set_robust_list SYS_rseq SYS_futex SYS_futex_waitv SYS_futex_wake SYS_futex_wait
    SYS_futex_requeue SYS_sched_yield SYS_setsid
    #[cfg(target_arch = "x86_64")] SYS_fork
    #[cfg(target_arch = "x86_64")] SYS_vfork
    #[cfg(target_arch = "x86_64")] SYS_arch_prctl
    // Signals.
    SYS_rt_sigaction SYS_rt_sigprocmask SYS_rt_sigreturn SYS_rt_sigsuspend SYS_rt_sigpending
    SYS_rt_sigtimedwait SYS_sigaltstack SYS_restart_syscall
    // Sockets to itself: whom it could reach is up to `connect` and the kinds that there are.
    SYS_sendmsg SYS_sendmmsg SYS_recvfrom SYS_recvmsg SYS_recvmmsg SYS_shutdown SYS_getsockname
    SYS_getpeername SYS_getsockopt SYS_setsockopt
    // What it may know.
    SYS_getpid SYS_getppid SYS_gettid SYS_getpgid SYS_getsid SYS_getuid SYS_geteuid SYS_getgid
    SYS_getegid SYS_getresuid SYS_getresgid SYS_getgroups SYS_capget SYS_getrlimit SYS_setrlimit
    SYS_getrusage SYS_getpriority SYS_ioprio_get SYS_sched_getaffinity SYS_sched_getscheduler
    SYS_sched_getparam SYS_sched_getattr SYS_sched_get_priority_max SYS_sched_get_priority_min
    SYS_sched_rr_get_interval SYS_getcpu SYS_sysinfo SYS_uname SYS_getrandom
    #[cfg(target_arch = "x86_64")] SYS_getpgrp
];

/// Allowed with some arguments: see the filter.
pub(crate) const LIMITED: &[Call] = calls![
    SYS_socket SYS_socketpair SYS_sendto SYS_clone SYS_setpgid SYS_kill SYS_tgkill SYS_pidfd_open SYS_prctl
    SYS_fcntl SYS_ioctl SYS_prlimit64 SYS_personality SYS_setpriority SYS_ioprio_set
    SYS_sched_setaffinity SYS_sched_setscheduler SYS_sched_setparam SYS_sched_setattr
];

/// Said to have been done, and not done: Landlock does not look at these, and Python's
/// `shutil.copy` and `copy2` fail where they do. To the worker, modes and times are nothing.
pub(crate) const PRETENDED: &[Call] = calls![
    SYS_fchmod SYS_fchmodat SYS_fchmodat2 SYS_utimensat
    #[cfg(target_arch = "x86_64")] SYS_chmod
    #[cfg(target_arch = "x86_64")] SYS_utime
    #[cfg(target_arch = "x86_64")] SYS_utimes
    #[cfg(target_arch = "x86_64")] SYS_futimesat
];

/// Said to have been done where they are about a thread or process by its number, which may be
/// anybody's: Mesa spreads its threads over the cores so, and gives some of them less time.
/// Each with the argument that has the number.
pub(crate) const PRETENDED_OF_OTHERS: [(c_long, u8); 6] = [
    (libc::SYS_setpriority, 1),
    (libc::SYS_ioprio_set, 1),
    (libc::SYS_sched_setaffinity, 0),
    (libc::SYS_sched_setscheduler, 0),
    (libc::SYS_sched_setparam, 0),
    (libc::SYS_sched_setattr, 0),
];

/// Everything else is denied. These are named here so that the log can name them, and as what
/// the allow-list is against.
pub(crate) const DENIED: &[Call] = calls![
    // Does what the filter denies, where the filter does not see it.
    SYS_io_uring_setup SYS_io_uring_enter SYS_io_uring_register
    // Other processes: their memory, their descriptors, their signals.
    SYS_ptrace SYS_process_vm_readv SYS_process_vm_writev SYS_process_madvise SYS_process_mrelease
    SYS_pidfd_getfd SYS_pidfd_send_signal SYS_kcmp SYS_tkill SYS_rt_sigqueueinfo
    SYS_rt_tgsigqueueinfo SYS_get_robust_list SYS_migrate_pages SYS_move_pages
    // Memory, queues and semaphores that all processes of the user share.
    SYS_shmget SYS_shmat SYS_shmdt SYS_shmctl SYS_msgget SYS_msgsnd SYS_msgrcv SYS_msgctl SYS_semget
    SYS_semop SYS_semtimedop SYS_semctl SYS_mq_open SYS_mq_unlink SYS_mq_timedsend
    SYS_mq_timedreceive SYS_mq_notify SYS_mq_getsetattr
    // Keys, which belong to the user and not to a process.
    SYS_add_key SYS_request_key SYS_keyctl
    // Being somebody else, or more.
    SYS_setuid SYS_setgid SYS_setreuid SYS_setregid SYS_setresuid SYS_setresgid SYS_setfsuid
    SYS_setfsgid SYS_setgroups SYS_capset
    // Answering connections, and taking over the addresses of others.
    SYS_bind SYS_listen SYS_accept SYS_accept4
    // The kernel: programs in it, its faults, its parts, its clock, its end.
    SYS_bpf SYS_perf_event_open SYS_userfaultfd SYS_init_module SYS_finit_module SYS_delete_module
    SYS_kexec_load SYS_kexec_file_load SYS_reboot SYS_acct SYS_swapon SYS_swapoff SYS_syslog
    SYS_settimeofday SYS_clock_settime SYS_clock_adjtime SYS_adjtimex SYS_sethostname
    SYS_setdomainname SYS_quotactl SYS_quotactl_fd SYS_vhangup SYS_sync SYS_syncfs SYS_memfd_secret
    SYS_remap_file_pages SYS_set_mempolicy_home_node SYS_seccomp SYS_landlock_create_ruleset
    SYS_landlock_add_rule SYS_landlock_restrict_self
    #[cfg(target_arch = "x86_64")] SYS_iopl
    #[cfg(target_arch = "x86_64")] SYS_ioperm
    #[cfg(target_arch = "x86_64")] SYS_modify_ldt
    // Other views of the file system and of the machine.
    SYS_mount SYS_umount2 SYS_pivot_root SYS_chroot SYS_fsopen SYS_fsconfig SYS_fsmount SYS_fspick
    SYS_open_tree SYS_open_tree_attr SYS_move_mount SYS_mount_setattr SYS_setns SYS_unshare
    SYS_statmount SYS_listmount
    // Files past Landlock, which does not look at these.
    SYS_name_to_handle_at SYS_open_by_handle_at SYS_fanotify_init SYS_fanotify_mark
    SYS_inotify_init1 SYS_inotify_add_watch SYS_inotify_rm_watch SYS_truncate SYS_setxattr
    SYS_lsetxattr SYS_fsetxattr SYS_removexattr SYS_lremovexattr SYS_fremovexattr SYS_setxattrat
    SYS_getxattrat SYS_listxattrat SYS_removexattrat SYS_file_getattr SYS_file_setattr SYS_fchown
    SYS_fchownat SYS_mknodat
    #[cfg(target_arch = "x86_64")] SYS_inotify_init
    #[cfg(target_arch = "x86_64")] SYS_chown
    #[cfg(target_arch = "x86_64")] SYS_lchown
    #[cfg(target_arch = "x86_64")] SYS_mknod
];

/// The name of a call, if it is known here.
pub(crate) fn name(number: c_long) -> Option<&'static str> {
    let known = [ALLOWED, LIMITED, PRETENDED, DENIED].into_iter().flatten();
    let (_, name) = known.into_iter().find(|(known, _)| *known == number)?;
    name.strip_prefix("SYS_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_call_is_on_one_list() {
        let all: Vec<_> = [ALLOWED, LIMITED, PRETENDED, DENIED].concat();
        let numbers: BTreeSet<_> = all.iter().map(|(number, _)| number).collect();
        assert_eq!(numbers.len(), all.len());
        assert!(
            PRETENDED_OF_OTHERS.iter().all(|(number, _)| LIMITED.iter().any(|c| c.0 == *number))
        );
        assert_eq!(name(libc::SYS_ptrace), Some("ptrace"));
        assert_eq!(name(9999), None);
    }
}

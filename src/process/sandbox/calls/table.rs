//! The known system calls, by how the filter treats them.
//!
//! The allowed calls come from three sources: calls seen with strace (Blender 3.4 and 4.5 with
//! each engine and image format, Python with typical add-ons, FFmpeg with each codec), calls that
//! their libraries make on other machines (NUMA, GPUs, newer or older C libraries), and close
//! relatives of these. None of them reaches another process, another user's file, or the system.

use nix::libc::{self, c_long};

/// The number of a call and its name.
pub(crate) type Call = (c_long, &'static str);

macro_rules! calls {
    ($($(#[$attribute:meta])* $name:ident)*) => {
        &[$($(#[$attribute])* (numbers::$name, stringify!($name)),)*]
    };
}

/// The numbers of all calls. Those that the libc crate lacks are defined here. The newer ones are
/// the same on every architecture (asm-generic/unistd.h).
#[allow(non_upper_case_globals, reason = "the names in the kernel's headers")]
mod numbers {
    pub(crate) use nix::libc::*;

    use super::c_long;

    // Older calls that the libc crate lacks on this architecture.
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

/// The first number that all architectures share (Linux 5.1). Programs expect that a kernel may
/// lack the calls from this number on.
pub(crate) const RECENT: c_long = 424;

/// Allowed with any arguments.
pub(crate) const ALLOWED: &[Call] = calls![
    // The child's own memory.
    SYS_brk SYS_mmap SYS_munmap SYS_mprotect SYS_mremap SYS_madvise SYS_msync SYS_mincore
    SYS_mlock SYS_mlock2 SYS_munlock SYS_mlockall SYS_munlockall SYS_membarrier SYS_memfd_create
    SYS_get_mempolicy SYS_set_mempolicy SYS_mbind SYS_pkey_mprotect SYS_pkey_alloc SYS_pkey_free
    SYS_mseal SYS_map_shadow_stack
    // Files: Landlock decides which.
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
    // Waiting for descriptors, and for time to pass.
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
    // Threads, and processes that the child starts.
    SYS_execve SYS_execveat SYS_exit SYS_exit_group SYS_wait4 SYS_waitid SYS_set_tid_address
    SYS_set_robust_list SYS_rseq SYS_futex SYS_futex_waitv SYS_futex_wake SYS_futex_wait
    SYS_futex_requeue SYS_sched_yield SYS_setsid
    #[cfg(target_arch = "x86_64")] SYS_fork
    #[cfg(target_arch = "x86_64")] SYS_vfork
    #[cfg(target_arch = "x86_64")] SYS_arch_prctl
    // Signals.
    SYS_rt_sigaction SYS_rt_sigprocmask SYS_rt_sigreturn SYS_rt_sigsuspend SYS_rt_sigpending
    SYS_rt_sigtimedwait SYS_sigaltstack SYS_restart_syscall
    // Sockets within the child: the rules for `connect` and `socket` keep it from others.
    SYS_sendmsg SYS_sendmmsg SYS_recvfrom SYS_recvmsg SYS_recvmmsg SYS_shutdown SYS_getsockname
    SYS_getpeername SYS_getsockopt SYS_setsockopt
    // Information about the child and the system.
    SYS_getpid SYS_getppid SYS_gettid SYS_getpgid SYS_getsid SYS_getuid SYS_geteuid SYS_getgid
    SYS_getegid SYS_getresuid SYS_getresgid SYS_getgroups SYS_capget SYS_getrlimit SYS_setrlimit
    SYS_getrusage SYS_getpriority SYS_ioprio_get SYS_sched_getaffinity SYS_sched_getscheduler
    SYS_sched_getparam SYS_sched_getattr SYS_sched_get_priority_max SYS_sched_get_priority_min
    SYS_sched_rr_get_interval SYS_getcpu SYS_sysinfo SYS_uname SYS_getrandom
    #[cfg(target_arch = "x86_64")] SYS_getpgrp
];

/// Allowed with certain arguments: see the rules of the filter.
pub(crate) const LIMITED: &[Call] = calls![
    SYS_socket SYS_socketpair SYS_sendto SYS_clone SYS_setpgid SYS_kill SYS_tgkill SYS_pidfd_open
    SYS_prctl SYS_fcntl SYS_ioctl SYS_prlimit64 SYS_personality SYS_setpriority SYS_ioprio_set
    SYS_sched_setaffinity SYS_sched_setscheduler SYS_sched_setparam SYS_sched_setattr
];

/// Pretended: these calls report success but do nothing. Landlock does not restrict them, and
/// `shutil.copy` and `copy2` in Python fail if they fail. The worker does not use file modes and
/// times.
pub(crate) const PRETENDED: &[Call] = calls![
    SYS_fchmod SYS_fchmodat SYS_fchmodat2 SYS_utimensat
    #[cfg(target_arch = "x86_64")] SYS_chmod
    #[cfg(target_arch = "x86_64")] SYS_utime
    #[cfg(target_arch = "x86_64")] SYS_utimes
    #[cfg(target_arch = "x86_64")] SYS_futimesat
];

/// Pretended if they name a thread or process by its id, which may belong to another program. Mesa
/// sets cores and priorities of its own threads in this way. Each call comes with the index of the
/// argument that holds the id.
pub(crate) const PRETENDED_OF_OTHERS: [(c_long, u8); 6] = [
    (libc::SYS_setpriority, 1),
    (libc::SYS_ioprio_set, 1),
    (libc::SYS_sched_setaffinity, 0),
    (libc::SYS_sched_setscheduler, 0),
    (libc::SYS_sched_setparam, 0),
    (libc::SYS_sched_setattr, 0),
];

/// Denied, like every call on no list. They are listed so that the log can name them, and to show
/// what the filter protects against.
pub(crate) const DENIED: &[Call] = calls![
    // Performs operations that the filter denies, but cannot see.
    SYS_io_uring_setup SYS_io_uring_enter SYS_io_uring_register
    // Other processes: their memory, their descriptors, their signals.
    SYS_ptrace SYS_process_vm_readv SYS_process_vm_writev SYS_process_madvise SYS_process_mrelease
    SYS_pidfd_getfd SYS_pidfd_send_signal SYS_kcmp SYS_tkill SYS_rt_sigqueueinfo
    SYS_rt_tgsigqueueinfo SYS_get_robust_list SYS_migrate_pages SYS_move_pages
    // Memory, queues and semaphores shared by all processes of the user.
    SYS_shmget SYS_shmat SYS_shmdt SYS_shmctl SYS_msgget SYS_msgsnd SYS_msgrcv SYS_msgctl SYS_semget
    SYS_semop SYS_semtimedop SYS_semctl SYS_mq_open SYS_mq_unlink SYS_mq_timedsend
    SYS_mq_timedreceive SYS_mq_notify SYS_mq_getsetattr
    // Keys, which belong to the user, not to a process.
    SYS_add_key SYS_request_key SYS_keyctl
    // Other users and more privileges.
    SYS_setuid SYS_setgid SYS_setreuid SYS_setregid SYS_setresuid SYS_setresgid SYS_setfsuid
    SYS_setfsgid SYS_setgroups SYS_capset
    // Accepting connections, and taking over addresses of other programs.
    SYS_bind SYS_listen SYS_accept SYS_accept4
    // The kernel: programs in it, page faults, modules, clocks, shutdown.
    SYS_bpf SYS_perf_event_open SYS_userfaultfd SYS_init_module SYS_finit_module SYS_delete_module
    SYS_kexec_load SYS_kexec_file_load SYS_reboot SYS_acct SYS_swapon SYS_swapoff SYS_syslog
    SYS_settimeofday SYS_clock_settime SYS_clock_adjtime SYS_adjtimex SYS_sethostname
    SYS_setdomainname SYS_quotactl SYS_quotactl_fd SYS_vhangup SYS_sync SYS_syncfs SYS_memfd_secret
    SYS_remap_file_pages SYS_set_mempolicy_home_node SYS_seccomp SYS_landlock_create_ruleset
    SYS_landlock_add_rule SYS_landlock_restrict_self
    #[cfg(target_arch = "x86_64")] SYS_iopl
    #[cfg(target_arch = "x86_64")] SYS_ioperm
    #[cfg(target_arch = "x86_64")] SYS_modify_ldt
    // Mounts and namespaces.
    SYS_mount SYS_umount2 SYS_pivot_root SYS_chroot SYS_fsopen SYS_fsconfig SYS_fsmount SYS_fspick
    SYS_open_tree SYS_open_tree_attr SYS_move_mount SYS_mount_setattr SYS_setns SYS_unshare
    SYS_statmount SYS_listmount
    // Device files, and file operations that Landlock does not restrict on every kernel.
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
    fn every_call_is_on_exactly_one_list() {
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

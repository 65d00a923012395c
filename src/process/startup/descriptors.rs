//! The descriptors that this process starts with.

use std::fs;
use std::os::fd::{BorrowedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::resource::{Resource, getrlimit};

use crate::process::system;

/// The first one that is not standard input, output or error.
const FIRST: RawFd = 3;

/// How many are looked at where nobody tells which are open.
const MANY: u64 = 65_536;

/// Keeps what is open now to this process: no program that it executes gets more of it than
/// standard input, output and error. Whoever started us may have left open what nobody
/// else should read, a file or a folder; what we open ourselves is never handed on.
///
/// They stay open here: the scene may be one (`/dev/fd/63` of a shell's `<(command)`).
pub fn keep() {
    if !system::close_on_exec_from(FIRST) {
        for descriptor in open().into_iter().filter(|&descriptor| descriptor >= FIRST) {
            close_on_exec(descriptor);
        }
    }
}

/// Those that are open, or might be.
fn open() -> Vec<RawFd> {
    if let Ok(entries) = fs::read_dir("/proc/self/fd") {
        return entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .collect();
    }
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((MANY, MANY));
    (FIRST..RawFd::try_from(limit.min(MANY)).unwrap_or(RawFd::MAX)).collect()
}

fn close_on_exec(descriptor: RawFd) {
    #[expect(unsafe_code, reason = "descriptors that nobody here owns")]
    // SAFETY: it is used for one call, which fails where it is not open.
    let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
    // What is not open need not be closed.
    _ = fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd as _;

    #[test]
    fn each_open_descriptor_is_found_and_closed_on_exec() {
        let file = tempfile::tempfile().unwrap();
        assert!(open().contains(&file.as_raw_fd()));
        let flags = |file| FdFlag::from_bits_truncate(fcntl(file, FcntlArg::F_GETFD).unwrap());
        for close in [close_on_exec as fn(RawFd), |_| keep()] {
            fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
            close(file.as_raw_fd());
            assert_eq!(flags(&file), FdFlag::FD_CLOEXEC);
        }
    }
}

//! The file descriptors that this process inherits.

use std::fs;
use std::os::fd::{BorrowedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::resource::{Resource, getrlimit};

use crate::process::system;

/// The first descriptor after standard input, output and error.
const FIRST: RawFd = 3;

/// The most descriptors that are tried if the system cannot list the open ones.
const MAX_TRIED: u64 = 65_536;

/// Marks all inherited descriptors except standard input, output and error as close-on-exec: no
/// program that this process executes gets them. The parent may have left files or folders open
/// that Blender must not read. Descriptors that the worker opens itself have the mark already.
///
/// They stay open here: the scene may be one (`/dev/fd/63` from `<(command)` in a shell).
pub fn set_close_on_exec() {
    if !system::close_on_exec_from(FIRST) {
        for descriptor in open().into_iter().filter(|&descriptor| descriptor >= FIRST) {
            close_on_exec(descriptor);
        }
    }
}

/// The open descriptors, or without `/proc` all that might be open.
fn open() -> Vec<RawFd> {
    if let Ok(entries) = fs::read_dir("/proc/self/fd") {
        return entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .collect();
    }
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((MAX_TRIED, MAX_TRIED));
    (FIRST..RawFd::try_from(limit.min(MAX_TRIED)).unwrap_or(RawFd::MAX)).collect()
}

fn close_on_exec(descriptor: RawFd) {
    #[expect(unsafe_code, reason = "inherited descriptors have no owner in this program")]
    // SAFETY: it is used for one call, which fails if the descriptor is not open.
    let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
    // A failure is ignored: the descriptor is not open.
    _ = fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd as _;

    #[test]
    fn every_open_descriptor_is_found_and_marked_close_on_exec() {
        let file = tempfile::tempfile().unwrap();
        assert!(open().contains(&file.as_raw_fd()));
        let flags = |file| FdFlag::from_bits_truncate(fcntl(file, FcntlArg::F_GETFD).unwrap());
        for mark in [close_on_exec as fn(RawFd), |_| set_close_on_exec()] {
            fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
            mark(file.as_raw_fd());
            assert_eq!(flags(&file), FdFlag::FD_CLOEXEC);
        }
    }
}

//! Denies the system calls that the filter does not allow, and logs each kind once. Without the
//! log line nobody would know why an add-on fails.
//!
//! A thread that makes such a call waits for the response. A program that makes many of them only
//! slows itself down.

use std::collections::BTreeSet;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::mpsc::Receiver;

use nix::libc::{self, c_int, c_long};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::table::{LIMITED, RECENT, name};
use crate::process::system;

/// How many different calls are logged. There are hundreds, and programs may also make up numbers.
const MAX_LOGGED: usize = 20;

/// Calls that programs make at every start and do not need: urllib3 in Python uses `socket` to test
/// for IPv6.
const HARMLESS: [c_long; 1] = [libc::SYS_socket];

/// Denies the calls that `program` and its descendants make, until all of them have ended.
pub(crate) fn deny_calls(program: &str, listener: &Receiver<OwnedFd>) {
    // Fails if the filter could not be installed.
    let Ok(listener) = listener.recv() else { return };
    let mut logged = BTreeSet::new();
    loop {
        let mut ready = [PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN)];
        match poll(&mut ready, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
        if ready.iter().any(|ready| ready.revents().intersects(PollFlags::HUP | PollFlags::ERR)) {
            return;
        }
        // Fails if the calling thread has ended since.
        let Ok(call) = system::receive_call(&listener) else { continue };
        let number = c_long::from(call.number);
        let errno = errno_for(number);
        system::fail_call(&listener, &call, errno);
        if logged.len() < MAX_LOGGED && logged.insert(number) {
            let name = name(number).map_or_else(|| format!("number {number}"), str::to_owned);
            let error = Errno::from_raw_os_error(errno);
            let message = format!(
                "{program} made a system call that the sandbox does not allow: {name}; it failed \
                 with: {error}; later ones are not logged (--sandbox, SANDBOX)"
            );
            if HARMLESS.contains(&number) {
                tracing::debug!("{message}");
            } else {
                tracing::warn!("{message}");
            }
        }
    }
}

/// The error that programs handle best: ENOSYS for recent calls that are never allowed, as if the
/// kernel did not have them, and EPERM for the others.
pub(crate) fn errno_for(number: c_long) -> c_int {
    let is_limited = LIMITED.iter().any(|&(limited, _)| limited == number);
    if number >= RECENT && !is_limited { libc::ENOSYS } else { libc::EPERM }
}

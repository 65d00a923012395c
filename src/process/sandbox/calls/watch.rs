//! What the filter does not know is handed over to here, answered with an error, and told once:
//! an add-on that fails for that is an add-on that needs something else, and nobody would know.
//!
//! A call that is handed over waits for its answer. Whoever makes many of them slows itself
//! down and nobody else.

use std::collections::BTreeSet;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::mpsc::Receiver;

use nix::libc::{self, c_int, c_long};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::table::{LIMITED, RECENT, name};
use crate::process::system;

/// How many different calls are told of. There are hundreds, and numbers without a call.
const TOLD: usize = 20;

/// Calls that programs make at every start, and do without: Python's urllib3 asks whether there is
/// IPv6.
const EVERYBODYS: [c_long; 1] = [libc::SYS_socket];

/// Answers what is handed over by `program`, until nothing of it is left.
pub(crate) fn answer(program: &str, listener: &Receiver<OwnedFd>) {
    // None comes where there is no filter in the end.
    let Ok(listener) = listener.recv() else { return };
    let mut told = BTreeSet::new();
    loop {
        let mut ready = [PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN)];
        match poll(&mut ready, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
        if ready.iter().any(|ready| ready.revents().intersects(PollFlags::HUP | PollFlags::ERR)) {
            return;
        }
        // Whoever made it may have ended meanwhile.
        let Ok(call) = system::next_call(&listener) else { continue };
        let number = c_long::from(call.number);
        let error = error_of(number);
        system::answer_call(&listener, &call, error);
        if told.len() < TOLD && told.insert(number) {
            let name = name(number).map_or_else(|| format!("number {number}"), str::to_owned);
            let error = Errno::from_raw_os_error(error);
            let told = format!(
                "{program} made a system call that the sandbox does not allow: {name}; it was \
                 denied ({error}), now and whenever it comes again (--sandbox, SANDBOX)"
            );
            if EVERYBODYS.contains(&number) {
                tracing::debug!("{told}");
            } else {
                tracing::warn!("{told}");
            }
        }
    }
}

/// What a program understands best.
pub(crate) fn error_of(number: c_long) -> c_int {
    let is_there = LIMITED.iter().any(|&(limited, _)| limited == number);
    if number >= RECENT && !is_there { libc::ENOSYS } else { libc::EPERM }
}

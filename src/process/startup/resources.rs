//! What the system must grant this process before it begins: threads and descriptors. A job
//! that runs out of them fails somewhere, in words that name neither.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::thread::Builder;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// How many threads the worker has when it has most to do, and some for what it starts.
const THREADS: usize = 16;

/// How many descriptors it has open when it has most to do: transfers, files, pipes.
const DESCRIPTORS: u64 = 64;

/// As many as programs are used to be allowed.
const USUAL: u64 = 1024;

/// What the system does not grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// No more threads than so many.
    Threads(usize),
    /// No more descriptors than so many.
    Descriptors(u64),
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Threads(granted) => write!(
                f,
                "the system lets this process have {granted} more threads, and {THREADS} are \
                 needed: RLIMIT_NPROC (ulimit -u), which counts all of the user's, or the limit \
                 of the container (docker run --pids-limit) is too low"
            ),
            Self::Descriptors(granted) => write!(
                f,
                "the system lets this process open {granted} files at once, and {DESCRIPTORS} are \
                 needed: RLIMIT_NOFILE (ulimit -n, docker run --ulimit nofile) is too low"
            ),
        }
    }
}

impl Error for Lack {}

/// Finds out whether there is enough. Of descriptors, takes as many as are usual where
/// fewer are granted for a start.
///
/// # Errors
/// What there is not enough of.
pub fn ensure() -> Result<(), Lack> {
    let (granted, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((USUAL, USUAL));
    let wanted = USUAL.min(most);
    let raised = granted < wanted && setrlimit(Resource::RLIMIT_NOFILE, wanted, most).is_ok();
    let granted = if raised { wanted } else { granted };
    if granted < DESCRIPTORS {
        return Err(Lack::Descriptors(granted));
    }
    match threads() {
        THREADS.. => Ok(()),
        granted => Err(Lack::Threads(granted)),
    }
}

/// How many threads can be had at once, of those that are needed.
fn threads() -> usize {
    let gate = Arc::new(Mutex::new(()));
    // Until all that can be had are there, none of them ends.
    let closed = gate.lock();
    let started: Vec<_> = (0..THREADS)
        .map_while(|_| {
            let gate = Arc::clone(&gate);
            Builder::new().spawn(move || drop(gate.lock())).ok()
        })
        .collect();
    drop(closed);
    let granted = started.len();
    for thread in started {
        // They do nothing that could panic.
        _ = thread.join();
    }
    granted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_tests_can_run_on_has_enough() {
        assert_eq!(ensure(), Ok(()));
    }

    #[test]
    fn what_lacks_is_named_with_its_limits() {
        let threads = Lack::Threads(3).to_string();
        for word in [" 3 more threads", "16 are needed", "RLIMIT_NPROC", "--pids-limit"] {
            assert!(threads.contains(word), "{threads}");
        }
        let descriptors = Lack::Descriptors(8).to_string();
        for word in ["open 8 files", "64 are needed", "RLIMIT_NOFILE", "--ulimit nofile"] {
            assert!(descriptors.contains(word), "{descriptors}");
        }
    }
}

//! Checks the resource limits before work begins: threads and descriptors. A job that runs out of
//! either fails later, with an error that does not name the limit.

use std::sync::{Arc, Mutex};
use std::thread::Builder;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use thiserror::Error;

/// The most threads that the worker runs at once, and some for the programs that it starts.
const THREADS: usize = 16;

/// The most descriptors that the worker opens at once: transfers, files, pipes.
const DESCRIPTORS: u64 = 64;

/// The usual soft limit on descriptors, which most programs expect.
const USUAL_DESCRIPTORS: u64 = 1024;

/// A resource limit that is too low for the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Shortage {
    /// The process can start only this many threads.
    #[error(
        "this process can start {0} more threads, and {THREADS} are needed: RLIMIT_NPROC \
         (ulimit -u), which counts all threads of the user, or the container's limit (docker run \
         --pids-limit) is too low"
    )]
    Threads(usize),
    /// The process can open only this many descriptors.
    #[error(
        "this process can open {0} files at once, and {DESCRIPTORS} are needed: \
         RLIMIT_NOFILE (ulimit -n, docker run --ulimit nofile) is too low"
    )]
    Descriptors(u64),
}

/// Checks that there are enough threads and descriptors. Raises the soft limit on descriptors to
/// the usual value if it is lower.
///
/// # Errors
/// The [`Shortage`], if there are too few.
pub fn ensure() -> Result<(), Shortage> {
    let (soft, hard) =
        getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((USUAL_DESCRIPTORS, USUAL_DESCRIPTORS));
    let wanted = USUAL_DESCRIPTORS.min(hard);
    let raised = soft < wanted && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_ok();
    let available = if raised { wanted } else { soft };
    if available < DESCRIPTORS {
        return Err(Shortage::Descriptors(available));
    }
    match available_threads() {
        THREADS.. => Ok(()),
        available => Err(Shortage::Threads(available)),
    }
}

/// Starts threads to find out how many can run at once, up to [`THREADS`].
fn available_threads() -> usize {
    let gate = Arc::new(Mutex::new(()));
    // No thread ends before all of them have been started.
    let closed = gate.lock();
    let started: Vec<_> = (0..THREADS)
        .map_while(|_| {
            let gate = Arc::clone(&gate);
            Builder::new().spawn(move || drop(gate.lock())).ok()
        })
        .collect();
    drop(closed);
    let available = started.len();
    for thread in started {
        // An error means a panic, and these threads cannot panic.
        _ = thread.join();
    }
    available
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_runs_these_tests_has_enough_resources() {
        assert_eq!(ensure(), Ok(()));
    }

    #[test]
    fn a_shortage_names_the_limits_to_raise() {
        let threads = Shortage::Threads(3).to_string();
        for word in [" 3 more threads", "16 are needed", "RLIMIT_NPROC", "--pids-limit"] {
            assert!(threads.contains(word), "{threads}");
        }
        let descriptors = Shortage::Descriptors(8).to_string();
        for word in ["open 8 files", "64 are needed", "RLIMIT_NOFILE", "--ulimit nofile"] {
            assert!(descriptors.contains(word), "{descriptors}");
        }
    }
}

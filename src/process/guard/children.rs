//! The children that are running. They and what they started are no orphans.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::unistd::Pid;

static RUNNING: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// The children that are running, each with its process group of the same id. While this is held,
/// no child is started.
#[derive(Debug)]
pub struct RunningChildren(MutexGuard<'static, BTreeSet<i32>>);

impl RunningChildren {
    /// Waits until no child is being started.
    pub fn lock() -> Self {
        // A set of numbers is valid at any time.
        Self(RUNNING.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The ids of the children.
    pub fn ids(&self) -> &BTreeSet<i32> {
        &self.0
    }
}

/// A child in the list. It is taken off when this is dropped: do so once the child was waited for.
#[derive(Debug)]
pub struct Listed(Pid);

impl Drop for Listed {
    fn drop(&mut self) {
        RunningChildren::lock().0.remove(&self.0.as_raw());
    }
}

/// Starts a child and puts it on the list, before anybody can take it for an orphan.
///
/// # Errors
/// Those of `start`.
pub fn start_listed<T>(
    start: impl FnOnce() -> io::Result<(T, Option<Pid>)>,
) -> io::Result<(T, Option<Listed>)> {
    let mut running = RunningChildren::lock();
    let (started, pid) = start()?;
    let listed = pid.map(|pid| {
        running.0.insert(pid.as_raw());
        Listed(pid)
    });
    Ok((started, listed))
}

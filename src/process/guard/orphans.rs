//! Orphans: descendants that outlive the child that started them.
//!
//! A process can leave its group and its session, but not its ancestry: when its parent ends,
//! the nearest *subreaper* above becomes its parent (`PR_SET_CHILD_SUBREAPER` in `prctl(2)`). That
//! is the worker. Invariant: the worker starts each child with
//! [`Running`](crate::process::supervisor::Running). So after a child has ended, every descendant of
//! the worker that did not exist before it is an orphan, except for other [`children`] that are
//! running, their descendants and their groups. Credential [helpers](crate::helpers) of the AWS SDK
//! are the only other exception: nothing is reaped or killed while one is running.
//!
//! [`children`]: super::children

use std::collections::{BTreeMap, BTreeSet};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::prctl;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, getpid};
use rustix::process::{WaitOptions, waitpid};

use super::children::RunningChildren;
use crate::helpers::HelpersLocked;
use crate::process::system;
use crate::process::table::{Process, processes};

/// How long [`kill_all`] tries. Killing takes milliseconds, unless a process forks faster than it
/// is found, or hangs in a system call.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// The pause before the next look for survivors. There is none after a round that found new
/// processes.
const KILL_INTERVAL: Duration = Duration::from_millis(2);

/// How long [`kill_all`] waits for credential helpers of the AWS SDK: the SDK gives up earlier.
const HELPER_TIMEOUT: Duration = Duration::from_mins(1);

/// Makes this process a child subreaper: orphans among its descendants become its children.
pub fn adopt() {
    // Fails only for an invalid argument.
    _ = prctl::set_child_subreaper(true);
}

/// The processes that exist before a child is started. They must survive it.
#[derive(Debug)]
pub struct PreExisting {
    /// Our descendants. There are some if a shell started background jobs and then executed the
    /// worker.
    descendants: BTreeSet<i32>,
    /// All process groups, including our own.
    groups: BTreeSet<i32>,
}

impl PreExisting {
    /// The processes that exist now.
    pub fn now() -> Self {
        Self::among(getpid().as_raw(), &processes())
    }

    fn among(us: i32, processes: &[Process]) -> Self {
        let none = Self { descendants: BTreeSet::new(), groups: BTreeSet::new() };
        let descendants = none.orphans(us, processes, &BTreeSet::new()).into_keys().collect();
        Self { descendants, groups: processes.iter().map(|process| process.group).collect() }
    }

    /// Finds the descendants of `us` that are neither pre-existing nor `running` children nor descend
    /// from those. Each is returned with its process group, if that may be killed as a whole.
    ///
    /// A process may join any group of its session, even its shell's. So a group that existed
    /// before the child, or has an unrelated leader, is left alone.
    fn orphans(
        &self,
        us: i32,
        processes: &[Process],
        running: &BTreeSet<i32>,
    ) -> BTreeMap<i32, Option<i32>> {
        let mut children: BTreeMap<i32, Vec<&Process>> = BTreeMap::new();
        for process in processes {
            children.entry(process.parent).or_default().push(process);
        }
        let mut found = BTreeMap::new();
        let mut parents = vec![us];
        while let Some(parent) = parents.pop() {
            for process in children.remove(&parent).into_iter().flatten() {
                let is_running = running.contains(&process.id) || running.contains(&process.group);
                if !self.descendants.contains(&process.id) && !is_running {
                    found.insert(process.id, Some(process.group));
                    parents.push(process.id);
                }
            }
        }
        let unrelated: BTreeSet<i32> =
            processes.iter().map(|p| p.id).filter(|id| !found.contains_key(id)).collect();
        for group in found.values_mut() {
            *group = group.filter(|g| !self.groups.contains(g) && !unrelated.contains(g));
        }
        found
    }
}

/// Reaps the orphans that have ended, so that none stays a zombie. Does nothing while a credential
/// helper is running: a later call reaps them. Never reaps a running child: its supervisor waits for
/// it.
pub fn reap() {
    if let Some(_alone) = HelpersLocked::try_acquire() {
        reap_all(RunningChildren::lock().ids());
    }
}

fn reap_all(running: &BTreeSet<i32>) {
    // Once a child has ended, the kernel reports it again and again, and hides other ended
    // processes behind it. These are reaped after its supervisor has waited for it.
    while let Some(ended) = system::ended_child().filter(|id| !running.contains(&id.as_raw())) {
        let id = rustix::process::Pid::from_raw(ended.as_raw());
        if waitpid(id, WaitOptions::NOHANG).is_err() {
            return;
        }
    }
}

/// Kills every descendant of this process except `pre_existing` and running ones, and waits until
/// all are gone. Blocks, usually for a few milliseconds. Logs a warning and gives up after
/// `KILL_TIMEOUT`.
pub fn kill_all(pre_existing: &PreExisting) {
    let _alone = HelpersLocked::acquire_within(HELPER_TIMEOUT);
    let began = Instant::now();
    let mut killed = BTreeSet::new();
    loop {
        let running = RunningChildren::lock();
        reap_all(running.ids());
        let left = pre_existing.orphans(getpid().as_raw(), &processes(), running.ids());
        if left.is_empty() {
            break;
        }
        if began.elapsed() > KILL_TIMEOUT {
            tracing::warn!("cannot kill {} left behind by the program", counted(left.len()));
            return;
        }
        let found_new = left.keys().any(|pid| !killed.contains(pid));
        for (&pid, &group) in &left {
            // Signal the group as a whole, so that no member can fork in between.
            if let Some(group) = group {
                _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
            }
            _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        drop(running);
        killed.extend(left.into_keys());
        if !found_new {
            sleep(KILL_INTERVAL);
        }
    }
    if !killed.is_empty() {
        tracing::warn!("killed {} left behind by the program", counted(killed.len()));
    }
}

fn counted(processes: usize) -> String {
    if processes == 1 { "1 process".to_owned() } else { format!("{processes} processes") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(id: i32, parent: i32, group: i32) -> Process {
        Process { id, parent, group, cpu: 0 }
    }

    #[test]
    fn orphans_are_later_descendants_and_unrelated_groups_are_spared() {
        const US: i32 = 10;
        let shell = [process(5, 1, 5), process(6, 5, 6), process(US, 5, US), process(11, US, US)];
        let pre_existing = PreExisting::among(US, &shell);
        let later = [
            process(7, 5, 7),    // the shell's next job
            process(13, 12, 13), // listed before its parent
            process(12, US, 12),
            process(14, US, 12),
            process(15, US, 4711), // its group leader has ended
            process(16, US, 5),
            process(17, US, 6),
            process(18, US, US),
            process(19, US, 7),
            process(20, 11, 20), // child of a pre-existing process
            process(30, US, 30), // a running child
            process(31, 30, 31),
            process(32, US, 30), // left behind by one of its descendants
        ];
        let now = [&shell[..], &later].concat();
        let without_group = |id| (id, None);
        let expected = [(12, Some(12)), (13, Some(13)), (14, Some(12)), (15, Some(4711))];
        let expected = expected.into_iter().chain([16, 17, 18, 19].map(without_group)).collect();
        assert_eq!(pre_existing.orphans(US, &now, &BTreeSet::from([30])), expected);
    }
}

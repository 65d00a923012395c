//! Descendants that outlive the child that started them.
//!
//! A process can leave its group and its session, but not its ancestry: when its parent
//! ends it becomes the child of the next *subreaper* above (`PR_SET_CHILD_SUBREAPER` in
//! `prctl(2)`), and that is the worker. Invariant: whatever the worker starts, one at a
//! time, is started by [`Running`](crate::process::supervisor::Running). So when that child has
//! ended, every descendant of the worker that was not there before is a survivor.
//! [Helpers](crate::helpers) of the AWS SDK are the one exception: nothing is reaped or killed
//! while one is at work.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::prctl;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, getpid};
use rustix::process::{WaitOptions, waitpid};

use crate::helpers::NoHelper;
use crate::process::system;
use crate::process::table::{Process, processes};

/// How long survivors are hunted. Killing takes milliseconds; only what forks faster
/// than it is found, or hangs in a system call, takes longer.
const LIMIT: Duration = Duration::from_secs(5);

/// How long the killed are given before they are looked for again, after a first round
/// without a pause.
const PAUSE: Duration = Duration::from_millis(2);

/// Has orphans of this process's descendants become its children.
pub fn adopt() {
    // Fails only for an invalid argument.
    _ = prctl::set_child_subreaper(true);
}

/// What is there before a child is started, and none of its business.
#[derive(Debug)]
pub struct PreExisting {
    /// Descendants of ours: a shell that did something in the background before it executed
    /// the worker leaves some.
    descendants: BTreeSet<i32>,
    /// Process groups, ours among them.
    groups: BTreeSet<i32>,
}

impl PreExisting {
    /// Those of this moment.
    pub fn now() -> Self {
        Self::among(getpid().as_raw(), &processes())
    }

    fn among(us: i32, processes: &[Process]) -> Self {
        let nobody = Self { descendants: BTreeSet::new(), groups: BTreeSet::new() };
        let descendants = nobody.orphans(us, processes).into_keys().collect();
        Self { descendants, groups: processes.iter().map(|process| process.group).collect() }
    }

    /// The descendants of `us` that are not pre-existing, nor children of those, each with its
    /// process group, if that may be killed as a whole. Whoever is in a session may join any group
    /// in it, that of a shell too: a group that is older than the child, or is led by
    /// somebody else, is not to be harmed.
    fn orphans(&self, us: i32, processes: &[Process]) -> BTreeMap<i32, Option<i32>> {
        let mut children: BTreeMap<i32, Vec<&Process>> = BTreeMap::new();
        for process in processes {
            children.entry(process.parent).or_default().push(process);
        }
        let mut found = BTreeMap::new();
        let mut parents = vec![us];
        while let Some(parent) = parents.pop() {
            for process in children.remove(&parent).into_iter().flatten() {
                if !self.descendants.contains(&process.id) {
                    found.insert(process.id, Some(process.group));
                    parents.push(process.id);
                }
            }
        }
        let strangers: BTreeSet<i32> =
            processes.iter().map(|p| p.id).filter(|id| !found.contains_key(id)).collect();
        for group in found.values_mut() {
            *group = group.filter(|g| !self.groups.contains(g) && !strangers.contains(g));
        }
        found
    }
}

/// How long helpers of the AWS SDK are waited for: by then they are given up.
const HELPERS: Duration = Duration::from_mins(1);

/// Waits for those orphans that have ended, so that none stays a zombie; later, while a helper
/// is at work. `child` is another's to wait for.
pub fn reap(child: Option<Pid>) {
    if let Some(_alone) = NoHelper::now() {
        reap_all(child);
    }
}

fn reap_all(child: Option<Pid>) {
    // The kernel names the child again and again, and hides what comes behind it: that is
    // reaped when the child has been waited for.
    while let Some(ended) = system::ended_child().filter(|&ended| Some(ended) != child) {
        let id = rustix::process::Pid::from_raw(ended.as_raw());
        if waitpid(id, WaitOptions::NOHANG).is_err() {
            return;
        }
    }
}

/// Kills every descendant of this process but `pre_existing`, and waits until none is left.
/// Blocks, for a few milliseconds as a rule; gives up, with a warning, after `LIMIT`.
///
/// Must not be called while a child is running that is to live.
pub fn end_all(pre_existing: &PreExisting) {
    let _alone = NoHelper::within(HELPERS);
    let began = Instant::now();
    let mut ended = BTreeSet::new();
    loop {
        reap_all(None);
        let left = pre_existing.orphans(getpid().as_raw(), &processes());
        if left.is_empty() {
            break;
        }
        if began.elapsed() > LIMIT {
            tracing::warn!("{} left behind and cannot be ended", counted(left.len()));
            return;
        }
        let anew = left.keys().any(|pid| !ended.contains(pid));
        for (&pid, &group) in &left {
            // The group as a whole: no member can fork while it is signalled.
            if let Some(group) = group {
                _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
            }
            _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        ended.extend(left.into_keys());
        if !anew {
            sleep(PAUSE);
        }
    }
    if !ended.is_empty() {
        tracing::warn!("{} left behind by the program that ended: killed", counted(ended.len()));
    }
}

fn counted(processes: usize) -> String {
    if processes == 1 { "1 process was".to_owned() } else { format!("{processes} processes were") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(id: i32, parent: i32, group: i32) -> Process {
        Process { id, parent, group, cpu: 0 }
    }

    #[test]
    fn all_that_came_later_is_found_and_no_group_of_others() {
        const US: i32 = 10;
        let shell = [process(5, 1, 5), process(6, 5, 6), process(US, 5, US), process(11, US, US)];
        let pre_existing = PreExisting::among(US, &shell);
        let later = [
            process(7, 5, 7),    // the shell's next job
            process(13, 12, 13), // listed before its parent
            process(12, US, 12),
            process(14, US, 12),
            process(15, US, 4711), // of a leader that has ended
            process(16, US, 5),
            process(17, US, 6),
            process(18, US, US),
            process(19, US, 7),
            process(20, 11, 20), // a bystander's
        ];
        let now = [&shell[..], &later].concat();
        let alone = |id| (id, None);
        let expected = [(12, Some(12)), (13, Some(13)), (14, Some(12)), (15, Some(4711))];
        let expected = expected.into_iter().chain([16, 17, 18, 19].map(alone)).collect();
        assert_eq!(pre_existing.orphans(US, &now), expected);
    }
}

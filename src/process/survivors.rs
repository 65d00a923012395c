//! Descendants that outlive the child that started them.
//!
//! A process can leave its group and its session, but not its ancestry: when its parent
//! ends it becomes the child of the next *subreaper* above (`PR_SET_CHILD_SUBREAPER` in
//! `prctl(2)`), and that is the worker. Invariant: whatever the worker starts, one at a
//! time, is started by [`Running`](super::supervisor::Running). So when that child has
//! ended, every descendant of the worker that was not there before is a survivor.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::prctl;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid, waitpid};
use nix::unistd::{Pid, getpgrp, getpid};

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

/// The descendants that are there before a child is started: a shell that did something
/// in the background before it executed the worker leaves some.
#[derive(Debug)]
pub struct Bystanders(BTreeSet<Pid>);

impl Bystanders {
    /// Those of this moment.
    pub fn now() -> Self {
        Self(descendants(getpid(), &BTreeSet::new()).into_keys().collect())
    }
}

/// Waits for those orphans that have ended, so that none stays a zombie. `child` is
/// another's to wait for.
pub fn reap(child: Option<Pid>) {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    while let Ok(status) = waitid(Id::All, flags) {
        match status.pid() {
            // The kernel names it again and again, and hides what comes behind it: that
            // is reaped when the child has been waited for.
            Some(pid) if Some(pid) == child => return,
            Some(pid) => _ = waitpid(pid, Some(WaitPidFlag::WNOHANG)),
            None => return,
        }
    }
}

/// Kills every descendant of this process but `bystanders`, and waits until none is left.
/// Blocks, for a few milliseconds as a rule; gives up, with a warning, after `LIMIT`.
///
/// Must not be called while a child is running that is to live.
pub fn end_all(bystanders: &Bystanders) {
    let began = Instant::now();
    let mut ended = BTreeSet::new();
    loop {
        reap(None);
        let left = descendants(getpid(), &bystanders.0);
        if left.is_empty() {
            break;
        }
        if began.elapsed() > LIMIT {
            tracing::warn!("{} processes that were left behind do not end", left.len());
            return;
        }
        let anew = left.keys().any(|pid| !ended.contains(pid));
        for (&pid, &group) in &left {
            // The group as a whole: no member can fork while it is signalled.
            if group != getpgrp() {
                _ = killpg(group, Signal::SIGKILL);
            }
            _ = kill(pid, Signal::SIGKILL);
        }
        ended.extend(left.into_keys());
        if !anew {
            sleep(PAUSE);
        }
    }
    if !ended.is_empty() {
        tracing::warn!("ended {} processes that were left behind", ended.len());
    }
}

/// The descendants of a process without `others` and theirs, and the process group of
/// each. None where there is no `/proc` to tell.
fn descendants(of: Pid, others: &BTreeSet<Pid>) -> BTreeMap<Pid, Pid> {
    let mut children: BTreeMap<Pid, Vec<(Pid, Pid)>> = BTreeMap::new();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    for process in processes {
        let name = process.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        let stat = fs::read(process.path().join("stat")).unwrap_or_default();
        if let Some((parent, group)) = parent_and_group(&stat) {
            children.entry(parent).or_default().push((Pid::from_raw(pid), group));
        }
    }
    let mut found = BTreeMap::new();
    let mut parents = vec![of];
    while let Some(parent) = parents.pop() {
        for (pid, group) in children.remove(&parent).into_iter().flatten() {
            if !others.contains(&pid) {
                found.insert(pid, group);
                parents.push(pid);
            }
        }
    }
    found
}

/// Fields 4 and 5 of `/proc/PID/stat`. Field 2 is the program's name, in parentheses:
/// it may hold spaces and parentheses itself (`proc_pid_stat(5)`).
fn parent_and_group(stat: &[u8]) -> Option<(Pid, Pid)> {
    let name_end = stat.iter().rposition(|&byte| byte == b')')?;
    let rest = stat.get(name_end + 1..)?;
    let mut fields = str::from_utf8(rest).ok()?.split_ascii_whitespace().skip(1);
    let mut pid = || fields.next()?.parse().ok().map(Pid::from_raw);
    Some((pid()?, pid()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_program_does_not_hide_its_parent() {
        let read = |text: &[u8]| parent_and_group(text);
        let pids = |parent, group| Some((Pid::from_raw(parent), Pid::from_raw(group)));
        assert_eq!(read(b"12 (sh) S 7 8 8 0 -1"), pids(7, 8));
        assert_eq!(read(b"12 (a) S 1 (b) R 7 8 8 0"), pids(7, 8));
        assert_eq!(read(b"12 (\xff) R 7 8 8 0"), pids(7, 8));
        for bad in [&b""[..], b"12", b"12 (sh)", b"12 (sh) S", b"12 (sh) S 7", b"12 (sh) S x 8"] {
            assert_eq!(read(bad), None);
        }
    }
}

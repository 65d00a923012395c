//! Samples of a child's activity: the CPU time that it and its descendants have used, and the files
//! that they have written.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::SystemTime;

use nix::unistd::Pid;
use walkdir::WalkDir;

use crate::process::table::{Process, processes};

/// How many files and folders are examined. A scene may write millions of files, but it uses CPU
/// time for each of them.
const MAX_ENTRIES: usize = 10_000;

/// A child's activity up to one moment. If two samples differ, the child was active in between.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// CPU time by process, in clock ticks. `None` if it is unknown: without `/proc`, or if `/proc`
    /// belongs to another PID namespace.
    cpu: Option<BTreeMap<i32, u64>>,
    /// The number of files.
    files: usize,
    /// The total size of the files, in bytes.
    bytes: u64,
    /// The latest modification time of a file.
    modified: Option<SystemTime>,
}

impl Activity {
    /// Takes a sample of the processes of `group`, their descendants, and the files in `folders`.
    /// Blocks for a moment.
    pub fn now(group: Option<Pid>, folders: &[PathBuf]) -> Self {
        let mut activity = Self::default();
        if let Some(group) = group {
            let processes = processes();
            // A group has no processes once the child has ended.
            activity.cpu = (!processes.is_empty()).then(|| cpu(group.as_raw(), &processes));
        }
        let entries = folders.iter().flat_map(WalkDir::new).filter_map(Result::ok);
        let metadata = entries.take(MAX_ENTRIES).filter_map(|entry| entry.metadata().ok());
        for file in metadata.filter(std::fs::Metadata::is_file) {
            activity.files += 1;
            activity.bytes = activity.bytes.wrapping_add(file.len());
            activity.modified = activity.modified.max(file.modified().ok());
        }
        activity
    }

    /// Whether the child's CPU time is unknown.
    pub fn is_unknown(&self) -> bool {
        self.cpu.is_none()
    }
}

/// The CPU time of the processes in `group` and their descendants, by process id.
fn cpu(group: i32, processes: &[Process]) -> BTreeMap<i32, u64> {
    let mut found: BTreeMap<i32, u64> = BTreeMap::new();
    loop {
        let before = found.len();
        for process in processes {
            if process.group == group || found.contains_key(&process.parent) {
                found.insert(process.id, process.cpu);
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(id: i32, parent: i32, group: i32, cpu: u64) -> Process {
        Process { id, parent, group, cpu }
    }

    #[test]
    fn cpu_time_is_that_of_a_group_and_its_descendants() {
        let processes = [
            process(13, 12, 99, 4), // listed before its parent
            process(10, 1, 10, 1),
            process(11, 10, 10, 2),
            process(12, 10, 12, 3),
            process(20, 1, 20, 5),
        ];
        assert_eq!(cpu(10, &processes), [(10, 1), (11, 2), (12, 3), (13, 4)].into());
    }

    #[test]
    fn cpu_time_and_files_are_sampled() {
        let group = nix::unistd::getpgrp();
        let folder = tempfile::tempdir().unwrap();
        let folders = [folder.path().to_owned()];
        let before = Activity::now(Some(group), &folders);
        let files = |activity: &Activity| (activity.files, activity.bytes);
        assert!(!before.is_unknown());
        assert_eq!(files(&before), (0, 0));
        std::fs::create_dir(folder.path().join("deeper")).unwrap();
        std::fs::write(folder.path().join("deeper/file"), "text").unwrap();
        let after = Activity::now(None, &folders);
        assert_eq!(files(&after), (1, 4));
        assert!(after.modified.is_some());
        let ended = Activity::now(Some(Pid::from_raw(i32::MAX)), &[]);
        assert!(!ended.is_unknown(), "a child that has ended is not one without /proc");
        let used = || cpu(group.as_raw(), &processes()).values().sum::<u64>();
        let start = used();
        while used() == start {
            std::hint::black_box((0..100_000u64).sum::<u64>());
        }
    }
}

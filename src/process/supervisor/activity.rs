//! Whether a child still does anything: the CPU time that it and its descendants have
//! used, and the files that they have written.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::SystemTime;

use nix::unistd::Pid;
use walkdir::WalkDir;

use crate::process::table::{Process, processes};

/// How many files are looked at. A scene may write millions; nothing it writes comes
/// alone.
const FILES: usize = 10_000;

/// What a child has done so far. It has done something since if this is another one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// CPU time by process, in clock ticks; `None` where nobody tells: without `/proc`, or
    /// with that of another PID namespace.
    cpu: Option<BTreeMap<i32, u64>>,
    /// How many files there are.
    files: usize,
    /// Their length in bytes.
    bytes: u64,
    /// When the latest of them was written.
    written: Option<SystemTime>,
}

impl Activity {
    /// What the processes of `group`, their descendants and the files in `folders` tell
    /// now. Blocks for a moment.
    pub fn now(group: Option<Pid>, folders: &[PathBuf]) -> Self {
        let mut activity = Self::default();
        if let Some(group) = group {
            let cpu = cpu(group.as_raw(), &processes());
            activity.cpu = Some(cpu).filter(|cpu| !cpu.is_empty());
        }
        let entries = folders.iter().flat_map(WalkDir::new).filter_map(Result::ok);
        let metadata = entries.take(FILES).filter_map(|entry| entry.metadata().ok());
        for file in metadata.filter(std::fs::Metadata::is_file) {
            activity.files += 1;
            activity.bytes = activity.bytes.wrapping_add(file.len());
            activity.written = activity.written.max(file.modified().ok());
        }
        activity
    }

    /// Whether nobody can tell if the child computes.
    pub fn is_unknown(&self) -> bool {
        self.cpu.is_none()
    }
}

/// The CPU time of the processes that are in `group` or descend from one that is.
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
    fn a_group_and_its_descendants_count_and_nobody_else() {
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
    fn work_and_files_are_seen() {
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
        assert!(after.written.is_some());
        assert!(Activity::now(Some(Pid::from_raw(i32::MAX)), &[]).is_unknown());
        let used = || cpu(group.as_raw(), &processes()).values().sum::<u64>();
        let start = used();
        while used() == start {
            std::hint::black_box((0..100_000u64).sum::<u64>());
        }
    }
}

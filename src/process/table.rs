//! The process table, from `/proc/PID/stat`. The kernel guarantees the layout of these files
//! (`proc_pid_stat(5)`), and only five fields are needed: not enough for a crate that parses all
//! of `/proc`.

use std::fs;

use nix::unistd::getpid;

/// The fields of one process that this crate uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub id: i32,
    pub parent: i32,
    /// The process group.
    pub group: i32,
    /// CPU time used, user and system, in clock ticks.
    pub cpu: u64,
}

impl Process {
    /// Parses `/proc/PID/stat`. The name, in parentheses, may contain any bytes, invalid UTF-8
    /// and parentheses included.
    fn parse(stat: &[u8]) -> Option<Self> {
        let stat = String::from_utf8_lossy(stat);
        let (id, rest) = stat.split_once(" (")?;
        let (_name, rest) = rest.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let number = |at: usize| fields.get(at)?.trim().parse::<u64>().ok();
        Some(Self {
            id: id.parse().ok()?,
            // Fields 4, 5, 14 and 15, counted from 1; the state is field 3.
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            cpu: number(11)?.wrapping_add(number(12)?),
        })
    }
}

/// Lists every visible process. Empty without `/proc`, or if `/proc` belongs to another PID
/// namespace: our ids mean other processes there.
pub(crate) fn processes() -> Vec<Process> {
    let us = fs::read("/proc/self/stat").ok().and_then(|stat| Process::parse(&stat));
    if us.is_none_or(|us| us.id != getpid().as_raw()) {
        return Vec::new();
    }
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit))
        // A process that has ended since cannot be read.
        .filter_map(|entry| fs::read(entry.path().join("stat")).ok())
        .filter_map(|stat| Process::parse(&stat))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_parsed_for_any_process_name() {
        let numbers = "S 17 4710 4709 0 -1 4194560 7 0 0 0 250 13 99 98 20 0 1 0 5 6 7 1844\n";
        for name in [&b"(sh)"[..], b"(a) (R 1 2 (b)", b"(\xff)", b"()"] {
            let stat = [&b"4711 ("[..], name, b") ", numbers.as_bytes()].concat();
            let parsed = Process { id: 4711, parent: 17, group: 4710, cpu: 263 };
            assert_eq!(Process::parse(&stat), Some(parsed), "{name:?}");
        }
        for broken in ["", "1", "1 (a", "1 (a) S 1 2 3", "x (a) S 1 2 3 4 5 6 7 8 9 0 1 2 3"] {
            assert_eq!(Process::parse(broken.as_bytes()), None, "{broken}");
        }
    }

    #[test]
    fn the_list_contains_this_process() {
        let id = i32::try_from(std::process::id()).unwrap();
        let group = nix::unistd::getpgrp().as_raw();
        assert!(processes().iter().any(|process| (process.id, process.group) == (id, group)));
    }
}

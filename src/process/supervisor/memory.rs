//! Detects out-of-memory kills. The kernel counts them in the worker's control group (v1 or v2), in
//! containers and on hosts.
//!
//! Sources: the kernel's `Documentation/admin-guide/cgroup-v2.rst` (memory.events: `oom_kill`
//! counts the processes of the group and of those below it that were killed by any kind of
//! out-of-memory killer) and `cgroup-v1/memory.rst`; cgroups(7).

use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::resource::{UsageWho, getrusage};

use crate::ending::Killer;

/// A limit of v1 from this value on, in bytes, means that there is no limit: the kernel reports a
/// value near 2^63.
const NO_LIMIT: u64 = 1 << 60;

/// The control group that accounts for the worker's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Group {
    /// A group of v2: its folder, and the mount point of the hierarchy.
    Unified { folder: PathBuf, top: PathBuf },
    /// A group of v1.
    Legacy { folder: PathBuf },
}

/// Watches for out-of-memory kills.
#[derive(Debug)]
pub struct MemoryWatch {
    group: Option<Group>,
    /// The kernel's count when this watch began.
    kills: u64,
}

impl MemoryWatch {
    /// Starts to count.
    pub fn begin() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let group = find(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"));
        let kills = group.as_ref().and_then(Group::kills).unwrap_or_default();
        Self { group, kills }
    }

    /// The number of processes in this container that the kernel has killed for lack of memory
    /// since [`MemoryWatch::begin`].
    pub fn kills(&self) -> u64 {
        let now = self.group.as_ref().and_then(Group::kills).unwrap_or_default();
        now.saturating_sub(self.kills)
    }

    /// The container's memory limit in bytes, if it has one.
    pub fn limit(&self) -> Option<u64> {
        self.group.as_ref()?.limit()
    }

    /// The likely killer of a child that died of SIGKILL since [`MemoryWatch::begin`].
    pub fn killer(&self) -> Killer {
        if self.kills() == 0 {
            Killer::Unknown
        } else {
            Killer::OutOfMemory { limit: self.limit(), peak: peak() }
        }
    }
}

/// The peak memory of the largest ended child process, in bytes.
pub fn peak() -> Option<u64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).ok()?;
    // In KiB: getrusage(2).
    u64::try_from(usage.max_rss()).ok().filter(|&peak| peak > 0)?.checked_mul(1024)
}

impl Group {
    fn kills(&self) -> Option<u64> {
        let file = match self {
            Self::Unified { folder, .. } => folder.join("memory.events"),
            Self::Legacy { folder } => folder.join("memory.oom_control"),
        };
        counter(&fs::read_to_string(file).ok()?, "oom_kill")
    }

    fn limit(&self) -> Option<u64> {
        match self {
            // The limits of all groups above apply as well.
            Self::Unified { folder, top } => folder
                .ancestors()
                .take_while(|above| above.starts_with(top))
                .filter_map(|above| fs::read_to_string(above.join("memory.max")).ok())
                .filter_map(|text| text.trim().parse().ok())
                .min(),
            Self::Legacy { folder } => {
                let text = fs::read_to_string(folder.join("memory.stat")).ok()?;
                counter(&text, "hierarchical_memory_limit").filter(|&limit| limit < NO_LIMIT)
            }
        }
    }
}

/// Finds the line that begins with `name`, and parses the number after it.
fn counter(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(key, _)| *key == name)?.1.trim().parse().ok()
}

/// Finds this process's group from `/proc/self/cgroup` and `/proc/self/mountinfo`. If both versions
/// are mounted, v1 accounts for memory if it lists the memory controller, and v2 otherwise.
fn find(cgroup: &str, mounts: &str) -> Option<Group> {
    let mut unified = None;
    for line in cgroup.lines() {
        let mut fields = line.splitn(3, ':');
        let (_id, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        if controllers.split(',').any(|controller| controller == "memory") {
            let mount = Mount::find(mounts, |mount| {
                mount.kind == "cgroup" && mount.options.split(',').any(|option| option == "memory")
            })?;
            return Some(Group::Legacy { folder: mount.folder_of(path) });
        }
        if controllers.is_empty() {
            unified = Some(path);
        }
    }
    let mount = Mount::find(mounts, |mount| mount.kind == "cgroup2")?;
    Some(Group::Unified { folder: mount.folder_of(unified?), top: mount.point.into() })
}

/// A line of `/proc/self/mountinfo` (`proc_pid_mountinfo(5)`).
struct Mount<'a> {
    /// The folder of the file system that is mounted.
    root: &'a str,
    point: &'a str,
    /// The file system type.
    kind: &'a str,
    /// The options of the file system.
    options: &'a str,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (mount, kind) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let mut kind = kind.split(' ');
        Some(Self {
            root: mount.next()?,
            point: mount.next()?,
            kind: kind.next()?,
            options: kind.nth(1)?,
        })
    }

    fn find(mounts: &'a str, predicate: impl Fn(&Self) -> bool) -> Option<Self> {
        mounts.lines().filter_map(Self::parse).find(predicate)
    }

    /// The folder of the group `path` in this hierarchy. A container may see the host's path, but
    /// only its own part of the hierarchy: its group is then the mount point.
    fn folder_of(&self, path: &str) -> PathBuf {
        let below = Path::new(path).strip_prefix(self.root).unwrap_or(Path::new(""));
        let folder = Path::new(self.point).join(below);
        if below.components().any(|part| part.as_os_str() == "..") {
            self.point.into()
        } else {
            folder
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written after the kernel's documentation and cgroups(7), not recorded.
    const V2_MOUNTS: &str = "\
24 29 0:22 / /proc rw,nosuid - proc proc rw
35 24 0:30 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate
36 24 0:31 / /sys/fs/pstore rw - pstore pstore rw
";
    /// Recorded with Docker on a host with v1, shortened to the relevant lines.
    const V1_MOUNTS: &str = "\
700 690 0:61 /docker/ab12 /sys/fs/cgroup/cpu,cpuacct ro,nosuid master:12 - cgroup cgroup rw,cpu,cpuacct
701 690 0:62 /docker/ab12 /sys/fs/cgroup/memory ro,nosuid,nodev,noexec,relatime master:13 - cgroup cgroup rw,memory
702 690 0:63 /docker/ab12 /sys/fs/cgroup/systemd ro,nosuid master:14 - cgroup cgroup rw,xattr,name=systemd
";

    fn unified(folder: &str) -> Group {
        Group::Unified { folder: folder.into(), top: "/sys/fs/cgroup".into() }
    }

    #[test]
    fn the_group_is_found_on_hosts_and_in_containers() {
        let session = "0::/user.slice/user-1000.slice/session-2.scope\n";
        let host = "/sys/fs/cgroup/user.slice/user-1000.slice/session-2.scope";
        assert_eq!(find(session, V2_MOUNTS), Some(unified(host)));
        // A container with its own cgroup namespace, and one that sees the host's path.
        assert_eq!(find("0::/\n", V2_MOUNTS), Some(unified("/sys/fs/cgroup")));
        let part = V2_MOUNTS.replace("0:30 / ", "0:30 /docker/ab12 ");
        assert_eq!(find("0::/docker/ab12\n", &part), Some(unified("/sys/fs/cgroup")));
        assert_eq!(find("0::/docker/ab12/sub\n", &part), Some(unified("/sys/fs/cgroup/sub")));
        assert_eq!(find("0::/../other\n", V2_MOUNTS), Some(unified("/sys/fs/cgroup")));

        let v1 =
            "12:memory:/docker/ab12\n11:cpu,cpuacct:/docker/ab12\n1:name=systemd:/docker/ab12\n";
        let folder = "/sys/fs/cgroup/memory".into();
        assert_eq!(find(v1, V1_MOUNTS), Some(Group::Legacy { folder }));
        // Both versions are mounted: v1 accounts for memory.
        let both = format!("{v1}0::/docker/ab12\n");
        let mounts = format!("{V2_MOUNTS}{V1_MOUNTS}");
        assert!(matches!(find(&both, &mounts), Some(Group::Legacy { .. })));
        for (cgroup, mounts) in [("", ""), ("0::/\n", ""), ("", V2_MOUNTS), ("0", V2_MOUNTS)] {
            assert_eq!(find(cgroup, mounts), None, "{cgroup:?}");
        }
    }

    #[test]
    fn kills_and_limits_are_read_from_v2() {
        let top = tempfile::tempdir().unwrap();
        let folder = top.path().join("slice/scope");
        fs::create_dir_all(&folder).unwrap();
        let events = "low 0\nhigh 0\nmax 63\noom 1\noom_kill 2\noom_group_kill 0\n";
        fs::write(folder.join("memory.events"), events).unwrap();
        fs::write(folder.join("memory.max"), "max\n").unwrap();
        let group = Group::Unified { folder: folder.clone(), top: top.path().to_owned() };
        assert_eq!((group.kills(), group.limit()), (Some(2), None));
        fs::write(top.path().join("slice/memory.max"), "536870912\n").unwrap();
        assert_eq!(group.limit(), Some(536_870_912));
        fs::write(folder.join("memory.max"), "104857600\n").unwrap();
        assert_eq!(group.limit(), Some(104_857_600));
    }

    #[test]
    fn kills_and_limits_are_read_from_v1() {
        let folder = tempfile::tempdir().unwrap();
        let group = Group::Legacy { folder: folder.path().to_owned() };
        assert_eq!((group.kills(), group.limit()), (None, None));
        let control = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        fs::write(folder.path().join("memory.oom_control"), control).unwrap();
        let stat = "cache 1\nrss 2\nhierarchical_memory_limit 9223372036854771712\n";
        fs::write(folder.path().join("memory.stat"), stat).unwrap();
        assert_eq!((group.kills(), group.limit()), (Some(3), None));
        let stat = "cache 1\nhierarchical_memory_limit 268435456\nhierarchical_memsw_limit 7\n";
        fs::write(folder.path().join("memory.stat"), stat).unwrap();
        assert_eq!(group.limit(), Some(268_435_456));
    }

    #[test]
    fn only_kills_since_the_beginning_count() {
        let folder = tempfile::tempdir().unwrap();
        let events = |kills| {
            fs::write(folder.path().join("memory.events"), format!("oom_kill {kills}\n")).unwrap();
        };
        events(4);
        let group = Group::Unified { folder: folder.path().into(), top: folder.path().into() };
        let watch = MemoryWatch { group: Some(group), kills: 4 };
        assert_eq!(watch.killer(), Killer::Unknown);
        events(5);
        assert!(matches!(watch.killer(), Killer::OutOfMemory { .. }));
        assert_eq!(MemoryWatch { group: None, kills: 0 }.killer(), Killer::Unknown);
    }
}

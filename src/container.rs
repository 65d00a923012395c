//! The container that the worker runs in, and the folders that are mounted into it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Files that Docker and Podman create at the root of every container.
const MARKS: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];

/// The mounts of this process: `/proc/PID/mountinfo` in proc(5).
const MOUNTS: &str = "/proc/self/mountinfo";

/// A container, as the worker sees it from inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// The points where something other than the container's own file system is mounted.
    mounted: Vec<PathBuf>,
}

/// Where a path in a container lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the container's own file system, which is lost with the container.
    Own,
    /// In a folder that is mounted into the container.
    Mounted {
        /// The user and group of the path, or of the nearest folder above it that exists.
        owner: Option<(u32, u32)>,
    },
}

impl Container {
    /// Returns the container that this process runs in, if it does.
    pub fn detect() -> Option<Self> {
        let mounts = fs::read(MOUNTS).ok()?;
        let is_marked = MARKS.iter().any(|mark| Path::new(mark).exists());
        Self::from_mounts(&String::from_utf8_lossy(&mounts), is_marked)
    }

    /// Reads the text of `mountinfo`. A root file system is that of a container if it consists of
    /// layers or is a part of another file system, and if a mark or the place of its layers says
    /// so. A mark alone proves nothing: a virtual machine may have been made from an image. Layers
    /// alone prove nothing either: some distributions have them.
    fn from_mounts(text: &str, is_marked: bool) -> Option<Self> {
        let mounts: Vec<_> = text.lines().filter_map(Mount::parse).collect();
        // A later mount hides an earlier one.
        let root = mounts.iter().rfind(|mount| mount.point == Path::new("/"))?;
        let is_layered = root.kind.contains("overlay");
        let of_containerd = is_layered && root.options.contains("/containerd/");
        let is_container = of_containerd || is_marked && (is_layered || root.part != "/");
        let points = mounts.iter().map(|mount| mount.point.clone());
        is_container.then(|| Self { mounted: points.filter(|p| p != Path::new("/")).collect() })
    }

    /// Returns where `path` lies. It need not exist.
    pub fn place(&self, path: &Path) -> Place {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        // The part that does not exist yet has no links that must be followed.
        let existing = absolute.ancestors().find_map(|folder| fs::canonicalize(folder).ok());
        let existing = existing.unwrap_or_else(|| PathBuf::from("/"));
        if self.mounted.iter().any(|point| existing.starts_with(point)) {
            let owner = fs::metadata(&existing).ok();
            Place::Mounted { owner: owner.map(|owner| (owner.uid(), owner.gid())) }
        } else {
            Place::Own
        }
    }
}

/// A line of `mountinfo`.
struct Mount {
    /// The folder of the mounted file system that is visible.
    part: String,
    /// Where it is visible.
    point: PathBuf,
    /// The type of the file system.
    kind: String,
    /// The options of the file system.
    options: String,
}

impl Mount {
    fn parse(line: &str) -> Option<Self> {
        // The number of fields before the dash varies.
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let mut after = after.split(' ');
        Some(Self {
            part: unescape(before.next()?),
            point: unescape(before.next()?).into(),
            kind: after.next()?.to_owned(),
            options: after.nth(1).unwrap_or_default().to_owned(),
        })
    }
}

/// Replaces the escapes of `mountinfo`, such as `\040` for a space.
fn unescape(text: &str) -> String {
    let escapes = [(r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", r"\")];
    escapes
        .iter()
        .fold(text.to_owned(), |text, (escape, character)| text.replace(escape, character))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCKER: &str = "\
        629 530 0:75 / / rw,relatime master:265 - overlay overlay rw,lowerdir=/var/lib/docker/o,\
        upperdir=/var/lib/docker/overlay2/5/diff,workdir=/var/lib/docker/overlay2/5/work\n\
        630 629 0:78 / /proc rw,nosuid - proc proc rw\n\
        661 629 254:1 /home/me/my\\040shots /tmp rw,relatime - ext4 /dev/vda1 rw,discard\n";

    fn with_root(root: &str, is_marked: bool) -> Option<Container> {
        Container::from_mounts(&format!("1 0 0:1 {root}"), is_marked)
    }

    #[test]
    fn a_container_has_a_root_of_its_own_and_a_mark() {
        let mounted = vec![PathBuf::from("/proc"), PathBuf::from("/tmp")];
        assert_eq!(Container::from_mounts(DOCKER, true), Some(Container { mounted }));
        for (root, is_marked, expected) in [
            // A system that keeps its own files in layers.
            ("/ / ro - overlay composefs ro,lowerdir=/run/x", false, false),
            // A virtual machine made from an image.
            ("/ / rw,relatime - ext4 /dev/vda rw", true, false),
            ("/ / rw,relatime - ext4 /dev/vda rw", false, false),
            // Docker without overlayfs.
            ("/@/docker/btrfs/subvolumes/5 / rw - btrfs /dev/vda rw", true, true),
            ("/var/lib/docker/vfs/dir/5 / rw - ext4 /dev/vda rw", true, true),
            // Podman without root.
            ("/ / rw - fuse.fuse-overlayfs fuse-overlayfs rw,user_id=0", true, true),
            // Fargate and Kubernetes.
            ("/ / rw - overlay overlay rw,upperdir=/var/lib/containerd/io/5/fs", false, true),
        ] {
            assert_eq!(with_root(root, is_marked).is_some(), expected, "{root}");
        }
        assert_eq!(Container::from_mounts("", true), None);
        assert_eq!(Container::from_mounts("nonsense\n- - -\n1 2 3 - a", true), None);
    }

    #[test]
    fn a_path_lies_in_a_mounted_folder_or_in_the_container() {
        let container = Container::from_mounts(DOCKER, true).unwrap();
        let mounted =
            |path: &str| matches!(container.place(Path::new(path)), Place::Mounted { .. });
        for path in ["/tmp", "/tmp/not/there", "/usr/../tmp/x", "/proc/self"] {
            assert!(mounted(path), "{path}");
        }
        for path in ["/", "/temporary", "/not/there", "/tmp/../usr"] {
            assert!(!mounted(path), "{path}");
        }
        let root = Place::Mounted { owner: Some((0, 0)) };
        assert_eq!(container.place(Path::new("/proc/nothing")), root);
    }

    #[test]
    fn escapes_in_mount_points_are_replaced() {
        let mount =
            Mount::parse(r"1 2 0:1 /a\134b /my\040shots rw x:1 y:2 - ext4 /dev/a rw").unwrap();
        assert_eq!((mount.part.as_str(), mount.point), (r"/a\b", "/my shots".into()));
        assert_eq!((mount.kind.as_str(), mount.options.as_str()), ("ext4", "rw"));
    }
}

//! What an instance of the template does when it starts: the script in the user data of its launch
//! template. It runs in a mount namespace of its own. Stand-ins take the place of the disk, of what
//! formats it, and of systemd.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use tempfile::TempDir;

use crate::{output_of, template};

const CACHE: &str = "/var/cache/render-worker";

/// The stand-ins. What they are called with is in the file `calls`. The disk is a tmpfs.
const STAND_INS: [(&str, &str); 5] = [
    ("lsblk", r#"cat "$FAKES/disks""#),
    ("blkid", r#"grep -q mkfs "$FAKES/calls""#),
    ("mkfs.xfs", r#"echo "mkfs $*" >>"$FAKES/calls""#),
    (
        "mount",
        r#"if [ "$1" = --bind ]; then exec /bin/mount "$@"; fi
           echo "mount $*" >>"$FAKES/calls"; exec /bin/mount -t tmpfs none "$4""#,
    ),
    ("systemctl", r#"echo "systemctl $*" >>"$FAKES/calls""#),
];

/// Starts an instance with these disks as often as `starts` says, without losing them. Returns what
/// the stand-ins were called with, and what is then printed by `look`.
fn start(disks: &str, starts: usize, look: &str) -> (String, String) {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    for (name, script) in STAND_INS {
        fs::write(path(name), format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::write(path("disks"), disks).unwrap();
    fs::write(path("calls"), "").unwrap();
    fs::write(path("hook"), boot_hook()).unwrap();
    // The folders that the script changes are empty ones of this namespace.
    let empty = "for folder in /mnt /var /etc; do /bin/mount -t tmpfs none $folder; done";
    let script =
        format!("{empty}; mkdir -p /etc/ecs; {}{look}", "bash \"$FAKES/hook\"; ".repeat(starts));
    let seen = output_of(
        Command::new("unshare")
            .args(["--mount", "bash", "-euc", &script])
            .env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", folder.path().display()))
            .env("FAKES", folder.path()),
    );
    (fs::read_to_string(path("calls")).unwrap(), seen)
}

/// The script of the user data, which is MIME with one part.
fn boot_hook() -> String {
    let template = template("read", &[]);
    let data =
        &template["Resources"]["LaunchTemplate"]["Properties"]["LaunchTemplateData"]["UserData"];
    let data = data["Fn::Base64"].as_str().expect("user data");
    let (head, rest) = data.split_once("\n\n").unwrap();
    let boundary = head.split('"').nth(1).expect("a boundary");
    let parts: Vec<_> = rest.split(&format!("--{boundary}")).collect();
    assert_eq!((parts.len(), parts[2].trim()), (3, "--"), "one part, and the end");
    let (head, script) = parts[1].trim_start().split_once("\n\n").unwrap();
    assert!(head.starts_with("Content-Type: text/cloud-boothook"), "{head}");
    script.to_owned()
}

#[test]
fn a_local_disk_holds_images_temporary_files_and_the_cache() {
    let disks = "/dev/nvme0n1 Amazon Elastic Block Store\n/dev/nvme1n1 Amazon EC2 NVMe Instance Storage\n\
                 /dev/nvme2n1 Amazon EC2 NVMe Instance Storage\n";
    let look = format!(
        "stat -c '%u %a' {CACHE}; mountpoint -q /var/lib/docker; mountpoint -q {CACHE}; \
         echo x >{CACHE}/file; cat /mnt/local{CACHE}/file; cat /etc/ecs/ecs.config"
    );
    for starts in [1, 2] {
        let (calls, seen) = start(disks, starts, &look);
        assert_eq!(
            calls,
            "mkfs -q /dev/nvme1n1\nmount -o noatime /dev/nvme1n1 /mnt/local\n\
             systemctl --no-block try-restart docker\n"
        );
        assert_eq!(seen, "1000 700\nx\nECS_ENABLE_SPOT_INSTANCE_DRAINING=true\n");
    }
}

#[test]
fn an_instance_without_a_local_disk_has_a_cache_on_its_own_disk() {
    let disks = "/dev/nvme0n1 Amazon Elastic Block Store\n";
    let look = format!("stat -c '%u %a' {CACHE}; ! mountpoint -q {CACHE}; cat /etc/ecs/ecs.config");
    let (calls, seen) = start(disks, 1, &look);
    assert_eq!(calls, "");
    assert_eq!(seen, "1000 700\nECS_ENABLE_SPOT_INSTANCE_DRAINING=true\n");
}

#[test]
fn the_script_of_the_instances_is_sound() {
    let folder = TempDir::new().unwrap();
    let script = folder.path().join("hook");
    fs::write(&script, boot_hook()).unwrap();
    output_of(Command::new("shellcheck").arg(&script));
}

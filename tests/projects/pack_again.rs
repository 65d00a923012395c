//! Packing again: what has not changed is neither read nor sent, and what has changed is never taken
//! for what it was.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::support::machine::Machine;
use crate::support::s3_server::S3Server;
use crate::support::{LONG, Run, Worker, scene};

/// A project without a Blender, of the smallest scene and some files.
fn film() -> Machine {
    let machine = Machine::new();
    for name in ["wood.png", "oak.png", "sky.png"] {
        machine.write(&format!("film/{name}"), name.as_bytes());
    }
    fs::copy(scene("tiny"), machine.path("film/shot.blend")).unwrap();
    machine
}

/// A command line that packs it, with a folder for caches.
fn pack(machine: &Machine, server: &S3Server) -> Worker {
    let pack = machine.pack("film/shot.blend", server).env("PATH", "/nowhere");
    pack.env("XDG_CACHE_HOME", machine.path("caches"))
}

/// Waits until the clock is so far from the last change of a file that its hash may be kept.
fn wait_until_settled(file: &Path) {
    let deadline = Instant::now() + LONG;
    let changed = UNIX_EPOCH + Duration::from_secs(file.metadata().unwrap().ctime().unsigned_abs());
    while SystemTime::now() < changed + Duration::from_secs(4) {
        assert!(Instant::now() < deadline, "the clock stands still");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The content of a file as the manifest of a project names it.
fn stored(server: &S3Server, path: &str) -> Vec<u8> {
    let manifest = server.get("p/shot.project.json").expect("a manifest");
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let files = manifest["files"].as_array().unwrap();
    let file = files.iter().find(|file| file["path"] == path).expect("the file");
    let hash = file["sha256"].as_str().unwrap();
    server.get(&format!("p/files/{hash}")).expect("its content")
}

/// How many files were not read.
fn unread(run: &Run) -> u64 {
    run.json().iter().find_map(|line| line["unread"].as_u64()).unwrap_or(0)
}

#[test]
fn what_has_not_changed_is_not_read_again() {
    let (machine, server) = (film(), S3Server::start());
    wait_until_settled(&machine.path("film/shot.blend"));
    assert_eq!(unread(&pack(&machine, &server).run().exits(0)), 0);
    assert_eq!(unread(&pack(&machine, &server).run().exits(0)), 4);
    assert_eq!(unread(&pack(&machine, &server).arg("--dry-run").run().exits(0)), 4);

    machine.write("film/oak.png", b"OAK.png");
    let run = pack(&machine, &server).run().exits(0);
    assert_eq!(unread(&run), 3);
    assert_eq!(stored(&server, "oak.png"), b"OAK.png");
    assert_eq!(stored(&server, "sky.png"), b"sky.png");

    // Another store has nothing, so everything is read and sent.
    let other = S3Server::start();
    assert_eq!(unread(&pack(&machine, &other).run().exits(0)), 0);
    assert_eq!(stored(&other, "sky.png"), b"sky.png");

    // A hash cache that is damaged or cannot be written only costs time.
    fs::write(machine.path("caches/render-worker/hashes"), "damaged").unwrap();
    assert_eq!(unread(&pack(&machine, &server).run().exits(0)), 0);
    let run = pack(&machine, &server).env("XDG_CACHE_HOME", "/proc/none").run().exits(0);
    assert_eq!(unread(&run), 0);
}

#[test]
fn a_file_that_changes_quickly_is_never_taken_for_what_it_was() {
    let (machine, server) = (film(), S3Server::start());
    for round in 0..12u8 {
        // The same size, perhaps at the same moment of the file system, in the same inode.
        fs::write(machine.path("film/oak.png"), [round; 100]).unwrap();
        pack(&machine, &server).run().exits(0);
        assert_eq!(stored(&server, "oak.png"), [round; 100]);
    }
}

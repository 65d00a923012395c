//! The list of a scene's files, without which fingerprints are worth nothing: no frame that is
//! saved is lost for want of it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;
use tempfile::TempDir;

use crate::support::s3_server::{Fault, Operation, Requests, S3Server};
use crate::support::{LONG, Running, Worker, ordered_scene, wait_until, worker};

/// A scene of frames 1 to 5, in the fourth of which the stand-in stays until it is stopped, the
/// first time.
struct Stage {
    server: S3Server,
    folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        let stage = Self { server: S3Server::start(), folder: tempfile::tempdir().unwrap() };
        let orders = json!([
            {"at": 4, "do": "touch", "path": stage.path("in-frame-4")},
            {"at": 4, "do": "hang", "once": stage.path("hung")},
        ]);
        stage.server.put("a.blend", &ordered_scene(1, 5, &orders));
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn render(&self) -> Worker {
        let worker = worker("render").input(self.server.uri("a.blend"));
        worker.output(self.server.uri("out")).args("-f 5").stand_in_blender().s3(&self.server)
    }

    /// Renders until three frames are saved and the list is on its way.
    fn start(&self) -> Running {
        let running = self.render().start();
        wait_until("Blender is in frame 4", || self.path("in-frame-4").exists());
        self.server.wait_for_arrival(|request| request.key.contains("reports/scene-"), LONG);
        running
    }
}

fn list() -> Requests {
    Fault::on(Operation::PutObject).key("out/reports/scene-")
}

#[test]
fn who_is_told_to_stop_stores_what_is_saved_though_the_list_does_not_get_through() {
    let stage = Stage::new();
    stage.server.inject(list().stall());
    let running = stage.start();
    running.signal(Signal::SIGTERM);
    running.finish().exits(143).says(&["2 of 5 frames are left: 4-5; frames 1-3 are stored"]);
    assert_eq!(stage.server.keys("out/frames/").len(), 3);
}

#[test]
fn frames_that_did_not_wait_for_the_list_are_known_again_when_that_comes_after_them() {
    let stage = Stage::new();
    stage.server.inject(list().delay(Duration::from_secs(4)));
    let running = stage.start();
    running.signal(Signal::SIGTERM);
    running.finish().exits(143).says(&["frames 1-3 are stored"]);
    stage.render().run().exits(0).says(&["frames 1-3 are already there; rendering 4-5"]);
    assert!(fs::exists(stage.path("hung")).unwrap());
}

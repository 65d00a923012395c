//! The list of a scene's files, which fingerprints depend on. Saved frames are stored even if the
//! list cannot be.

use std::fs;
use std::path::PathBuf;

use nix::sys::signal::Signal;
use serde_json::json;
use tempfile::TempDir;

use crate::support::s3_server::{Fault, Gate, Operation, Requests, S3Server};
use crate::support::{LONG, Running, Worker, ordered_scene, wait_until, worker};

/// A scene of frames 1 to 5. In the first launch, the stand-in hangs in frame 4.
struct Stage {
    server: S3Server,
    folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        let stage = Self { server: S3Server::start(), folder: tempfile::tempdir().unwrap() };
        let orders = json!([
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

    /// Starts to render, and waits until three frames are saved and the list is being uploaded.
    fn start(&self) -> Running {
        let running = self.render().start();
        wait_until("Blender hangs in frame 4", || self.path("hung").exists());
        self.server.wait_for_arrival(|request| request.key.contains("reports/scene-"), LONG);
        running
    }
}

/// The requests that store the list.
fn list() -> Requests {
    Fault::on(Operation::PutObject).key("out/reports/scene-")
}

#[test]
fn after_a_signal_saved_frames_are_stored_even_if_the_list_cannot_be() {
    let stage = Stage::new();
    stage.server.inject(list().stall());
    let running = stage.start();
    running.signal(Signal::SIGTERM);
    running.finish().exits(143).logs(&["2 of 5 frames are left: 4-5; frames 1-3 are stored"]);
    assert_eq!(stage.server.keys("out/frames/").len(), 3);
}

#[test]
fn frames_that_are_stored_before_the_list_are_reused_if_the_list_follows() {
    let stage = Stage::new();
    let gate = Gate::default();
    stage.server.inject(list().hold(&gate));
    let running = stage.start();
    running.signal(Signal::SIGTERM);
    running.wait_for_log("frame 3 stored");
    gate.open();
    running.finish().exits(143).logs(&["frames 1-3 are stored"]);
    stage.render().run().exits(0).logs(&["frames 1-3 are already there; rendering 4-5"]);
    assert!(fs::exists(stage.path("hung")).unwrap());
}

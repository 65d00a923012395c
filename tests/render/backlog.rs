//! The backlog: frames that Blender has saved and the worker cannot store yet. Rendering continues
//! while the backlog has room, pauses while it is full, and ends when nothing can be stored.

use std::fs;
use std::path::PathBuf;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::s3_server::{Fault, Operation, Requests, S3Server};
use crate::support::{Running, Worker, ordered_scene, wait_until, worker};

/// An S3 server with a scene of frames 1 to 40 for the stand-in, and a folder for its records.
struct Stage {
    server: S3Server,
    folder: TempDir,
}

impl Stage {
    /// Creates a scene. In frame `held`, if any, the stand-in waits for the file `go`.
    fn new(held: Option<u32>) -> Self {
        let stage = Self { server: S3Server::start(), folder: tempfile::tempdir().unwrap() };
        let held =
            held.map(|frame| json!({"at": frame, "do": "wait_for_file", "path": stage.go()}));
        let steps: Vec<_> = held.into_iter().collect();
        let orders = json!({"steps": steps, "record": stage.folder.path().join("launches")});
        stage.server.put("a.blend", &ordered_scene(1, 40, &orders));
        stage
    }

    fn go(&self) -> PathBuf {
        self.folder.path().join("go")
    }

    /// A command line that renders, with one attempt per request.
    fn render(&self, arguments: &str) -> Worker {
        worker("render")
            .input(self.server.uri("a.blend"))
            .output(self.server.uri("out"))
            .args(arguments)
            .stand_in_blender()
            .s3(&self.server)
            .env("AWS_MAX_ATTEMPTS", "1")
    }

    fn inject(&self, fault: Fault) {
        self.server.inject(fault);
    }

    fn stored(&self) -> usize {
        self.server.keys("out/frames/").len()
    }

    fn launches(&self) -> Vec<Value> {
        let records = fs::read_to_string(self.folder.path().join("launches")).unwrap();
        records.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn blender(&self) -> Pid {
        Pid::from_raw(self.launches()[0]["pid"].as_i64().unwrap().try_into().unwrap())
    }

    /// Waits until Blender is stopped (SIGSTOP).
    fn wait_until_paused(&self) {
        let stat = format!("/proc/{}/stat", self.blender());
        wait_until("Blender is stopped", || {
            fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") T "))
        });
    }
}

/// The requests that store frames.
fn frames() -> Requests {
    Fault::on(Operation::PutObject).key("out/frames/")
}

/// Returns the path of a frame's copy in scratch, if it exists.
fn copy(running: &Running, frame: &str) -> Option<PathBuf> {
    let folder = fs::read_dir(running.scratch()).unwrap().next()?.unwrap();
    Some(folder.path().join("process-1/frames").join(frame)).filter(|path| path.exists())
}

#[test]
fn a_waiting_frame_is_retried_as_soon_as_another_one_is_stored() {
    let stage = Stage::new(Some(3));
    stage.inject(Fault::on(Operation::PutObject).key("0001.png").times(1).respond(503, "SlowDown"));
    let running = stage.render("-f 4").start();
    running.wait_for_log("frame 1 is not stored yet and waits: ");
    // Blender waits in frame 3, so frame 2 is the one that triggers the retry.
    running.wait_for_log("frame 1 stored");
    running.wait_for_log("frame 2 stored");
    fs::write(stage.go(), "").unwrap();
    running.finish().exits(0).logs(&["all 4 frames are stored"]);
    assert_eq!(stage.stored(), 4);
}

#[test]
fn a_frame_that_waits_alone_is_retried_after_a_while() {
    let stage = Stage::new(Some(2));
    stage.inject(frames().times(1).respond(503, "SlowDown"));
    let running = stage.render("-f 3").start();
    running.wait_for_log("frame 1 is not stored yet and waits: ");
    assert!(copy(&running, "0001.png").is_some(), "it was removed before it was stored");
    running.wait_for_log("wait to be stored: trying frame");
    running.wait_for_log("frame 1 stored");
    wait_until("the copy in scratch is removed", || copy(&running, "0001.png").is_none());
    fs::write(stage.go(), "").unwrap();
    running.finish().exits(0);
    assert_eq!(stage.stored(), 3);
}

#[test]
fn while_the_backlog_has_room_blender_renders_all_frames() {
    let stage = Stage::new(None);
    stage.inject(frames().respond(503, "SlowDown"));
    let running = stage.render("-f 40 --log-level debug").start();
    // Blender is not paused: it saves the last frame although none could be stored.
    running.wait_for_log("/0040.png'");
    assert_eq!(stage.stored(), 0);
    stage.server.clear_faults();
    running.finish().exits(0);
    assert_eq!((stage.stored(), stage.launches().len()), (40, 1));
}

#[test]
fn while_the_backlog_is_full_blender_is_paused() {
    // Blender cannot end before all other frames are stored, and so not while it is paused.
    let stage = Stage::new(Some(12));
    stage.inject(frames().times(4).stall());
    // Two frames fit, three do not.
    let size = stage_frame_size(&stage);
    let limit = format!("-f 12 --max-backlog {}", size * 5 / 2);
    let running = stage.render(&limit).env("AWS_MAX_ATTEMPTS", "2").start();
    running.wait_for_log("Blender is paused: ");
    stage.wait_until_paused();
    running.wait_for_log("Blender is resumed: ");
    wait_until("the other frames are stored", || stage.stored() == 11);
    fs::write(stage.go(), "").unwrap();
    let run = running.finish().exits(0);
    let messages = run.messages();
    let count = |start| messages.iter().filter(|message| message.starts_with(start)).count();
    assert_eq!(count("Blender is paused"), count("Blender is resumed"), "{messages:#?}");
    assert_eq!(stage.stored(), 12);
}

/// Returns the size of a frame of this scene in bytes.
fn stage_frame_size(stage: &Stage) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let scene = folder.path().join("a.blend");
    fs::write(&scene, ordered_scene(1, 1, &json!([]))).unwrap();
    let output = folder.path().join("out");
    worker("render").input(&scene).output(&output).args("-f 1").stand_in_blender().run().exits(0);
    assert_eq!(stage.stored(), 0);
    fs::read(output.join("frames/0001.png")).unwrap().len()
}

#[test]
fn when_nothing_can_be_stored_blender_is_stopped_and_all_frames_are_named() {
    let stage = Stage::new(Some(30));
    stage.inject(frames().respond(503, "SlowDown"));
    let size = stage_frame_size(&stage);
    // This Blender never ends by itself.
    let limit = format!("-f 40 --max-backlog {}", size * 10);
    let run = stage.render(&limit).run().exits(75);
    let run = run.logs(&["stopping Blender: none of the "]);
    let error = run.final_error();
    for text in ["frames 1-40 are not stored", "SlowDown", "run the job again"] {
        assert!(error.contains(text), "{text:?} is not in {error:?}");
    }
    assert_eq!(stage.stored(), 0);
}

#[test]
fn a_job_whose_backlog_is_stored_after_blender_was_stopped_can_be_run_again() {
    let stage = Stage::new(Some(30));
    let size = stage_frame_size(&stage);
    // Blender is stopped when the third frame cannot be stored, or soon after it.
    stage.inject(frames().respond(503, "SlowDown"));
    let running = stage.render(&format!("-f 40 --max-backlog {}", size * 5 / 2)).start();
    running.wait_for_log("stopping Blender: none of the ");
    stage.server.clear_faults();
    let run = running.finish().exits(75);
    let error = run.final_error();
    assert!(error.contains("are not stored") && error.contains("SlowDown"), "{error}");
    assert!(error.contains("-40 "), "the frames that were not rendered are not named: {error}");
}

#[test]
fn blender_is_not_started_again_for_frames_that_cannot_be_stored() {
    let stage = Stage::new(None);
    stage.inject(frames().respond(503, "SlowDown"));
    stage.render("-f 3").run().exits(75);
    assert_eq!(stage.launches().len(), 1);
}

#[test]
fn a_paused_blender_can_be_stopped() {
    let stage = Stage::new(None);
    stage.inject(frames().stall());
    let running = stage.render("-f 40 --max-backlog 1").start();
    running.wait_for_log("Blender is paused: ");
    stage.wait_until_paused();
    let blender = stage.blender();
    running.signal(Signal::SIGTERM);
    let run = running.finish().exits(143);
    run.logs(&["SIGTERM received"]);
    assert!(kill(blender, None).is_err(), "Blender is still running");
}

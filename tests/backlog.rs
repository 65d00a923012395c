//! Frames that are saved and cannot be stored for now: rendering goes on while there is
//! room for them, waits where there is none, and is given up when nothing gets through.

use std::fs;
use std::path::PathBuf;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::s3_server::{Fault, Operation, S3Server};
use crate::support::{Running, Worker, ordered_scene, wait_until, worker};

/// A server, a scene of frames 1 to 40 for the stand-in, and files to hold it back with.
struct Stage {
    server: S3Server,
    folder: TempDir,
}

impl Stage {
    /// In frame `held`, if any, the stand-in waits for the file `go`.
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

    /// Renders; a request is tried once only.
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

    fn blender(&self) -> Pid {
        let launches = fs::read_to_string(self.folder.path().join("launches")).unwrap();
        let launch: Value = serde_json::from_str(launches.lines().next().unwrap()).unwrap();
        Pid::from_raw(launch["pid"].as_i64().unwrap().try_into().unwrap())
    }

    /// Waits until Blender stands still.
    fn stands_still(&self) {
        let stat = format!("/proc/{}/stat", self.blender());
        wait_until("Blender stands still", || {
            fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") T "))
        });
    }
}

fn frames() -> crate::support::s3_server::Requests {
    Fault::on(Operation::PutObject).key("out/frames/")
}

/// The copy of a frame in scratch.
fn copy(running: &Running, frame: &str) -> Option<PathBuf> {
    let folder = fs::read_dir(running.scratch()).unwrap().next()?.unwrap();
    Some(folder.path().join("frames").join(frame)).filter(|path| path.exists())
}

#[test]
fn a_frame_that_waits_is_stored_as_soon_as_another_one_gets_through() {
    let stage = Stage::new(Some(3));
    stage.inject(Fault::on(Operation::PutObject).key("0001.png").times(1).respond(503, "SlowDown"));
    let running = stage.render("-f 4").start();
    running.wait_for_log("frame 1 is not stored yet and waits: ");
    // Blender is at frame 3, and at nothing else.
    running.wait_for_log("frame 1 stored");
    running.wait_for_log("frame 2 stored");
    fs::write(stage.go(), "").unwrap();
    running.finish().exits(0).says(&["all 4 frames are stored"]).never_says(&["ERROR", "paused"]);
    assert_eq!(stage.stored(), 4);
}

#[test]
fn a_frame_that_waits_alone_is_kept_and_tried_again_after_a_while() {
    let stage = Stage::new(Some(2));
    stage.inject(frames().times(1).respond(503, "SlowDown"));
    let running = stage.render("-f 3").start();
    running.wait_for_log("frame 1 is not stored yet and waits: ");
    assert!(copy(&running, "0001.png").is_some(), "nothing is removed before it is stored");
    running.wait_for_log("wait to be stored: trying again; frames 1");
    running.wait_for_log("frame 1 stored");
    wait_until("the copy is removed", || copy(&running, "0001.png").is_none());
    fs::write(stage.go(), "").unwrap();
    running.finish().exits(0);
    assert_eq!(stage.stored(), 3);
}

#[test]
fn as_long_as_there_is_room_everything_is_rendered_and_stored_in_the_end() {
    let stage = Stage::new(None);
    stage.inject(frames().times(40).respond(503, "SlowDown"));
    let run = stage.render("-f 40").run().exits(0);
    run.says(&["all 40 frames are stored"]).never_says(&["paused", "stopping"]);
    assert_eq!(stage.stored(), 40);
}

#[test]
fn where_storage_is_slow_blender_is_paused_until_there_is_room() {
    let stage = Stage::new(None);
    stage.inject(frames().times(4).stall());
    // Two frames have room, not three.
    let size = stage_frame_size(&stage);
    let limit = format!("-f 12 --max-backlog {}", size * 5 / 2);
    let running = stage.render(&limit).env("AWS_MAX_ATTEMPTS", "2").start();
    running.wait_for_log("Blender is paused: ");
    stage.stands_still();
    running.wait_for_log("Blender goes on: ");
    let run = running.finish().exits(0);
    let said = run.messages();
    let paused = said.iter().filter(|message| message.starts_with("Blender is paused")).count();
    let went_on = said.iter().filter(|message| message.starts_with("Blender goes on")).count();
    assert_eq!(paused, went_on, "{said:#?}");
    assert_eq!(stage.stored(), 12);
}

/// The size of a frame of this scene.
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
fn where_nothing_gets_through_blender_is_stopped_and_the_frames_are_named() {
    let stage = Stage::new(Some(30));
    stage.inject(frames().respond(503, "SlowDown"));
    let size = stage_frame_size(&stage);
    // Only being stopped can end this Blender.
    let limit = format!("-f 40 --max-backlog {}", size * 10);
    let run = stage.render(&limit).run().exits(75);
    let run = run.says(&["stopping Blender: none of the "]);
    let last = run.last_words();
    for words in ["frames 1-40 are not stored", "SlowDown", "run the job again"] {
        assert!(last.contains(words), "{words:?} is not in {last:?}");
    }
    assert_eq!(stage.stored(), 0);
}

#[test]
fn what_was_stopped_for_a_backlog_that_is_stored_after_all_can_be_tried_again() {
    let stage = Stage::new(Some(30));
    let size = stage_frame_size(&stage);
    // Blender is stopped after the third frame failed or soon after it; then all is well.
    let stage_faults = frames().respond(503, "SlowDown");
    stage.inject(stage_faults);
    let running = stage.render(&format!("-f 40 --max-backlog {}", size * 5 / 2)).start();
    running.wait_for_log("stopping Blender: none of the ");
    stage.server.clear_faults();
    let run = running.finish().exits(75);
    let last = run.last_words();
    assert!(last.contains("are not stored") && last.contains("SlowDown"), "{last}");
    assert!(last.contains("-40 "), "what was not rendered is named: {last}");
}

#[test]
fn that_nothing_can_be_stored_is_no_reason_to_start_blender_again() {
    let stage = Stage::new(None);
    stage.inject(frames().respond(503, "SlowDown"));
    stage.render("-f 3").run().exits(75).never_says(&["again for frame"]);
    let launches = fs::read_to_string(stage.folder.path().join("launches")).unwrap();
    assert_eq!(launches.lines().count(), 1);
}

#[test]
fn a_blender_that_is_paused_can_be_stopped() {
    let stage = Stage::new(None);
    stage.inject(frames().stall());
    let running = stage.render("-f 40 --max-backlog 1").start();
    running.wait_for_log("Blender is paused: ");
    stage.stands_still();
    let blender = stage.blender();
    running.signal(Signal::SIGTERM);
    let run = running.finish().exits(143);
    run.says(&["SIGTERM received"]);
    assert!(kill(blender, None).is_err(), "Blender is still there");
}

//! The time between being told to stop and being gone: all of it is there for storing
//! what is saved, and not a moment more is taken.

use std::fs;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::signals::{SOON, Stage, stop};
use crate::support::s3_server::{Fault, Operation, S3Server};
use crate::support::{LONG, Running, fixture, ordered_scene, wait_until, worker};

/// From SIGTERM to SIGKILL on Batch.
const BATCH_GRACE: Duration = Duration::from_secs(30);

#[test]
fn a_frame_that_is_saved_when_the_signal_comes_is_stored_however_slow_storage_is() {
    let server = S3Server::start();
    let stage = Stage::new();
    let slow = Fault::on(Operation::PutObject).key("out/frames/").delay(Duration::from_secs(3));
    server.inject(slow);
    let running = stage.start_on(&server, "");
    server.wait_for_arrival(|request| request.key.ends_with("0002.png"), LONG);
    wait_until("Blender is in frame 3", || stage.path("in-frame-3").exists());
    let (run, took) = stop(running, Signal::SIGTERM);
    let run = run.exits(143).says(&["3 of 5 frames are left: 3-5"]);
    assert!(took < BATCH_GRACE, "{took:?}\n{}", run.text());
    assert_eq!(server.keys("out/frames/"), ["out/frames/0001.png", "out/frames/0002.png"]);
    stage.nothing_is_alive();
}

#[test]
fn storage_that_does_not_answer_takes_no_longer_than_there_is_time() {
    let server = S3Server::start();
    let folder = tempfile::tempdir().unwrap();
    // More than may wait in scratch, so that Blender already waits for storage.
    let last = 40;
    let never = folder.path().join("never");
    let orders = json!([{"at": "end", "do": "wait_for_file", "path": never}]);
    let scene = folder.path().join("scene.blend");
    fs::write(&scene, ordered_scene(1, last, &orders)).unwrap();
    server.inject(Fault::on(Operation::PutObject).key("out/frames/").stall());
    let running = worker("render")
        .s3(&server)
        .input(&scene)
        .output(server.uri("out"))
        .args("-f 40 --log-level debug")
        .stand_in_blender()
        .start();
    server.wait_for_arrival(|request| request.key.contains("out/frames/"), LONG);
    running.wait_for_log("0032.png'");
    let (run, took) = stop(running, Signal::SIGTERM);
    let run = run.exits(143).says(&["40 of 40 frames are left: 1-40; nothing is stored"]);
    assert!(took < BATCH_GRACE, "{took:?}\n{}", run.text());
    assert!(server.keys("out/frames/").is_empty());
    assert_eq!(server.keys("out/reports/render-").len(), 1);
}

#[test]
fn nothing_takes_longer_than_the_time_that_was_set() {
    let server = S3Server::start();
    let stage = Stage::with(|_| json!([{"at": "start", "do": "ignore_term"}]));
    server.inject(Fault::on(Operation::PutObject).key("out/frames/").stall());
    let running = stage.start_on(&server, "--stop-grace 4s");
    wait_until("Blender is in frame 3", || stage.path("in-frame-3").exists());
    // The last report hangs as well.
    server.inject(Fault::on(Operation::PutObject).key("out/reports/render-").stall());
    let (run, took) = stop(running, Signal::SIGTERM);
    let run = run.exits(143).says(&[
        "storing what is saved, for 4s at most",
        "5 of 5 frames are left: 1-5",
        "the report is not stored: there is no time left",
    ]);
    // Not a moment less for storing than there is.
    assert!(took > Duration::from_secs(3), "{took:?}\n{}", run.text());
    assert!(took < Duration::from_millis(4500), "{took:?}\n{}", run.text());
    assert!(server.keys("out/frames/").is_empty());
    stage.nothing_is_alive();
}

#[test]
fn more_time_is_used_for_storing() {
    let server = S3Server::start();
    let stage = Stage::new();
    let slow = Fault::on(Operation::PutObject).key("out/frames/").delay(Duration::from_secs(20));
    server.inject(slow);
    let running = stage.start_on(&server, "--stop-grace 60s");
    server.wait_for_arrival(|request| request.key.ends_with("0002.png"), LONG);
    wait_until("Blender is in frame 3", || stage.path("in-frame-3").exists());
    let (run, took) = stop(running, Signal::SIGTERM);
    let run = run.exits(143).says(&["3 of 5 frames are left: 3-5"]);
    assert!(took < Duration::from_secs(25) + SOON, "{took:?}\n{}", run.text());
    assert_eq!(server.keys("out/frames/").len(), 2);
    assert_eq!(server.keys("out/reports/render-").len(), 1);
}

#[test]
fn a_job_that_is_done_when_the_signal_comes_is_done() {
    let server = S3Server::start();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("scene.blend"), ordered_scene(1, 2, &json!([]))).unwrap();
    let running = worker("render")
        .s3(&server)
        .input(folder.path().join("scene.blend"))
        .output(server.uri("out"))
        .args("-f 2")
        .stand_in_blender();
    let slow =
        Fault::on(Operation::PutObject).key("out/reports/render-").delay(Duration::from_secs(2));
    server.inject(slow);
    let running = running.start();
    running.wait_for_log("all 2 frames are stored");
    let (run, took) = stop(running, Signal::SIGTERM);
    let run = run.exits(0).says(&["report: "]);
    assert!(took < SOON, "{took:?}\n{}", run.text());
    let report = server.get(&server.keys("out/reports/render-")[0]).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["status"], "succeeded");
}

/// A scene whose only frame has 18 MB, which travel in two parts.
fn large_frame() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let orders = json!({"size": [3000, 2000], "level": 0});
    fs::write(folder.path().join("scene.blend"), ordered_scene(1, 1, &orders)).unwrap();
    folder
}

/// Begins to store a large frame, with a fault in what is `hanging`; stops when that has
/// begun. Nothing must be left of it.
#[track_caller]
fn leaves_no_parts(hanging: Operation, fault: impl FnOnce(&S3Server)) {
    let (server, folder) = (S3Server::start(), large_frame());
    fault(&server);
    // It is waited for.
    let slow = Fault::on(Operation::AbortMultipartUpload).delay(Duration::from_millis(200));
    server.inject(slow);
    let running = worker("render")
        .s3(&server)
        .input(folder.path().join("scene.blend"))
        .output(server.uri("out"))
        .args("-f 1 --stop-grace 5s")
        .stand_in_blender()
        .start();
    server.wait_for_arrival(|request| request.operation == hanging, LONG);
    let (run, took) = stop(running, Signal::SIGTERM);
    let run = run.exits(143).says(&["1 of 1 frames are left: 1; nothing is stored"]);
    assert!(took < SOON, "{took:?}\n{}", run.text());
    assert_eq!(server.count(Operation::AbortMultipartUpload), 1, "{}", run.text());
    assert_eq!(server.open_uploads(), [""; 0]);
    assert!(server.keys("out/frames/").is_empty());
    assert_eq!(server.keys("out/reports/render-").len(), 1);
}

#[test]
fn an_upload_in_parts_that_is_given_up_leaves_no_parts() {
    leaves_no_parts(Operation::UploadPart, |server| {
        server.inject(Fault::on(Operation::UploadPart).stall());
    });
}

#[test]
fn an_upload_in_parts_that_is_given_up_as_it_begins_leaves_no_parts() {
    // The answer comes when nobody waits for it any more, and there is still time.
    leaves_no_parts(Operation::CreateMultipartUpload, |server| {
        let late = Duration::from_millis(3800);
        server.inject(Fault::on(Operation::CreateMultipartUpload).delay(late));
    });
}

/// A folder with a frame, of which a video is made that travels in one piece.
fn stitched_to(server: &S3Server, folder: &TempDir) -> Running {
    fs::copy(fixture("frames/blender-rgb-8.png"), folder.path().join("0001.png")).unwrap();
    worker("stitch")
        .s3(server)
        .input(folder.path())
        .output(server.uri("out"))
        .args("--fps 24 --stop-grace 10s")
        .start()
}

#[test]
fn a_video_that_is_made_when_the_signal_comes_is_stored() {
    let (server, folder) = (S3Server::start(), tempfile::tempdir().unwrap());
    server.inject(Fault::on(Operation::PutObject).key("output.mp4").delay(Duration::from_secs(3)));
    let running = stitched_to(&server, &folder);
    server.wait_for_arrival(|request| request.key.ends_with("output.mp4"), LONG);
    let (run, _) = stop(running, Signal::SIGTERM);
    run.exits(0).says(&["stored s3://render-test/out/output.mp4"]);
    assert_eq!(server.keys("out/output"), ["out/output.mp4"]);
}

#[test]
fn a_video_that_storage_does_not_take_in_time_is_named() {
    let (server, folder) = (S3Server::start(), tempfile::tempdir().unwrap());
    server.inject(Fault::on(Operation::PutObject).key("output.mp4").stall());
    let running = stitched_to(&server, &folder);
    server.wait_for_arrival(|request| request.key.ends_with("output.mp4"), LONG);
    let (run, took) = stop(running, Signal::SIGTERM);
    let run = run.exits(143);
    assert!(took < Duration::from_secs(10), "{took:?}\n{}", run.text());
    let words = run.last_words();
    assert!(words.contains("s3://render-test/out/output.mp4 is made and not stored"), "{words}");
    assert!(server.keys("out/output").is_empty());
    assert_eq!(server.keys("out/reports/stitch-").len(), 1);
}

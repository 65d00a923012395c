//! The stop grace: the time from a signal to the end of the process. The worker uses it to store
//! saved frames, and ends in time whatever hangs. Unit tests check how the time is divided.

use std::fs;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::signals::{LONG_GRACE, Stage, stop};
use crate::support::s3_server::{Fault, Gate, Operation, S3Server};
use crate::support::{LONG, Running, fixture, ordered_scene, wait_until, worker};

/// The log message after a signal.
const STORING: &str = "storing saved results for at most ";

#[test]
fn frames_that_are_saved_when_the_signal_comes_are_still_stored() {
    let (server, gate) = (S3Server::start(), Gate::default());
    let stage = Stage::new();
    server.inject(Fault::on(Operation::PutObject).key("out/frames/").hold(&gate));
    let running = stage.start_on(&server, LONG_GRACE);
    server.wait_for_arrival(|request| request.key.ends_with("0002.png"), LONG);
    wait_until("Blender is in frame 3", || stage.path("in-frame-3").exists());
    running.signal(Signal::SIGTERM);
    running.wait_for_log(STORING);
    gate.open();
    running.finish().exits(143).logs(&["3 of 5 frames are left: 3-5"]);
    assert_eq!(server.keys("out/frames/"), ["out/frames/0001.png", "out/frames/0002.png"]);
    stage.assert_no_blender_is_running();
}

#[test]
fn if_storage_hangs_the_worker_ends_before_batch_sends_sigkill() {
    let server = S3Server::start();
    let folder = tempfile::tempdir().unwrap();
    // More frames than the worker uploads at once.
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
    // Batch sends SIGKILL 30 s after SIGTERM.
    let run = stop(running, Signal::SIGTERM).exits(143);
    run.logs(&["at most 25s", "40 of 40 frames are left: 1-40; nothing is stored"]);
    assert!(server.keys("out/frames/").is_empty());
    assert_eq!(server.keys("out/reports/render-").len(), 1);
}

#[test]
fn if_blender_frames_and_report_hang_the_worker_still_ends() {
    let server = S3Server::start();
    let stage = Stage::with(|_| json!([{"at": "start", "do": "ignore_term"}]));
    server.inject(Fault::on(Operation::PutObject).key("out/frames/").stall());
    let running = stage.start_on(&server, "--stop-grace 4s");
    wait_until("Blender is in frame 3", || stage.path("in-frame-3").exists());
    // The final report hangs as well.
    server.inject(Fault::on(Operation::PutObject).key("out/reports/render-").stall());
    stop(running, Signal::SIGTERM).exits(143).logs(&[
        "storing saved results for at most 4s",
        "5 of 5 frames are left: 1-5",
        "cannot store the report s3://",
        ": there is no time left",
    ]);
    assert!(server.keys("out/frames/").is_empty());
    stage.assert_no_blender_is_running();
}

#[test]
fn a_longer_grace_stores_frames_that_the_default_would_not() {
    let server = S3Server::start();
    let stage = Stage::new();
    // Of the default grace, 19 s are for storing.
    let slow = Fault::on(Operation::PutObject).key("out/frames/").delay(Duration::from_secs(20));
    server.inject(slow);
    let running = stage.start_on(&server, LONG_GRACE);
    server.wait_for_arrival(|request| request.key.ends_with("0002.png"), LONG);
    wait_until("Blender is in frame 3", || stage.path("in-frame-3").exists());
    stop(running, Signal::SIGTERM).exits(143).logs(&["3 of 5 frames are left: 3-5"]);
    assert_eq!(server.keys("out/frames/").len(), 2);
    assert_eq!(server.keys("out/reports/render-").len(), 1);
}

#[test]
fn a_signal_while_the_final_report_is_stored_does_not_change_the_result() {
    let (server, gate) = (S3Server::start(), Gate::default());
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("scene.blend"), ordered_scene(1, 2, &json!([]))).unwrap();
    let running = worker("render")
        .s3(&server)
        .input(folder.path().join("scene.blend"))
        .output(server.uri("out"))
        .args("-f 2")
        .args(LONG_GRACE)
        .stand_in_blender();
    // The first report is that of the beginning.
    let report = Fault::on(Operation::PutObject).key("out/reports/render-");
    server.inject(report.skip(1).hold(&gate));
    let running = running.start();
    running.wait_for_log("all 2 frames are stored");
    running.signal(Signal::SIGTERM);
    running.wait_for_log("SIGTERM received");
    gate.open();
    running.finish().exits(0).logs(&["report: "]);
    let report = server.get(&server.keys("out/reports/render-")[0]).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["status"], "succeeded");
}

/// A scene with a single frame of 18 MB, which is uploaded in two parts.
fn large_frame() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let orders = json!({"size": [3000, 2000], "level": 0});
    fs::write(folder.path().join("scene.blend"), ordered_scene(1, 1, &orders)).unwrap();
    folder
}

/// Stops the worker during the request `hanging` of a multipart upload, which has a fault. Asserts
/// that no part is left.
#[track_caller]
fn leaves_no_parts(hanging: Operation, fault: impl FnOnce(&S3Server)) {
    let (server, folder) = (S3Server::start(), large_frame());
    fault(&server);
    // The worker must wait for the response.
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
    let run = stop(running, Signal::SIGTERM).exits(143);
    let run = run.logs(&["1 of 1 frames are left: 1; nothing is stored"]);
    assert_eq!(server.count(Operation::AbortMultipartUpload), 1, "{}", run.text());
    assert_eq!(server.open_uploads(), [""; 0]);
    assert!(server.keys("out/frames/").is_empty());
    assert_eq!(server.keys("out/reports/render-").len(), 1);
}

#[test]
fn an_aborted_multipart_upload_leaves_no_parts() {
    leaves_no_parts(Operation::UploadPart, |server| {
        server.inject(Fault::on(Operation::UploadPart).stall());
    });
}

#[test]
fn a_multipart_upload_that_is_aborted_while_it_is_created_leaves_no_parts() {
    // The response comes 3.8 s after the request. The time for storing ends 3.5 s after the signal,
    // the grace after 5 s.
    leaves_no_parts(Operation::CreateMultipartUpload, |server| {
        let late = Duration::from_millis(3800);
        server.inject(Fault::on(Operation::CreateMultipartUpload).delay(late));
    });
}

/// Starts to stitch a video of one frame, which is uploaded in one piece.
fn start_stitch(server: &S3Server, folder: &TempDir, grace: &str) -> Running {
    fs::copy(fixture("frames/blender-rgb-8.png"), folder.path().join("0001.png")).unwrap();
    worker("stitch")
        .s3(server)
        .input(folder.path())
        .output(server.uri("out"))
        .args("--fps 24")
        .args(grace)
        .start()
}

#[test]
fn a_video_that_is_complete_when_the_signal_comes_is_still_stored() {
    let (server, folder) = (S3Server::start(), tempfile::tempdir().unwrap());
    let gate = Gate::default();
    server.inject(Fault::on(Operation::PutObject).key("output.mp4").hold(&gate));
    let running = start_stitch(&server, &folder, LONG_GRACE);
    server.wait_for_arrival(|request| request.key.ends_with("output.mp4"), LONG);
    running.signal(Signal::SIGTERM);
    running.wait_for_log(STORING);
    gate.open();
    running.finish().exits(0).logs(&["stored s3://render-test/out/output.mp4"]);
    assert_eq!(server.keys("out/output"), ["out/output.mp4"]);
}

#[test]
fn a_complete_video_that_cannot_be_stored_in_time_is_named() {
    let (server, folder) = (S3Server::start(), tempfile::tempdir().unwrap());
    server.inject(Fault::on(Operation::PutObject).key("output.mp4").stall());
    let running = start_stitch(&server, &folder, "--stop-grace 2s");
    server.wait_for_arrival(|request| request.key.ends_with("output.mp4"), LONG);
    let error = stop(running, Signal::SIGTERM).exits(143).final_error();
    assert!(error.contains("s3://render-test/out/output.mp4 is made, but not stored"), "{error}");
    assert!(server.keys("out/output").is_empty());
    assert_eq!(server.keys("out/reports/stitch-").len(), 1);
}

//! Timeouts. A program that stalls or takes too long is stopped. A program that works silently, or
//! that the worker itself has paused, is not.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::support::place::{Place, frame_names};
use crate::support::s3_server::{Fault, Operation, S3Server};
use crate::support::{fixture, frames, is_root, names, report, worker};

fn all_but(missing: u32) -> Vec<String> {
    frame_names((1..=12).filter(|&frame| frame != missing))
}

#[test]
fn a_stalled_blender_is_stopped_and_started_again() {
    let place = Place::ordered_with(
        |place| json!([{"at": 3, "when": "writing", "do": "hang", "once": place.path("once")}]),
    );
    let run = place.stand_in().args("--stall-timeout 1s").run().exits(0);
    run.logs(&[
        "Blender stalled: no line printed, no CPU time used and no file written for 1s \
         (--stall-timeout, STALL_TIMEOUT): stopping it",
        "launch 1 of Blender failed at frame 3 (1 of 3): Blender stalled",
        "starting Blender again for frames 3-12",
        "all 12 frames are stored",
    ]);
    assert_eq!(place.frames(), all_but(0));
}

#[test]
fn a_frame_that_always_stalls_is_skipped_even_if_blender_ignores_sigterm() {
    let place = Place::ordered(&json!([{"at": 3, "do": "ignore_term"}, {"at": 3, "do": "hang"}]));
    let run = place.stand_in().args("--blender-attempts 1").env("STALL_TIMEOUT", "1").run();
    run.fails(70, &["frame 3 is not rendered", "once at frame 3 (Blender stalled"]);
    assert_eq!(place.frames(), all_but(3));
    let report = report(&place.path("out"), "render");
    assert!(report["launches"][0]["ended"].as_str().unwrap().contains("stalled"), "{report}");
}

#[test]
fn a_blender_that_uses_cpu_time_prints_or_writes_is_not_stalled() {
    for sign in ["busy", "chatter", "trickle"] {
        let place = Place::ordered(&json!([{"at": 3, "do": sign, "seconds": 5}]));
        place.stand_in().args("--stall-timeout 2s").run().exits(0);
        assert_eq!(place.launches().len(), 1, "{sign}");
    }
    let place = Place::ordered(&json!([{"at": 3, "do": "delay", "seconds": 3}]));
    place.stand_in().args("--stall-timeout off").run().exits(0);
    assert_eq!(place.launches().len(), 1);
}

#[test]
fn without_a_usable_proc_a_busy_blender_is_not_stalled_and_the_log_says_why() {
    let user: &[&str] = if is_root() { &[] } else { &["-r"] };
    let without_proc = ["--mount", "sh", "-c", "mount -t tmpfs none /proc && exec \"$@\"", "sh"];
    // The /proc of the parent namespace, in which the ids belong to other processes.
    let with_foreign_proc = ["--pid", "--fork", "--kill-child"];
    for flags in [&without_proc[..], &with_foreign_proc] {
        let place = Place::ordered(&json!([{"at": 3, "do": "busy", "seconds": 4}]));
        let render = place.stand_in().args("--stall-timeout 1s");
        let run = render.wrapped_in([&["unshare"], user, flags].concat()).run().exits(0);
        assert_eq!(place.launches().len(), 1);
        let warning = "without /proc the CPU time of the program is unknown";
        assert_eq!(run.text().matches(warning).count(), 1, "{}", run.text());
    }
}

#[test]
fn a_frame_that_exceeds_its_timeout_is_skipped_however_busy_blender_is() {
    for sign in ["busy", "chatter"] {
        let place = Place::ordered(&json!([{"at": 3, "do": sign, "seconds": 300}]));
        let run = place.stand_in().args("--frame-timeout 3s --blender-attempts 1").run();
        let cause =
            "frame 3 (Blender took longer than 3s for the frame (--frame-timeout, FRAME_TIMEOUT))";
        run.fails(70, &["frame 3 is not rendered", cause]);
        assert_eq!(place.frames(), all_but(3));
    }
}

#[test]
fn the_frame_timeout_applies_to_each_frame() {
    let place = Place::ordered(&json!([{"at": "every", "do": "delay", "seconds": 0.5}]));
    place.stand_in().args("--frame-timeout 4s").run().exits(0);
    assert_eq!(place.launches().len(), 1);
}

#[test]
fn when_the_job_timeout_expires_saved_frames_are_stored() {
    let place = Place::ordered(&json!([{"at": 3, "do": "hang"}]));
    let run = place.stand_in().args("--job-timeout 5s").run();
    run.fails(
        70,
        &[
            "stopped by --job-timeout (JOB_TIMEOUT)",
            "10 of 12 frames are left: 3-12; frames 1-2 are stored",
            "give the job more time",
        ],
    );
    assert_eq!(place.frames(), frame_names([1, 2]));
    assert_eq!(report(&place.path("out"), "render")["exit_code"], 70);
}

#[test]
fn the_time_while_blender_is_paused_counts_for_no_timeout() {
    let server = S3Server::start();
    // In the third frame the backlog is full, and Blender is paused.
    let place = Place::ordered(&json!([{"at": 3, "do": "delay", "seconds": 1}]));
    let slow = Fault::on(Operation::PutObject).key("out/frames/").times(2);
    server.inject(slow.delay(Duration::from_secs(8)));
    let run = worker("render")
        .s3(&server)
        .input(place.scene())
        .output(server.uri("out"))
        .args("-f 12 --max-backlog 100 --stall-timeout 2s --frame-timeout 3s --blender-attempts 1")
        .stand_in_blender()
        .run();
    run.exits(0).logs(&["Blender is paused", "Blender is resumed"]);
    assert_eq!(place.launches().len(), 1);
    assert_eq!(server.keys("out/frames/").len(), 12);
}

#[test]
fn a_stalled_ffmpeg_is_stopped() {
    let place = Place::with_scene("");
    frames::write(&place.path("in/frames"), 1..=10);
    symlink(fixture("stand-ins/ffmpeg"), place.path("ffmpeg")).unwrap();
    let orders = json!({"output": "none", "stderr": "waiting\n", "hang": true});
    fs::write(place.path("ffmpeg.orders"), orders.to_string()).unwrap();
    let stitch = || {
        let stitch = worker("stitch").input(place.path("in")).output(place.path("out"));
        stitch.arg("--ffmpeg").arg(place.path("ffmpeg"))
    };
    let run = stitch().args("--stall-timeout 1s").run();
    run.fails(70, &["output.mp4 from frames 1-10: FFmpeg stalled", "--stall-timeout"]);
    let run = stitch().args("--job-timeout 3s").run();
    run.fails(70, &["--job-timeout (JOB_TIMEOUT)", "output.mp4 is not made"]);
    assert_eq!(names(&place.path("out")), ["previews", "reports"]);
}

#[test]
fn a_stalled_ffprobe_is_stopped() {
    let place = Place::with_scene("");
    frames::write(&place.path("in/frames"), 1..=10);
    // Another process writes the script: a process that another test starts at the same time would
    // inherit the file open for writing, and the kernel does not execute such a file.
    let script = "printf '#!/bin/sh\\nexec sleep 600\\n' >ffprobe && chmod +x ffprobe";
    let made = Command::new("sh").args(["-c", script]).current_dir(place.path("")).status();
    assert!(made.unwrap().success());
    let stitch = worker("stitch").input(place.path("in")).output(place.path("out"));
    let stitch = stitch.arg("--ffprobe").arg(place.path("ffprobe")).args("--stall-timeout 1s");
    stitch.run().fails(70, &["output.mp4 from frames 1-10: FFprobe stalled"]);
    assert_eq!(names(&place.path("out")), ["previews", "reports"]);
}

#[test]
fn an_ffmpeg_that_waits_for_frames_is_not_stalled() {
    let server = S3Server::start();
    for number in 1..=5 {
        let key = format!("in/frames/{}", frames::name(number));
        server.put(&key, &frames::frame(number));
    }
    let slow = Fault::on(Operation::GetObject).key("0004.png");
    server.inject(slow.delay(Duration::from_secs(4)));
    let run = worker("stitch")
        .s3(&server)
        .input(server.uri("in"))
        .output(server.uri("out"))
        .args("--fps 24 --stall-timeout 1s")
        .run();
    run.exits(0);
}

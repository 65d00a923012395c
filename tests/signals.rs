//! Being told to stop: what is saved is stored, what is left is named, nothing is left
//! running; told twice, it stops at once.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::s3_server::{Fault, Operation, S3Server};
use crate::support::{
    LONG, Run, Running, names, ordered_scene, pixel_hashes, report, scene, wait_until, worker,
};

/// What ends at once, on a machine that has other things to do.
pub const SOON: Duration = Duration::from_secs(10);

/// What ends without waiting for anything, on a machine that has other things to do.
const AT_ONCE: Duration = Duration::from_secs(2);

/// A folder with a scene for the stand-in, which in frame 3 waits for ever.
pub struct Stage {
    folder: TempDir,
}

impl Stage {
    /// In frame 3 half of the file is there when it stops.
    pub fn new() -> Self {
        Self::with(|_| json!([]))
    }

    /// The same, with more steps before these.
    pub fn with(steps: impl FnOnce(&Path) -> Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        let mut steps = steps(folder.path());
        steps.as_array_mut().unwrap().extend([
            json!({"at": 3, "when": "writing", "do": "touch", "path": file("in-frame-3")}),
            json!({"at": 3, "when": "writing", "do": "wait_for_file", "path": file("never")}),
        ]);
        let orders = json!({"steps": steps, "record": file("launches")});
        fs::write(file("scene.blend"), ordered_scene(1, 5, &orders)).unwrap();
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts the rendering of frames 1 to 5; waits until 1 and 2 are stored and 3 is
    /// half written.
    fn start(&self) -> Running {
        let running = worker("render")
            .input(self.path("scene.blend"))
            .output(self.path("out"))
            .args("-f 5")
            .stand_in_blender()
            .start();
        running.wait_for_log("frame 1 stored");
        running.wait_for_log("frame 2 stored");
        wait_until("Blender is in frame 3", || self.path("in-frame-3").exists());
        running
    }

    /// Starts it with its output on S3.
    pub fn start_on(&self, server: &S3Server, args: &str) -> Running {
        worker("render")
            .s3(server)
            .input(self.path("scene.blend"))
            .output(server.uri("out"))
            .args("-f 5")
            .args(args)
            .stand_in_blender()
            .start()
    }

    /// What every stop must leave behind: frames 1 and 2, a report, and nothing alive.
    fn is_left_in_order(&self, exit_code: i32) {
        assert_eq!(names(&self.path("out/frames")), ["0001.png", "0002.png"]);
        let report = report(&self.path("out"), "render");
        assert_eq!(report["status"], "failed");
        assert_eq!(report["exit_code"], exit_code);
        let stored: Vec<_> = report["frames"].as_object().unwrap().keys().collect();
        assert_eq!(stored, ["1", "2"]);
        assert!(report["cause"].as_str().unwrap().contains("3 of 5 frames are left: 3-5"));
        self.nothing_is_alive();
    }

    pub fn nothing_is_alive(&self) {
        let launches = fs::read_to_string(self.path("launches")).unwrap();
        for launch in launches.lines() {
            let launch: Value = serde_json::from_str(launch).unwrap();
            is_gone(launch["pid"].as_i64().unwrap());
        }
    }
}

#[track_caller]
fn is_gone(pid: i64) {
    let pid = Pid::from_raw(pid.try_into().unwrap());
    assert_eq!(kill(pid, None), Err(Errno::ESRCH), "{pid} is still there");
}

#[test]
fn signals_that_mean_nothing_change_nothing() {
    for (signal, name) in [(Signal::SIGUSR1, "SIGUSR1"), (Signal::SIGUSR2, "SIGUSR2")] {
        let stage = Stage::new();
        let running = stage.start();
        running.signal(signal);
        running.wait_for_log(&format!("{name} received: it has no meaning"));
        stop(running, Signal::SIGTERM).0.exits(143);
        stage.is_left_in_order(143);
    }
}

/// Sends a signal, waits for the end, and says how long that took.
pub fn stop(running: Running, signal: Signal) -> (Run, Duration) {
    let told = Instant::now();
    running.signal(signal);
    let run = running.finish();
    (run, told.elapsed())
}

#[test]
fn each_way_of_being_told_to_stop_has_its_exit_code_and_stores_what_is_saved() {
    for (signal, exit_code) in
        [(Signal::SIGTERM, 143), (Signal::SIGINT, 130), (Signal::SIGHUP, 143)]
    {
        let stage = Stage::new();
        let (run, took) = stop(stage.start(), signal);
        let run = run.exits(exit_code).says(&[
            &format!("{signal}"),
            "3 of 5 frames are left: 3-5; frames 1-2 are stored in ",
        ]);
        assert!(took < SOON, "{signal} took {took:?}\n{}", run.text());
        stage.is_left_in_order(exit_code);
    }
}

#[test]
fn told_twice_it_stops_at_once_and_ends_as_it_was_told_first() {
    for (first, second, exit_code) in [
        (Signal::SIGTERM, Signal::SIGTERM, 143),
        (Signal::SIGTERM, Signal::SIGINT, 143),
        (Signal::SIGINT, Signal::SIGHUP, 130),
    ] {
        let stage = Stage::with(|_| json!([{"at": "start", "do": "ignore_term"}]));
        let running = stage.start();
        running.signal(first);
        running.wait_for_log(&format!("{first}"));
        running.wait_for_log(" to stop at once");
        let (run, took) = stop(running, second);
        let run = run.exits(exit_code).says(&["received: stopping at once", "3 of 5 frames"]);
        assert!(took < AT_ONCE, "{took:?}\n{}", run.text());
        // What was stored is there; the report is still that of the beginning.
        assert_eq!(names(&stage.path("out/frames")), ["0001.png", "0002.png"]);
        assert_eq!(report(&stage.path("out"), "render")["status"], "running");
        stage.nothing_is_alive();
    }
}

#[test]
fn told_twice_it_stops_at_once_even_while_storage_hangs() {
    let server = S3Server::start();
    let stage = Stage::new();
    server.inject(Fault::on(Operation::PutObject).key("out/frames/").stall());
    let running = stage.start_on(&server, "");
    server.wait_for_arrival(|request| request.key.ends_with("0002.png"), LONG);
    wait_until("Blender is in frame 3", || stage.path("in-frame-3").exists());
    running.signal(Signal::SIGINT);
    running.wait_for_log("press ctrl-C again to stop at once");
    let (run, took) = stop(running, Signal::SIGINT);
    let run = run.exits(130).says(&["5 of 5 frames are left: 1-5; nothing is stored"]);
    assert!(took < AT_ONCE, "{took:?}\n{}", run.text());
    stage.nothing_is_alive();
}

#[test]
fn a_signal_that_is_sent_twice_in_a_breath_counts_once() {
    // As `timeout` does, to its child and to its child's group. More often here, for what
    // comes before the first one is heard is lost.
    let stage = Stage::new();
    let running = stage.start();
    for _ in 0..500 {
        running.signal(Signal::SIGTERM);
    }
    running.finish().exits(143);
    stage.is_left_in_order(143);
}

#[test]
fn blender_deaf_to_sigterm_is_killed_after_its_grace() {
    let stage = Stage::with(|_| json!([{"at": "start", "do": "ignore_term"}]));
    let (run, took) = stop(stage.start(), Signal::SIGTERM);
    let run = run.exits(143);
    assert!(took >= Duration::from_secs(5), "it had no grace: {took:?}\n{}", run.text());
    assert!(took < Duration::from_secs(5) + SOON, "{took:?}\n{}", run.text());
    stage.is_left_in_order(143);
}

#[test]
fn what_blender_started_is_ended_with_it() {
    let stage = Stage::with(|folder| {
        let path = folder.join("descendant");
        json!([{"at": 1, "do": "hold_pipe", "path": path, "ignore_term": true}])
    });
    let (run, took) = stop(stage.start(), Signal::SIGTERM);
    let run = run.exits(143);
    assert!(took < SOON, "{took:?}\n{}", run.text());
    stage.is_left_in_order(143);
    let descendant = fs::read_to_string(stage.path("descendant")).unwrap();
    wait_until("it is reaped by whoever inherited it", || {
        let pid = Pid::from_raw(descendant.parse().unwrap());
        kill(pid, None) == Err(Errno::ESRCH)
    });
}

#[test]
fn a_download_is_given_up_at_once() {
    let server = S3Server::start();
    server.put("scene.blend", &ordered_scene(1, 5, &json!([])));
    server.inject(Fault::on(Operation::GetObject).stall());
    let running = worker("render")
        .s3(&server)
        .input(server.uri("scene.blend"))
        .output(server.uri("out"))
        .args("-f 5")
        .stand_in_blender()
        .start();
    server.wait_for_arrival(|request| request.operation == Operation::GetObject, LONG);
    let (run, took) = stop(running, Signal::SIGTERM);
    let run = run.exits(143).says(&["the job is not done"]).never_says(&["starting "]);
    assert!(took < SOON, "{took:?}\n{}", run.text());
    assert!(server.keys("out/frames/").is_empty());
    assert_eq!(server.keys("out/reports/render-").len(), 1, "{}", run.text());
}

#[test]
fn a_log_that_nobody_reads_keeps_the_worker_neither_from_working_nor_from_stopping() {
    let stage = Stage::new();
    let (mut command, scratch) = worker("render")
        .input(stage.path("scene.blend"))
        .output(stage.path("out"))
        .args("-f 5 --log-level trace")
        .stand_in_blender()
        .into_command();
    let (reader, writer) = full_pipe();
    let mut child = command.stdout(Stdio::null()).stderr(writer).spawn().unwrap();
    wait_until("frame 2 is stored", || stage.path("out/frames/0002.png").exists());
    wait_until("Blender is in frame 3", || stage.path("in-frame-3").exists());
    let told = Instant::now();
    kill(pid_of(&child), Signal::SIGTERM).unwrap();
    let code = end_of(&mut child);
    let took = told.elapsed();
    drop(reader);
    assert_eq!(code, Some(143));
    assert!(took < SOON, "{took:?}");
    assert!(names(scratch.path()).is_empty());
    stage.is_left_in_order(143);
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(child.id().try_into().unwrap())
}

fn end_of(child: &mut Child) -> Option<i32> {
    let mut status = None;
    wait_until("the worker ends", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.and_then(|status| status.code())
}

/// A pipe into which nothing fits any more.
fn full_pipe() -> (std::io::PipeReader, File) {
    let (reader, writer) = std::io::pipe().unwrap();
    let room = fcntl(&writer, FcntlArg::F_GETPIPE_SZ).unwrap();
    let mut writer = File::from(std::os::fd::OwnedFd::from(writer));
    writer.write_all(&vec![b'\n'; room.try_into().unwrap()]).unwrap();
    (reader, writer)
}

#[test]
fn a_real_blender_in_the_middle_of_its_frames_is_stopped_in_the_same_way() {
    let output = tempfile::tempdir().unwrap();
    let running =
        worker("render").input(scene("tiny")).output(output.path()).args("--frames 1-1000").start();
    running.wait_for_log("frame 1 stored");
    let blender = child_of(Pid::from_raw(child_of(running.pid()).try_into().unwrap()));
    let (run, took) = stop(running, Signal::SIGTERM);
    let run = run.exits(143).says(&["SIGTERM", "of 1000 frames are left"]);
    assert!(took < SOON, "{took:?}\n{}", run.text());
    is_gone(blender);
    let report = report(output.path(), "render");
    let frames = report["frames"].as_object().unwrap();
    assert!(!frames.is_empty() && frames.len() < 1000);
    let mut stored: Vec<_> = frames.values().map(|frame| frame["file"].as_str().unwrap()).collect();
    stored.sort_unstable();
    let files = names(&output.path().join("frames"));
    assert_eq!(files, stored);
    for file in files {
        assert_eq!(pixel_hashes(&output.path().join("frames").join(&file)).len(), 1, "{file}");
    }
}

/// The only child of a process: of the guard the worker, and of that Blender.
fn child_of(process: Pid) -> i64 {
    let output = Command::new("ps").args(["-o", "pid=", "--ppid", &process.to_string()]).output();
    let text = String::from_utf8(output.expect("ps runs").stdout).unwrap();
    text.trim().parse().unwrap_or_else(|_| panic!("not one child: {text:?}"))
}

//! SIGTERM, SIGINT and SIGHUP: the worker stores saved frames, names the missing ones, and leaves
//! no process running. After a second signal it stops at once.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::init::write_program;
use crate::support::s3_server::{Fault, Operation, S3Server};
use crate::support::{
    LONG, Run, Running, Worker, fixture, names, ordered_scene, pixel_hashes, report, scene,
    wait_until, worker,
};

/// A grace that is longer than any wait of a test. A worker that waits for its end fails the test.
pub const LONG_GRACE: &str = "--stop-grace 2h";

/// A folder with a scene of frames 1 to 5 for the stand-in, which waits for ever in frame 3.
pub struct Stage {
    folder: TempDir,
}

impl Stage {
    /// Creates a scene. While the stand-in waits in frame 3, half of the file is written.
    pub fn new() -> Self {
        Self::with(|_| json!([]))
    }

    /// Creates a scene with more orders before that wait.
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

    /// A command line that renders frames 1 to 5 with a long grace.
    fn render(&self) -> Worker {
        let render = worker("render").input(self.path("scene.blend")).output(self.path("out"));
        render.args("-f 5").args(LONG_GRACE)
    }

    /// Starts to render, and waits until frames 1 and 2 are stored and frame 3 is half written.
    fn start(&self) -> Running {
        self.start_until_frame_3(self.render().stand_in_blender())
    }

    fn start_until_frame_3(&self, worker: Worker) -> Running {
        let running = worker.start();
        running.wait_for_log("frame 1 stored");
        running.wait_for_log("frame 2 stored");
        wait_until("Blender is in frame 3", || self.path("in-frame-3").exists());
        running
    }

    /// Starts to render with the output on S3.
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

    /// Asserts the result of a stop in frame 3: frames 1 and 2, a report, and no process.
    fn assert_stopped_in_order(&self, exit_code: i32) {
        assert_eq!(names(&self.path("out/frames")), ["0001.png", "0002.png"]);
        let report = report(&self.path("out"), "render");
        assert_eq!(report["status"], "failed");
        assert_eq!(report["exit_code"], exit_code);
        let stored: Vec<_> = report["frames"].as_object().unwrap().keys().collect();
        assert_eq!(stored, ["1", "2"]);
        assert!(report["cause"].as_str().unwrap().contains("3 of 5 frames are left: 3-5"));
        self.assert_no_blender_is_running();
    }

    pub fn assert_no_blender_is_running(&self) {
        let launches = fs::read_to_string(self.path("launches")).unwrap();
        for launch in launches.lines() {
            let launch: Value = serde_json::from_str(launch).unwrap();
            assert_ended(launch["pid"].as_i64().unwrap());
        }
    }
}

#[track_caller]
fn assert_ended(pid: i64) {
    let pid = Pid::from_raw(pid.try_into().unwrap());
    assert_eq!(kill(pid, None), Err(Errno::ESRCH), "{pid} is still running");
}

#[test]
fn sigusr1_and_sigusr2_are_logged_and_ignored() {
    for (signal, name) in [(Signal::SIGUSR1, "SIGUSR1"), (Signal::SIGUSR2, "SIGUSR2")] {
        let stage = Stage::new();
        let running = stage.start();
        running.signal(signal);
        running.wait_for_log(&format!("{name} received: it has no meaning"));
        stop(running, Signal::SIGTERM).exits(143);
        stage.assert_stopped_in_order(143);
    }
}

/// Sends a signal and waits for the end.
pub fn stop(running: Running, signal: Signal) -> Run {
    running.signal(signal);
    running.finish()
}

#[test]
fn each_signal_stores_saved_frames_and_has_its_exit_code() {
    for (signal, exit_code) in
        [(Signal::SIGTERM, 143), (Signal::SIGINT, 130), (Signal::SIGHUP, 143)]
    {
        let stage = Stage::new();
        stop(stage.start(), signal).exits(exit_code).logs(&[
            &format!("{signal}"),
            "3 of 5 frames are left: 3-5; frames 1-2 are stored in ",
        ]);
        stage.assert_stopped_in_order(exit_code);
    }
}

#[test]
fn a_second_signal_stops_at_once_with_the_exit_code_of_the_first() {
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
        let run = stop(running, second).exits(exit_code);
        run.logs(&["received: stopping at once", "3 of 5 frames"]);
        // Nothing was stored after the second signal: the report is that of the beginning.
        assert_eq!(names(&stage.path("out/frames")), ["0001.png", "0002.png"]);
        assert_eq!(report(&stage.path("out"), "render")["status"], "running");
        stage.assert_no_blender_is_running();
    }
}

#[test]
fn a_second_signal_stops_at_once_even_while_storage_hangs() {
    let server = S3Server::start();
    let stage = Stage::new();
    server.inject(Fault::on(Operation::PutObject).key("out/frames/").stall());
    let running = stage.start_on(&server, LONG_GRACE);
    server.wait_for_arrival(|request| request.key.ends_with("0002.png"), LONG);
    wait_until("Blender is in frame 3", || stage.path("in-frame-3").exists());
    running.signal(Signal::SIGINT);
    running.wait_for_log("press ctrl-C again to stop at once");
    let run = stop(running, Signal::SIGINT);
    run.exits(130).logs(&["5 of 5 frames are left: 1-5; nothing is stored"]);
    stage.assert_no_blender_is_running();
}

#[test]
fn a_signal_that_is_sent_twice_in_quick_succession_counts_once() {
    // `timeout` signals its child, and then its child's group. This test sends many signals,
    // because the kernel merges those that arrive before the first one is handled.
    let stage = Stage::new();
    let running = stage.start();
    for _ in 0..500 {
        running.signal(Signal::SIGTERM);
    }
    running.finish().exits(143);
    stage.assert_stopped_in_order(143);
}

#[test]
fn a_blender_that_ignores_sigterm_gets_it_first_and_is_then_killed() {
    let stage = Stage::with(|_| json!([{"at": "start", "do": "ignore_term"}]));
    // The shell in front of the stand-in records SIGTERM and ignores it, too.
    let script = format!(
        "#!/bin/sh\n[ $1 = --version ] && exec '{stand_in}' \"$@\"\n\
         trap 'echo >{}' TERM\n'{stand_in}' \"$@\" &\nwhile kill -0 $!; do wait $!; done\n",
        stage.path("terminated").display(),
        stand_in = fixture("stand-ins/blender").display(),
    );
    write_program(&stage.path("blender"), &script);
    let render = stage.render().arg("--blender").arg(stage.path("blender"));
    stop(stage.start_until_frame_3(render.env("SANDBOX", "off")), Signal::SIGTERM).exits(143);
    stage.assert_stopped_in_order(143);
    assert!(stage.path("terminated").exists(), "SIGKILL came without SIGTERM");
}

#[test]
fn a_blender_that_only_opens_a_scene_has_time_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let [program, opening, ended] =
        ["blender", "opening", "ended"].map(|name| folder.path().join(name));
    let script = format!(
        "#!/bin/sh\ntrap 'sleep 1; echo >{}; exit' TERM\necho >{}\nsleep 3600 &\nwait\n",
        ended.display(),
        opening.display(),
    );
    write_program(&program, &script);
    let inspect = worker("inspect").input(scene("tiny")).args("--deep --sandbox off");
    let running = inspect.arg("--blender").arg(program).start();
    wait_until("Blender runs", || opening.exists());
    stop(running, Signal::SIGTERM).exits(143).logs(&["the job is not finished"]);
    assert!(ended.exists(), "it was killed at once");
}

#[test]
fn children_of_blender_are_killed_with_it() {
    let stage = Stage::with(|folder| {
        let path = folder.join("descendant");
        json!([{"at": 1, "do": "hold_pipe", "path": path, "ignore_term": true}])
    });
    stop(stage.start(), Signal::SIGTERM).exits(143);
    stage.assert_stopped_in_order(143);
    let descendant = fs::read_to_string(stage.path("descendant")).unwrap();
    wait_until("the descendant is reaped", || {
        let pid = Pid::from_raw(descendant.parse().unwrap());
        kill(pid, None) == Err(Errno::ESRCH)
    });
}

#[test]
fn a_download_is_aborted_at_once() {
    let (server, folder) = (S3Server::start(), tempfile::tempdir().unwrap());
    let launches = folder.path().join("launches");
    server.put("scene.blend", &ordered_scene(1, 5, &json!({ "record": launches })));
    server.inject(Fault::on(Operation::GetObject).stall());
    let running = worker("render")
        .s3(&server)
        .input(server.uri("scene.blend"))
        .output(server.uri("out"))
        .args("-f 5")
        .args(LONG_GRACE)
        .stand_in_blender()
        .start();
    server.wait_for_arrival(|request| request.operation == Operation::GetObject, LONG);
    let run = stop(running, Signal::SIGTERM).exits(143).logs(&["the job is not finished"]);
    assert!(!launches.exists(), "Blender was started:\n{}", run.text());
    assert!(server.keys("out/frames/").is_empty());
    assert_eq!(server.keys("out/reports/render-").len(), 1, "{}", run.text());
}

#[test]
fn a_log_that_is_not_read_neither_blocks_the_worker_nor_its_stop() {
    let stage = Stage::new();
    let worker = stage.render().args("--log-level trace").stand_in_blender();
    let (mut command, scratch) = worker.into_command();
    let (reader, writer) = full_pipe();
    let mut child = command.stdout(Stdio::null()).stderr(writer).spawn().unwrap();
    wait_until("frame 2 is stored", || stage.path("out/frames/0002.png").exists());
    wait_until("Blender is in frame 3", || stage.path("in-frame-3").exists());
    kill(pid_of(&child), Signal::SIGTERM).unwrap();
    let code = exit_code_of(&mut child);
    drop(reader);
    assert_eq!(code, Some(143));
    assert!(names(scratch.path()).is_empty());
    stage.assert_stopped_in_order(143);
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(child.id().try_into().unwrap())
}

/// Waits for the end of a child.
fn exit_code_of(child: &mut Child) -> Option<i32> {
    let mut status = None;
    wait_until("the worker ends", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.and_then(|status| status.code())
}

/// Returns a pipe that is full.
fn full_pipe() -> (std::io::PipeReader, File) {
    let (reader, writer) = std::io::pipe().unwrap();
    let capacity = fcntl(&writer, FcntlArg::F_GETPIPE_SZ).unwrap();
    let mut writer = File::from(std::os::fd::OwnedFd::from(writer));
    writer.write_all(&vec![b'\n'; capacity.try_into().unwrap()]).unwrap();
    (reader, writer)
}

#[test]
fn a_real_blender_is_stopped_in_the_same_way() {
    let output = tempfile::tempdir().unwrap();
    let render = worker("render").input(scene("tiny")).output(output.path());
    let running = render.args("--frames 1-1000").args(LONG_GRACE).start();
    running.wait_for_log("frame 1 stored");
    let blender = child_of(Pid::from_raw(child_of(running.pid()).try_into().unwrap()));
    let run = stop(running, Signal::SIGTERM);
    run.exits(143).logs(&["SIGTERM", "of 1000 frames are left"]);
    assert_ended(blender);
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

/// Returns the only child of a process: the guard's is the worker, the worker's is Blender.
fn child_of(process: Pid) -> i64 {
    let output = Command::new("ps").args(["-o", "pid=", "--ppid", &process.to_string()]).output();
    let text = String::from_utf8(output.expect("ps runs").stdout).unwrap();
    text.trim().parse().unwrap_or_else(|_| panic!("not one child: {text:?}"))
}

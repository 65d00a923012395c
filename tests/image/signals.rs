//! Stopping a container in every way that an engine has: saved frames are kept, missing ones are
//! named. And orphans, which PID 1 must reap.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::container::Contained;
use crate::stage::{Stage, WAITS_IN_FRAME_3};
use crate::support::{Run, report, wait_until};

/// A grace that is longer than any wait of a test. A worker that waits for its end fails the test.
const LONG_GRACE: &str = "--stop-grace 2h";

/// Starts to render frames 1 to 5, and waits until 1 and 2 are stored and Blender is in frame 3.
fn in_frame_3(options: &str) -> (Stage, Contained) {
    let stage = Stage::scripted(WAITS_IN_FRAME_3);
    let render = stage.render_scripted().options(options);
    let container = render.args("-f 5").args(LONG_GRACE).start();
    container.wait_for_log("frame 2 stored");
    wait_until("Blender is in frame 3", || stage.path("in-frame-3").exists());
    (stage, container)
}

/// Asserts the result of a stop in frame 3: the final error, frames 1 and 2, and a report.
#[track_caller]
fn assert_stopped_in_order(stage: &Stage, run: Run, code: i32) {
    let run = run.exits(code);
    let error = run.final_error();
    assert!(error.contains("3 of 5 frames are left: 3-5; frames 1-2 are stored in "), "{error}");
    assert_eq!(stage.frames("out"), ["0001.png", "0002.png"]);
    let report = report(&stage.path("out"), "render");
    assert_eq!((&report["status"], &report["exit_code"]), (&"failed".into(), &code.into()));
}

#[track_caller]
fn check_stop_by(signal: &str, options: &str, code: i32) {
    let (stage, container) = in_frame_3(options);
    container.engine(&format!("kill --signal {signal}"));
    let run = container.finish();
    assert_stopped_in_order(&stage, run.logs(&[&format!("SIG{signal}")]), code);
}

#[test]
fn sigterm_stops_the_worker() {
    check_stop_by("TERM", "", 143);
}

#[test]
fn sigterm_stops_the_worker_behind_the_init_of_the_engine() {
    check_stop_by("TERM", "--init", 143);
}

#[test]
fn sighup_stops_the_worker_like_sigterm() {
    check_stop_by("HUP", "", 143);
}

#[test]
fn sigint_stops_the_worker() {
    check_stop_by("INT", "", 130);
}

#[test]
fn sigusr1_is_forwarded_and_ignored() {
    let (stage, container) = in_frame_3("");
    container.engine("kill --signal USR1");
    container.wait_for_log("SIGUSR1 received: it has no meaning");
    container.engine("kill --signal TERM");
    assert_stopped_in_order(&stage, container.finish(), 143);
}

#[test]
fn docker_stop_keeps_saved_frames_and_does_not_need_sigkill() {
    let (stage, container) = in_frame_3("");
    container.engine("stop");
    // SIGKILL, ten seconds later, would be 137.
    assert_stopped_in_order(&stage, container.finish(), 143);
}

#[test]
fn ctrl_c_on_a_terminal_stops_the_worker_and_names_the_stored_frames() {
    let stage = Stage::scripted(WAITS_IN_FRAME_3);
    let render = stage.render_scripted().options("--interactive --tty").args("-f 5");
    let render = render.args(LONG_GRACE);
    let (command, _name) = render.into_command();
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = shell_words::join(words.map(|word| word.to_str().unwrap()));
    let mut terminal = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script runs");
    let mut keyboard = terminal.stdin.take().unwrap();
    wait_until("frame 2 is stored", || stage.path("out/frames/0002.png").exists());
    wait_until("Blender is in frame 3", || stage.path("in-frame-3").exists());

    keyboard.write_all(b"\x03").unwrap();
    wait_until("the container ends", || terminal.try_wait().unwrap().is_some());
    let output = terminal.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(130), "{text}");
    for part in ["stopped by SIGINT", "3 of 5 frames are left: 3-5; frames 1-2 are stored in "] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
    assert_eq!(stage.frames("out"), ["0001.png", "0002.png"]);
}

/// A script in which Blender starts a shell that leaves behind 100 processes. Each writes its id to
/// a file and ends.
const LEAVES_ORPHANS: &str = "
import subprocess
subprocess.run(['sh', '-c', '''
    for number in $(seq 100); do
        (sh -c 'echo $$ >>/work/orphans' &)
    done
'''], check=True)
";

#[track_caller]
fn check_orphans_are_reaped(options: &str) {
    let stage = Stage::scripted(&format!("{LEAVES_ORPHANS}{WAITS_IN_FRAME_3}"));
    let container = stage.render_scripted().options(options).args("-f 3").start();
    container.wait_for_log("frame 2 stored");
    let mut orphans = Vec::new();
    wait_until("100 orphans have run", || {
        let text = fs::read_to_string(stage.path("orphans")).unwrap_or_default();
        orphans = text.lines().map(str::to_owned).collect();
        orphans.len() == 100
    });
    // A zombie is still listed.
    wait_until("all orphans are reaped", || {
        let there = container.exec("ls /proc");
        !there.lines().any(|process| orphans.iter().any(|orphan| orphan == process))
    });
    fs::write(stage.path("go"), "").unwrap();
    container.finish().exits(0);
    assert_eq!(stage.frames("out").len(), 3);
}

#[test]
fn pid_1_reaps_a_hundred_orphans() {
    check_orphans_are_reaped("");
}

#[test]
fn the_init_of_the_engine_reaps_a_hundred_orphans() {
    check_orphans_are_reaped("--init");
}

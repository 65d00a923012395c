//! PID 1, in every way an engine tells it to stop: saved frames stay, what is left is
//! named. And the orphans that nobody else waits for.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::container::Contained;
use crate::stage::{Stage, WAITS_IN_FRAME_3};
use crate::support::{Run, report, wait_until};

/// What ends at once, on a machine that has other things to do.
const SOON: Duration = Duration::from_secs(8);

/// From SIGTERM to SIGKILL, if `docker stop` is not told otherwise.
const GRACE: Duration = Duration::from_secs(10);

/// Starts the rendering of frames 1 to 5; waits until 1 and 2 are stored and Blender is
/// in frame 3.
fn in_frame_3(options: &str) -> (Stage, Contained) {
    let stage = Stage::scripted(WAITS_IN_FRAME_3);
    let container = stage.render_scripted().options(options).args("-f 5").start();
    container.wait_for_log("frame 2 stored");
    wait_until("Blender is in frame 3", || stage.path("in-frame-3").exists());
    (stage, container)
}

/// What every stop must leave behind: frames 1 and 2, the last words and a report.
#[track_caller]
fn is_left_in_order(stage: &Stage, run: Run, code: i32) {
    let run = run.exits(code);
    let words = run.last_words();
    assert!(words.contains("3 of 5 frames are left: 3-5; frames 1-2 are stored in "), "{words}");
    assert_eq!(stage.frames("out"), ["0001.png", "0002.png"]);
    let report = report(&stage.path("out"), "render");
    assert_eq!((&report["status"], &report["exit_code"]), (&"failed".into(), &code.into()));
}

#[track_caller]
fn signal_stops(signal: &str, options: &str, code: i32) {
    let (stage, container) = in_frame_3(options);
    let told = Instant::now();
    container.engine(&format!("kill --signal {signal}"));
    let run = container.finish();
    let took = told.elapsed();
    assert!(took < SOON, "{signal} took {took:?}\n{}", run.text());
    is_left_in_order(&stage, run.says(&[&format!("SIG{signal}")]), code);
}

#[test]
fn term_stops_it() {
    signal_stops("TERM", "", 143);
}

#[test]
fn term_stops_it_behind_an_init_of_the_engine() {
    signal_stops("TERM", "--init", 143);
}

#[test]
fn hup_stops_it_as_term_does() {
    signal_stops("HUP", "", 143);
}

#[test]
fn int_stops_it() {
    signal_stops("INT", "", 130);
}

#[test]
fn usr1_is_forwarded_and_changes_nothing() {
    let (stage, container) = in_frame_3("");
    container.engine("kill --signal USR1");
    container.wait_for_log("SIGUSR1 received: it has no meaning");
    container.engine("kill --signal TERM");
    is_left_in_order(&stage, container.finish(), 143);
}

#[test]
fn docker_stop_keeps_the_saved_frames_and_says_so() {
    let (stage, container) = in_frame_3("");
    let told = Instant::now();
    container.engine("stop");
    let took = told.elapsed();
    let run = container.finish();
    assert!(took < GRACE, "{took:?}\n{}", run.text());
    is_left_in_order(&stage, run, 143);
}

#[test]
fn ctrl_c_on_a_terminal_stops_it_at_once_and_says_what_is_kept() {
    let stage = Stage::scripted(WAITS_IN_FRAME_3);
    let render = stage.render_scripted().options("--interactive --tty").args("-f 5");
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

    let told = Instant::now();
    keyboard.write_all(b"\x03").unwrap();
    wait_until("the container ends", || terminal.try_wait().unwrap().is_some());
    let took = told.elapsed();
    let output = terminal.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(130), "{text}");
    assert!(took < SOON, "{took:?}\n{text}");
    for words in ["stopped by SIGINT", "3 of 5 frames are left: 3-5; frames 1-2 are stored in "] {
        assert!(text.contains(words), "{words:?} is not in:\n{text}");
    }
    assert_eq!(stage.frames("out"), ["0001.png", "0002.png"]);
}

/// Blender starts a shell that leaves behind 100 processes, each of which writes its id
/// to a file and ends.
const LEAVES_ORPHANS: &str = "
import subprocess
subprocess.run(['sh', '-c', '''
    for number in $(seq 100); do
        (sh -c 'echo $$ >>/work/orphans' &)
    done
'''], check=True)
";

#[track_caller]
fn orphans_are_reaped(options: &str) {
    let stage = Stage::scripted(&format!("{LEAVES_ORPHANS}{WAITS_IN_FRAME_3}"));
    let container = stage.render_scripted().options(options).args("-f 3").start();
    container.wait_for_log("frame 2 stored");
    let mut orphans = Vec::new();
    wait_until("100 orphans have run", || {
        let text = fs::read_to_string(stage.path("orphans")).unwrap_or_default();
        orphans = text.lines().map(str::to_owned).collect();
        orphans.len() == 100
    });
    // A zombie would still be listed.
    wait_until("all of them are gone", || {
        let there = container.exec("ls /proc");
        !there.lines().any(|process| orphans.iter().any(|orphan| orphan == process))
    });
    fs::write(stage.path("go"), "").unwrap();
    container.finish().exits(0);
    assert_eq!(stage.frames("out").len(), 3);
}

#[test]
fn a_hundred_orphans_are_reaped_by_pid_1() {
    orphans_are_reaped("");
}

#[test]
fn a_hundred_orphans_are_reaped_by_an_init_of_the_engine() {
    orphans_are_reaped("--init");
}

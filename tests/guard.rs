//! Whatever kills the worker, what it started ends within a moment: Blender, and what that
//! started in sessions of its own. In a container the kernel sees to that; here nobody is PID 1.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use tempfile::TempDir;

use crate::init::{children, state};
use crate::support::{Running, fixture, names, ordered_scene, wait_until, worker};

/// What ends at once, on a machine that has other things to do.
const SOON: Duration = Duration::from_secs(10);

/// A Blender that is a script: it starts another one, and a daemon that is deaf.
struct Stage(TempDir);

impl Stage {
    fn new() -> Self {
        let stage = Self(tempfile::tempdir().unwrap());
        let orders = json!({"steps": [
            {"at": 1, "do": "fork_daemon", "path": stage.path("daemon"), "ignore_term": true},
            {"at": 2, "do": "wait_for_file", "path": stage.path("go")},
        ], "record": stage.path("launch")});
        fs::write(stage.path("scene.blend"), ordered_scene(1, 2, &orders)).unwrap();
        let real = fixture("stand-ins/blender");
        let script = format!("#!/bin/sh\n'{}' \"$@\"\nexit $?\n", real.display());
        fs::write(stage.path("blender"), script).unwrap();
        fs::set_permissions(stage.path("blender"), fs::Permissions::from_mode(0o755)).unwrap();
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Starts it and waits until all are there. A worker that is killed cannot remove its
    /// temporary files: these are in a folder of the stage.
    fn start(&self) -> (Running, Family) {
        fs::create_dir_all(self.path("scratch")).unwrap();
        let running = worker("render")
            .input(self.path("scene.blend"))
            .output(self.path("out"))
            .args("-f 2 --sandbox off --scratch-dir")
            .arg(self.path("scratch"))
            .arg("--blender")
            .arg(self.path("blender"))
            .start();
        running.wait_for_log("frame 1 stored");
        let guard = running.pid();
        let worker = only(&children(guard));
        let script = only(&children(worker));
        let daemon = fs::read_to_string(self.path("daemon")).unwrap().parse().unwrap();
        let blender = children(script).into_iter().find(|pid| pid.as_raw() != daemon).unwrap();
        let family = Family { guard, worker, script, blender, daemon: Pid::from_raw(daemon) };
        (running, family)
    }
}

struct Family {
    guard: Pid,
    worker: Pid,
    script: Pid,
    blender: Pid,
    daemon: Pid,
}

fn only(pids: &[Pid]) -> Pid {
    assert_eq!(pids.len(), 1, "{pids:?}");
    pids[0]
}

/// Waits until these are gone. Somebody else reaps what has ended.
#[track_caller]
fn are_gone(pids: &[Pid]) {
    let since = Instant::now();
    let gone = |pid: &Pid| matches!(state(*pid), None | Some('Z'));
    wait_until("they are gone", || pids.iter().all(gone));
    assert!(since.elapsed() < SOON, "{:?}", since.elapsed());
}

#[test]
fn whoever_of_guard_and_worker_is_killed_the_other_one_ends_the_rest() {
    for signal in [Signal::SIGKILL, Signal::SIGSEGV, Signal::SIGABRT] {
        let stage = Stage::new();
        let (running, family) = stage.start();
        kill(family.worker, signal).unwrap();
        let Family { worker, script, blender, daemon, .. } = family;
        are_gone(&[worker, script, blender, daemon]);
        running.finish().exits(128 + signal as i32);
    }
    let stage = Stage::new();
    let (running, family) = stage.start();
    kill(family.guard, Signal::SIGKILL).unwrap();
    let Family { worker, script, blender, daemon, .. } = family;
    are_gone(&[worker, script, blender, daemon]);
    // It had the time to say so and to tidy up.
    running.wait_for_log("the parent of this process was killed");
    running.finish();
    assert_eq!(names(&stage.path("scratch")), [""; 0]);
}

#[test]
fn who_kills_workers_by_their_name_leaves_the_guard_to_end_the_rest() {
    let stage = Stage::new();
    let (running, family) = stage.start();
    let name = |pid: Pid| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
    assert_eq!(name(family.worker).trim(), "render-worker");
    assert_eq!(name(family.guard).trim(), "worker-guard");
    kill(family.worker, Signal::SIGKILL).unwrap();
    are_gone(&[family.script, family.blender, family.daemon]);
    running.finish().exits(137);
}

#[test]
fn what_was_started_itself_goes_even_with_both_of_them() {
    let stage = Stage::new();
    let (running, family) = stage.start();
    // Stopped, neither can do anything before it is killed.
    for pid in [family.guard, family.worker] {
        kill(pid, Signal::SIGSTOP).unwrap();
        wait_until("it stands still", || state(pid) == Some('T'));
    }
    for pid in [family.guard, family.worker] {
        kill(pid, Signal::SIGKILL).unwrap();
    }
    are_gone(&[family.guard, family.worker, family.script]);
    for pid in [family.blender, family.daemon] {
        kill(pid, Signal::SIGKILL).unwrap();
    }
    running.finish();
}

#[test]
fn a_worker_that_is_stopped_on_its_terminal_stands_still_and_goes_on() {
    let stage = Stage::new();
    let (running, family) = stage.start();
    kill(family.guard, Signal::SIGTSTP).unwrap();
    wait_until("both stand still", || {
        [family.guard, family.worker].iter().all(|&pid| state(pid) == Some('T'))
    });
    kill(family.guard, Signal::SIGCONT).unwrap();
    fs::write(stage.path("go"), "").unwrap();
    running.finish().exits(0);
}

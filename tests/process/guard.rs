//! The death of the worker ends everything that it started: Blender, and Blender's children in
//! sessions of their own. In a container the kernel does this when PID 1 ends; here the guard does.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use tempfile::TempDir;

use crate::process::init::{children, state};
use crate::support::{Running, fixture, names, ordered_scene, wait_until, worker};

/// How long the daemon lives, in seconds, unless it is killed: longer than any wait of a test.
const DAEMON_LIFETIME: u64 = 3600;

/// A folder with a Blender that is a shell script. It starts the stand-in, which starts a daemon
/// that ignores SIGTERM.
struct Stage(TempDir);

impl Stage {
    fn new() -> Self {
        let stage = Self(tempfile::tempdir().unwrap());
        let orders = json!({"steps": [
            {
                "at": 1, "do": "fork_daemon", "path": stage.path("daemon"),
                "ignore_term": true, "seconds": DAEMON_LIFETIME,
            },
            {"at": 2, "do": "wait_for_file", "path": stage.path("go")},
        ], "record": stage.path("launch")});
        fs::write(stage.path("scene.blend"), ordered_scene(1, 2, &orders)).unwrap();
        let stand_in = fixture("stand-ins/blender");
        let script = format!("#!/bin/sh\n'{}' \"$@\"\nexit $?\n", stand_in.display());
        fs::write(stage.path("blender"), script).unwrap();
        fs::set_permissions(stage.path("blender"), fs::Permissions::from_mode(0o755)).unwrap();
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Starts the worker and waits until all processes run. The temporary files go to a folder of
    /// the test, because a killed worker cannot remove them.
    fn start(&self) -> (Running, Processes) {
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
        let daemon = Pid::from_raw(daemon);
        (running, Processes { guard, worker, script, blender, daemon })
    }
}

/// All processes of a run.
struct Processes {
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

/// Waits until these processes have ended. None of them ends by itself.
#[track_caller]
fn wait_until_ended(pids: &[Pid]) {
    // Another process reaps them.
    let has_ended = |pid: &Pid| matches!(state(*pid), None | Some('Z'));
    wait_until("the processes end", || pids.iter().all(has_ended));
}

#[test]
fn if_the_guard_or_the_worker_is_killed_the_other_one_ends_all_children() {
    for signal in [Signal::SIGKILL, Signal::SIGSEGV, Signal::SIGABRT] {
        let stage = Stage::new();
        let (running, processes) = stage.start();
        kill(processes.worker, signal).unwrap();
        let Processes { worker, script, blender, daemon, .. } = processes;
        wait_until_ended(&[worker, script, blender, daemon]);
        running.finish().exits(128 + signal as i32);
    }
    let stage = Stage::new();
    let (running, processes) = stage.start();
    kill(processes.guard, Signal::SIGKILL).unwrap();
    let Processes { worker, script, blender, daemon, .. } = processes;
    wait_until_ended(&[worker, script, blender, daemon]);
    // The worker itself ends in order: it logs the reason and removes its temporary files.
    running.wait_for_log("the parent of this process was killed");
    running.finish();
    assert_eq!(names(&stage.path("scratch")), [""; 0]);
}

#[test]
fn the_guard_has_another_name_so_that_killing_workers_by_name_spares_it() {
    let stage = Stage::new();
    let (running, processes) = stage.start();
    let name = |pid: Pid| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
    assert_eq!(name(processes.worker).trim(), "render-worker");
    assert_eq!(name(processes.guard).trim(), "worker-guard");
    kill(processes.worker, Signal::SIGKILL).unwrap();
    wait_until_ended(&[processes.script, processes.blender, processes.daemon]);
    running.finish().exits(137);
}

#[test]
fn if_guard_and_worker_are_killed_together_the_kernel_still_kills_blenders_process() {
    let stage = Stage::new();
    let (running, processes) = stage.start();
    // Stopped processes cannot react before they are killed.
    for pid in [processes.guard, processes.worker] {
        kill(pid, Signal::SIGSTOP).unwrap();
        wait_until("the process is stopped", || state(pid) == Some('T'));
    }
    for pid in [processes.guard, processes.worker] {
        kill(pid, Signal::SIGKILL).unwrap();
    }
    wait_until_ended(&[processes.guard, processes.worker, processes.script]);
    // Their parents are gone, and they may be as well.
    for pid in [processes.blender, processes.daemon] {
        _ = kill(pid, Signal::SIGKILL);
    }
    running.finish();
}

#[test]
fn sigtstp_and_sigcont_stop_and_continue_guard_and_worker() {
    let stage = Stage::new();
    let (running, processes) = stage.start();
    kill(processes.guard, Signal::SIGTSTP).unwrap();
    wait_until("both processes are stopped", || {
        [processes.guard, processes.worker].iter().all(|&pid| state(pid) == Some('T'))
    });
    kill(processes.guard, Signal::SIGCONT).unwrap();
    fs::write(stage.path("go"), "").unwrap();
    running.finish().exits(0);
}

//! Running as PID 1, as in a container without `--init`: signals arrive, orphans are reaped, exit
//! codes pass through. And the initial state of Blender's process, whatever state the worker
//! inherited.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Running, Worker, fixture, is_root, names, ordered_scene, wait_until, worker};

/// A folder with a scene of frames 1 and 2 for the stand-in, its record of launches and the output.
struct Stage {
    folder: TempDir,
}

impl Stage {
    fn new(orders: impl FnOnce(&Path) -> Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let orders = orders(folder.path());
        fs::write(folder.path().join("scene.blend"), ordered_scene(1, 2, &orders)).unwrap();
        Self { folder }
    }

    /// Creates a scene. In frame 2 the stand-in waits for the file `go`.
    fn waiting() -> Self {
        Self::new(|folder| {
            let steps = json!([{"at": 2, "do": "wait_for_file", "path": folder.join("go")}]);
            json!({"steps": steps, "record": folder.join("launch")})
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn worker(&self) -> Worker {
        worker("render").input(self.path("scene.blend")).output(self.path("out")).args("-f 2")
    }

    fn go(&self) {
        fs::write(self.path("go"), "").unwrap();
    }

    /// Returns the stand-in's record of its launch.
    fn launch(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path("launch")).unwrap()).unwrap()
    }
}

/// Returns a command that starts a program as PID 1 of a PID namespace with its own `/proc`.
pub fn as_pid_1() -> Vec<&'static str> {
    namespace(&["--pid", "--fork", "--kill-child", "--mount-proc"])
}

fn namespace<'a>(flags: &[&'a str]) -> Vec<&'a str> {
    // A user namespace gives other users the necessary capabilities.
    let user: &[&str] = if is_root() { &[] } else { &["-r"] };
    [&["unshare"], user, flags].concat()
}

/// Returns the children of a process, in the PID namespace of the test.
pub fn children(process: Pid) -> Vec<Pid> {
    let output = Command::new("ps")
        .args(["-o", "pid=", "--ppid", &process.to_string()])
        .output()
        .expect("ps runs");
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().map(|pid| Pid::from_raw(pid.parse().unwrap())).collect()
}

/// Returns PID 1 of the namespace that `unshare` created.
fn init_of(running: &Running) -> Pid {
    let found = children(running.pid());
    assert_eq!(found.len(), 1, "{found:?}");
    found[0]
}

/// Returns the worker proper: the child of its guard that is no orphan.
fn worker_of(init: Pid) -> Pid {
    let program = |pid: &Pid| fs::read_link(format!("/proc/{pid}/exe")).ok();
    let ours = program(&init).expect("PID 1 is a program");
    let found: Vec<_> =
        children(init).into_iter().filter(|pid| program(pid).as_ref() == Some(&ours)).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0]
}

/// Returns the state of a process: `R`unning, `S`leeping, s`T`opped, `Z`ombie; `None` if it does
/// not exist.
pub fn state(process: Pid) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Returns the id of a process in its own namespace.
fn inner_id(process: Pid) -> String {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap();
    ids.split_whitespace().last().unwrap().to_owned()
}

#[test]
fn pid_1_runs_the_worker_as_its_child_and_passes_on_its_exit_code() {
    let stage = Stage::waiting();
    let running = stage.worker().stand_in_blender().wrapped_in(as_pid_1()).start();
    running.wait_for_log("frame 1 stored");
    let init = init_of(&running);
    assert_eq!(inner_id(init), "1");
    let worker = worker_of(init);
    assert_eq!(stage.launch()["parent"].to_string(), inner_id(worker));
    stage.go();
    running.finish().exits(0);
    assert_eq!(names(&stage.path("out/frames")), ["0001.png", "0002.png"]);

    stage.worker().args("--engine a-b").wrapped_in(as_pid_1()).run().exits(2).logs(&["--engine"]);
    let stage = Stage::new(|_| json!([{"at": 1, "do": "crash"}]));
    stage.worker().stand_in_blender().wrapped_in(as_pid_1()).run().exits(70);
}

#[test]
fn pid_1_forwards_signals() {
    for (signal, exit_code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] {
        let stage = Stage::waiting();
        let running = stage.worker().stand_in_blender().wrapped_in(as_pid_1()).start();
        running.wait_for_log("frame 1 stored");
        kill(init_of(&running), signal).unwrap();
        running.finish().exits(exit_code).logs(&["1 of 2 frames are left: 2"]);
        assert_eq!(names(&stage.path("out/frames")), ["0001.png"]);
    }
}

/// Sends a signal by number: real-time signals have no names.
fn send(number: u32, process: Pid) {
    let status =
        Command::new("kill").arg(format!("-{number}")).arg(process.to_string()).status().unwrap();
    assert!(status.success(), "{number}");
}

#[test]
fn real_time_signals_are_forwarded_and_ignored() {
    for as_init in [true, false] {
        let stage = Stage::waiting();
        let worker = stage.worker().stand_in_blender();
        let worker = if as_init { worker.wrapped_in(as_pid_1()) } else { worker };
        let running = worker.start();
        running.wait_for_log("frame 1 stored");
        let guard = if as_init { init_of(&running) } else { running.pid() };
        for number in [34, 35, 37, 50, 63, 64] {
            send(number, guard);
            let name = format!("SIGRTMIN+{} received: it has no meaning", number - 34);
            running.wait_for_log(&name);
        }
        kill(guard, Signal::SIGTERM).unwrap();
        running.finish().exits(143);
    }
}

#[test]
fn an_orphan_killed_by_a_real_time_signal_is_reaped_like_others() {
    let stage = Stage::waiting();
    // One orphan is killed by a real-time signal; another one ends after it.
    let script = format!(
        "#!/bin/sh\n[ $1 = --version ] || {{ (sh -c 'kill -40 $$' &); (sh -c 'echo $$ >{}' &); }}\n\
         exec '{}' \"$@\"\n",
        stage.path("orphan").display(),
        fixture("stand-ins/blender").display(),
    );
    write_program(&stage.path("blender"), &script);
    let worker = stage.worker().arg("--blender").arg(stage.path("blender")).env("SANDBOX", "off");
    let running = worker.start();
    running.wait_for_log("frame 1 stored");
    wait_until("the orphans have run", || stage.path("orphan").exists());
    let worker = worker_of(running.pid());
    wait_until("the worker has no child but Blender", || children(worker).len() == 1);
    stage.go();
    running.finish().exits(0);
}

#[test]
fn the_exit_code_of_pid_1_names_the_signal_that_killed_the_worker() {
    for (signal, exit_code) in
        [(Signal::SIGKILL, 137), (Signal::SIGSEGV, 139), (Signal::SIGABRT, 134)]
    {
        let stage = Stage::waiting();
        // A killed worker cannot remove its temporary files.
        let scratch = tempfile::tempdir().unwrap();
        let worker = stage.worker().stand_in_blender().env("TMPDIR", scratch.path());
        let running = worker.wrapped_in(as_pid_1()).start();
        running.wait_for_log("frame 1 stored");
        kill(worker_of(init_of(&running)), signal).unwrap();
        running.finish().exits(exit_code);
    }
}

#[test]
fn pid_1_reaps_a_hundred_orphans() {
    let stage = Stage::waiting();
    // A Blender that renders, and leaves behind a hundred processes without a parent.
    let blender = stage.path("blender");
    let script = format!(
        "#!/bin/sh\n\
         [ $1 = --version ] || for n in $(seq 100); do (sh -c 'echo $$ >>{}' &); done\n\
         exec '{}' \"$@\"\n",
        stage.path("orphans").display(),
        fixture("stand-ins/blender").display(),
    );
    write_program(&blender, &script);
    // No sandbox: the processes write their ids to a file of the test.
    let worker = stage.worker().arg("--blender").arg(&blender).env("SANDBOX", "off");
    let running = worker.wrapped_in(as_pid_1()).start();
    running.wait_for_log("frame 1 stored");
    let orphans = || fs::read_to_string(stage.path("orphans")).unwrap_or_default();
    wait_until("a hundred orphans have run", || orphans().lines().count() == 100);

    // The processes in the /proc of the namespace.
    let init = init_of(&running);
    let processes = || {
        let all = names(Path::new(&format!("/proc/{init}/root/proc")));
        all.into_iter().filter(|name| name.parse::<u32>().is_ok()).collect::<Vec<_>>()
    };
    let blender = stage.launch()["pid"].to_string();
    let mut expected = vec!["1".to_owned(), inner_id(worker_of(init)), blender];
    expected.sort();
    wait_until("the orphans are reaped", || processes() == expected);
    stage.go();
    running.finish().exits(0);
}

/// Writes an executable script.
pub fn write_program(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn without_proc_the_worker_itself_is_pid_1_and_reacts_to_sigterm() {
    let stage = Stage::new(|folder| {
        json!([
            {"at": 2, "do": "touch", "path": folder.join("in-frame-2")},
            {"at": 2, "do": "wait_for_file", "path": folder.join("go")},
        ])
    });
    let flags = ["--pid", "--fork", "--kill-child", "--mount", "sh", "-c"];
    let hide_proc = ["mount -t tmpfs none /proc && exec \"$@\"", "sh"];
    let words = [namespace(&flags), hide_proc.to_vec()].concat();
    let running = stage.worker().stand_in_blender().wrapped_in(words).start();
    running.wait_for_log("frame 1 stored");
    wait_until("Blender is in frame 2", || stage.path("in-frame-2").exists());
    let init = init_of(&running);
    assert_eq!(inner_id(init), "1");
    assert!(names(Path::new(&format!("/proc/{init}/root/proc"))).is_empty());
    kill(init, Signal::SIGTERM).unwrap();
    running.finish().exits(143).logs(&["1 of 2 frames are left: 2"]);
    assert_eq!(names(&stage.path("out/frames")), ["0001.png"]);
}

/// Starts a program with ignored and blocked signals, as a careless supervisor might.
const WITH_IGNORED_AND_BLOCKED_SIGNALS: [&str; 3] = [
    "python3",
    "-c",
    "import os, signal, sys\n\
     for s in (signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD):\n\
     \x20   signal.signal(s, signal.SIG_IGN)\n\
     signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGUSR2})\n\
     os.execvp(sys.argv[1], sys.argv[1:])",
];

#[test]
fn ignored_and_blocked_signals_are_reset_for_the_worker_and_blender() {
    for as_init in [false, true] {
        let stage = Stage::waiting();
        let mut worker =
            stage.worker().stand_in_blender().wrapped_in(WITH_IGNORED_AND_BLOCKED_SIGNALS);
        if as_init {
            worker = worker.wrapped_in(as_pid_1());
        }
        let running = worker.start();
        running.wait_for_log("frame 1 stored");
        let launch = stage.launch();
        assert_eq!(launch["blocked"], json!([]));
        assert_eq!(launch["ignored"], json!([]));
        kill(if as_init { init_of(&running) } else { running.pid() }, Signal::SIGTERM).unwrap();
        running.finish().exits(143);
    }
}

#[test]
fn sighup_and_sigint_stay_ignored_under_nohup_and_in_background_jobs() {
    const IGNORING: [&str; 4] = ["sh", "-c", "trap '' HUP INT; exec \"$@\"", "sh"];
    for as_init in [false, true] {
        let stage = Stage::waiting();
        let mut worker = stage.worker().stand_in_blender().wrapped_in(IGNORING);
        if as_init {
            worker = worker.wrapped_in(as_pid_1());
        }
        let running = worker.start();
        running.wait_for_log("frame 1 stored");
        assert_eq!(stage.launch()["ignored"], json!(["SIGHUP", "SIGINT"]));
        let guard = if as_init { init_of(&running) } else { running.pid() };
        for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGUSR1] {
            for pid in [guard, worker_of(guard)] {
                kill(pid, signal).unwrap();
            }
        }
        running.wait_for_log("SIGUSR1 received");
        stage.go();
        running.finish().exits(0);
        assert_eq!(names(&stage.path("out/frames")), ["0001.png", "0002.png"]);
    }
}

/// Starts a program with only the three standard descriptors, as a container engine does.
const WITH_STANDARD_DESCRIPTORS: [&str; 3] = [
    "python3",
    "-c",
    "import os, sys; os.closerange(3, 1024); os.execvp(sys.argv[1], sys.argv[1:])",
];

/// Starts a program with an open file and an open folder, as a careless supervisor might.
const WITH_OPEN_FILES: [&str; 4] = ["sh", "-c", "exec 9</etc/passwd 8</etc; exec \"$@\"", "sh"];

#[test]
fn blender_leads_a_process_group_and_inherits_only_standard_descriptors() {
    let as_pid_1 = [as_pid_1(), WITH_OPEN_FILES.to_vec()].concat();
    for start in [&WITH_STANDARD_DESCRIPTORS[..], &WITH_OPEN_FILES, &as_pid_1] {
        check_group_and_descriptors(start);
    }
}

fn check_group_and_descriptors(start: &[&str]) {
    let stage = Stage::waiting();
    let running = stage.worker().stand_in_blender().wrapped_in(start).start();
    running.wait_for_log("frame 1 stored");
    let launch = stage.launch();
    stage.go();
    running.finish().exits(0);
    assert_eq!(launch["group"], launch["pid"]);
    let descriptors = launch["descriptors"].as_object().unwrap();
    assert_eq!(descriptors.keys().collect::<Vec<_>>(), ["0", "1", "2"]);
    assert_eq!(descriptors["0"], "/dev/null");
}

//! The worker as PID 1 of a PID namespace: what it is in a container. When it is killed,
//! everything in there is.

use std::fs::{self, File};
use std::process::{Child, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::support::{Worker, names};

/// From SIGTERM to SIGKILL on Batch.
const GRACE: Duration = Duration::from_secs(30);

/// How often it is looked at whether something has happened.
const TICK: Duration = Duration::from_millis(1);

/// Longer than any attempt takes.
const FOR_EVER: Duration = Duration::from_mins(15);

/// The name of the log in the folder for temporary files.
const LOG: &str = "log";

/// One attempt, running.
pub struct Container {
    unshare: Child,
    started: Instant,
    /// The folder for temporary files, with the log.
    folder: TempDir,
}

/// How an attempt ended.
pub struct Attempt {
    /// Its exit code; none if it was killed.
    pub exit: Option<i32>,
    /// Whether it was killed or told to stop while it ran.
    pub struck: bool,
    /// How long it ran.
    pub took: Duration,
    /// Its log.
    pub log: String,
}

impl Container {
    pub fn start(worker: Worker) -> Self {
        let (mut command, folder) =
            worker.args("--log-level debug").in_pid_namespace().into_command();
        let log = File::create(folder.path().join(LOG)).expect("a file for the log");
        let started = Instant::now();
        let unshare = command.stdout(Stdio::null()).stderr(log).spawn().expect("unshare starts");
        Self { unshare, started, folder }
    }

    /// Waits for the end. At a moment after the start it is killed, or told to stop and
    /// killed when Batch would do so.
    pub fn finish(mut self, strike: Option<(Signal, Duration)>) -> Attempt {
        let deadline = strike.map_or(FOR_EVER, |(_, moment)| moment);
        let exit = self.wait(self.started + deadline);
        let struck = exit.is_none();
        let exit = exit.or_else(|| {
            let (signal, _) = strike.unwrap_or_else(|| panic!("hangs:\n{}", essence(&self.log())));
            self.strike(signal)
        });
        let took = self.started.elapsed();
        let log = self.log();
        if exit.is_some() {
            let left = names(self.folder.path());
            assert_eq!(left, [LOG], "temporary files are left:\n{}", essence(&log));
        }
        Attempt { exit: exit.and_then(|status| status.code()), struck, took, log }
    }

    /// How it ends if it ends by itself.
    fn strike(&mut self, signal: Signal) -> Option<ExitStatus> {
        let unshare = Pid::from_raw(self.unshare.id().try_into().expect("a process id"));
        let init = children(unshare).first().copied();
        // The kernel gives PID 1 no signal that it has no handler for; an engine kills it
        // in the end, and nothing has begun yet.
        let heard = init.filter(|init| signal != Signal::SIGKILL && listens(*init, signal));
        if let Some(init) = heard {
            send(init, signal);
            let status = self.wait(Instant::now() + GRACE);
            assert!(status.is_some(), "killed after {GRACE:?} of grace:\n{}", essence(&self.log()));
            return status;
        }
        send(init.unwrap_or(unshare), Signal::SIGKILL);
        // What unshare makes of it says nothing.
        self.unshare.wait().expect("a child of ours");
        None
    }

    fn wait(&mut self, until: Instant) -> Option<ExitStatus> {
        loop {
            if let Some(status) = self.unshare.try_wait().expect("a child of ours") {
                return Some(status);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            sleep(left.min(TICK));
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join(LOG)).expect("a log")
    }
}

/// The last lines of a log that matter.
pub fn essence(log: &str) -> String {
    let lines: Vec<_> = log.lines().filter(|line| !line.contains(r#""level":"DEBUG""#)).collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

fn send(process: Pid, signal: Signal) {
    let sent = kill(process, signal);
    assert!(matches!(sent, Ok(()) | Err(Errno::ESRCH)), "{signal}: {sent:?}");
}

/// The children of a process, by the ids that we see.
fn children(process: Pid) -> Vec<Pid> {
    let text = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
    let ids = text.unwrap_or_default();
    ids.split_whitespace().map(|id| Pid::from_raw(id.parse().expect("an id"))).collect()
}

/// Whether PID 1 has a handler for a signal, or keeps it until it asks for it. While it
/// asks, the mask does not show that: but then it has started the worker.
fn listens(init: Pid, signal: Signal) -> bool {
    let status = fs::read_to_string(format!("/proc/{init}/status")).unwrap_or_default();
    let has = |field: &str| {
        let mask = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or("0");
        let mask = u64::from_str_radix(mask.trim(), 16).expect("a mask");
        mask >> (signal as i32 - 1) & 1 == 1
    };
    has("SigCgt:") || has("SigBlk:") || !children(init).is_empty()
}

//! The worker as PID 1 of a PID namespace, as in a container. If it is killed, the kernel kills all
//! processes in the namespace.

use std::fs::{self, File};
use std::process::{Child, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::support::{Worker, names};

/// The time from SIGTERM to SIGKILL on AWS Batch.
const GRACE: Duration = Duration::from_secs(30);

/// The interval at which the end of the process is polled.
const TICK: Duration = Duration::from_millis(1);

/// The limit for an attempt: longer than any takes.
const LIMIT: Duration = Duration::from_mins(15);

/// The name of the log in the folder for temporary files.
const LOG: &str = "log";

/// A running attempt.
pub struct Container {
    unshare: Child,
    started: Instant,
    /// The folder for temporary files, which also holds the log.
    folder: TempDir,
}

/// The result of an attempt.
pub struct Attempt {
    /// The exit code; `None` if it was killed.
    pub exit: Option<i32>,
    /// Whether it was interrupted by a signal.
    pub interrupted: bool,
    /// The duration.
    pub took: Duration,
    /// The log.
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

    /// Waits for the end. With `interruption`, sends the signal that long after the start, unless
    /// the attempt has ended before.
    ///
    /// # Panics
    /// If the attempt hangs, or needs longer to stop than AWS Batch allows.
    pub fn finish(mut self, interruption: Option<(Signal, Duration)>) -> Attempt {
        let deadline = interruption.map_or(LIMIT, |(_, moment)| moment);
        let exit = self.wait(self.started + deadline);
        let interrupted = exit.is_none();
        let exit = exit.or_else(|| {
            let interruption = interruption.map(|(signal, _)| signal);
            let signal = interruption.unwrap_or_else(|| panic!("hangs:\n{}", tail(&self.log())));
            self.interrupt(signal)
        });
        let took = self.started.elapsed();
        let log = self.log();
        if exit.is_some() {
            let left = names(self.folder.path());
            assert_eq!(left, [LOG], "temporary files are left:\n{}", tail(&log));
        }
        Attempt { exit: exit.and_then(|status| status.code()), interrupted, took, log }
    }

    /// Sends the signal, and returns the exit status if the worker ends by itself.
    fn interrupt(&mut self, signal: Signal) -> Option<ExitStatus> {
        let unshare = Pid::from_raw(self.unshare.id().try_into().expect("a process id"));
        let init = children(unshare).first().copied();
        // The kernel drops signals that PID 1 has no handler for. The worker then has not begun to
        // work, and the engine would kill it in the end.
        let handles = |init: &Pid| signal != Signal::SIGKILL && handles(*init, signal);
        if let Some(init) = init.filter(handles) {
            send(init, signal);
            let status = self.wait(Instant::now() + GRACE);
            assert!(
                status.is_some(),
                "still running {GRACE:?} after {signal}:\n{}",
                tail(&self.log())
            );
            return status;
        }
        send(init.unwrap_or(unshare), Signal::SIGKILL);
        // The exit status of `unshare` does not matter.
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

/// Returns the last lines of a log without debug messages.
pub fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().filter(|line| !line.contains(r#""level":"DEBUG""#)).collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

fn send(process: Pid, signal: Signal) {
    let sent = kill(process, signal);
    assert!(matches!(sent, Ok(()) | Err(Errno::ESRCH)), "{signal}: {sent:?}");
}

/// Returns the children of a process, in the PID namespace of the test.
fn children(process: Pid) -> Vec<Pid> {
    let text = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
    let ids = text.unwrap_or_default();
    ids.split_whitespace().map(|id| Pid::from_raw(id.parse().expect("an id"))).collect()
}

/// Returns whether PID 1 has a handler for a signal, or blocks the signal to wait for it. During
/// `sigwait` the mask does not show the signal, but then PID 1 has already started the worker.
fn handles(init: Pid, signal: Signal) -> bool {
    let status = fs::read_to_string(format!("/proc/{init}/status")).unwrap_or_default();
    let has = |field: &str| {
        let mask = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or("0");
        let mask = u64::from_str_radix(mask.trim(), 16).expect("a mask");
        mask >> (signal as i32 - 1) & 1 == 1
    };
    has("SigCgt:") || has("SigBlk:") || !children(init).is_empty()
}

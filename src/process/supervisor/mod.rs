//! The supervisor of one child process: its process group, its output by lines, and its end.
//!
//! A task owns the child. The caller holds a [`Running`], and communicates with the task only by
//! messages. The caller always receives any number of [`Event::Line`] and then exactly one
//! [`Event::Ended`]. By then the child's process group and all its other descendants have ended.

pub mod activity;
pub mod lines;
pub mod memory;
mod spawn;
pub mod watchdog;

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, ChildStdin};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::guard::children::{Listed, start_listed};
use super::guard::orphans;
use super::guard::orphans::PreExisting;
use super::sandbox::{Sandbox, SandboxPolicy};
use crate::ending::Ending;
use lines::LineAssembler;
pub use spawn::SpawnError;
use spawn::{Launcher, spawn};

/// How many lines may wait for the caller. When the queue is full, a slow caller slows the child
/// down.
const QUEUED_LINES: usize = 256;

/// How long pipes may stay open and silent after the child has ended. Only a descendant that could
/// not be killed can hold them open.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// The largest capacity that a pipe may be given, in bytes (`pipe(7)`). After the child's end no
/// more than this is read, because such a descendant might print forever.
const PIPE_CAPACITY: usize = 1024 * 1024;

/// The stream that a line was printed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// An event in the life of a child.
#[derive(Debug)]
pub enum Event {
    /// The child printed a line.
    Line(Stream, String),
    /// The child has ended. This is the last event.
    Ended(End),
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It exited by itself, or was killed by another process.
    Own(Ending),
    /// It was stopped by [`Running::stop`].
    Stopped,
}

/// A child that was started. The child is killed when this is dropped, or when the worker is
/// killed.
#[derive(Debug)]
pub struct Running {
    group: Option<Pid>,
    events: mpsc::Receiver<Event>,
    grace: watch::Sender<Option<Duration>>,
    paused: watch::Sender<bool>,
    stdin: Option<ChildStdin>,
}

impl Running {
    /// Starts `command` in a new process group, restricted by `policy`. With [`Stdin::Piped`], the
    /// caller gets the pipe from [`Running::take_stdin`].
    ///
    /// # Errors
    /// If the program does not exist or cannot be executed, or if the sandbox cannot be applied.
    pub fn start(
        mut command: Command,
        stdin: Stdin,
        sandbox: &Sandbox,
        policy: SandboxPolicy,
    ) -> Result<Self, SpawnError> {
        use std::os::unix::process::CommandExt as _;
        let program = PathBuf::from(command.get_program());
        command
            .stdin(match stdin {
                Stdin::Null => Stdio::null(),
                Stdin::Piped => Stdio::piped(),
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let pre_existing = PreExisting::now();
        let restricted = sandbox.restricts_files();
        let started = start_listed(|| {
            let (child, launcher) = spawn(command, sandbox.clone(), policy)?;
            let group = group_of(&child);
            Ok(((child, launcher), group))
        });
        let ((child, launcher), listed) =
            started.map_err(|source| SpawnError { program, source, restricted })?;
        Ok(Self::supervise(child, launcher, listed, pre_existing))
    }

    fn supervise(
        mut child: Child,
        launcher: Launcher,
        listed: Option<Listed>,
        pre_existing: PreExisting,
    ) -> Self {
        let (events_in, events) = mpsc::channel(QUEUED_LINES);
        let (grace, grace_changes) = watch::channel(None);
        let (paused, paused_changes) = watch::channel(false);
        let stdin = child.stdin.take().inspect(enlarge);
        let group = group_of(&child);
        let (ended, has_ended) = watch::channel(false);
        let mut readers = JoinSet::new();
        if let Some(stdout) = child.stdout.take() {
            let events = events_in.clone();
            readers.spawn(read_lines(stdout, Stream::Stdout, events, has_ended.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            readers.spawn(read_lines(stderr, Stream::Stderr, events_in.clone(), has_ended));
        }
        tokio::spawn(async move {
            let end = run_to_its_end(&mut child, grace_changes, paused_changes).await;
            drop(launcher);
            drop(listed);
            // Fails if the runtime is shutting down. `main` then kills the orphans.
            _ = tokio::task::spawn_blocking(move || orphans::kill_all(&pre_existing)).await;
            ended.send_replace(true);
            while readers.join_next().await.is_some() {}
            // Fails if the caller has dropped its `Running`.
            drop(events_in.send(Event::Ended(end)).await);
        });
        Self { group, events, grace, paused, stdin }
    }

    /// The child's process group. It is still returned after the child has ended.
    pub fn group(&self) -> Option<Pid> {
        self.group
    }

    /// Takes the pipe to the child's standard input. `None` if there is no pipe, or if it has
    /// already been taken.
    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.stdin.take()
    }

    /// Waits for the child's next event. Cancel safe. Once the child's end has been returned, every
    /// further call returns [`End::Stopped`].
    pub async fn next(&mut self) -> Event {
        // The task ends without this event only if the runtime is shutting down.
        self.events.recv().await.unwrap_or(Event::Ended(End::Stopped))
    }

    /// Pauses the child's process group (SIGSTOP), until [`Running::resume`]. [`Running::stop`]
    /// also ends a paused child.
    pub fn pause(&self) {
        self.paused.send_replace(true);
    }

    /// Continues a paused child (SIGCONT).
    pub fn resume(&self) {
        self.paused.send_replace(false);
    }

    /// Whether the child is paused by [`Running::pause`].
    pub fn is_paused(&self) -> bool {
        *self.paused.borrow()
    }

    /// Sends SIGTERM to the child's process group, and SIGKILL after `grace`. A further call can
    /// only bring SIGKILL forward.
    pub fn stop(&self, grace: Duration) {
        self.grace.send_modify(|current| {
            *current = Some(current.map_or(grace, |earlier| earlier.min(grace)));
        });
    }
}

/// A child's standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdin {
    /// Empty.
    Null,
    /// A pipe from the worker.
    Piped,
}

/// Raises a pipe's capacity from the usual 64 KiB, so that reader and writer wake each other less
/// often. A failure is ignored: the limit for all pipes of the user may be reached.
fn enlarge(pipe: &ChildStdin) {
    let capacity = i32::try_from(PIPE_CAPACITY).unwrap_or(i32::MAX);
    _ = fcntl(pipe, FcntlArg::F_SETPIPE_SZ(capacity));
}

/// Waits until the child has ended. Pauses and stops it on request, and finally kills what remains
/// of its process group.
async fn run_to_its_end(
    child: &mut Child,
    mut grace: watch::Receiver<Option<Duration>>,
    mut paused: watch::Receiver<bool>,
) -> End {
    let Some(group) = group_of(child) else {
        return End::Stopped;
    };
    // On failure, orphans are reaped only after the child has ended.
    let mut ended_children = signal(SignalKind::child()).ok();
    // The signals of orphans that have ended before this are lost.
    orphans::reap();
    let mut kill_at: Option<Instant> = None;
    let status = loop {
        let grace_over = async {
            match kill_at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let child_ended = async {
            match &mut ended_children {
                Some(signals) => signals.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            status = child.wait() => break status,
            _ = child_ended => orphans::reap(),
            () = grace_over => {
                signal_group(group, Signal::SIGKILL);
                break child.wait().await;
            }
            Ok(()) = paused.changed(), if kill_at.is_none() => {
                let pause = *paused.borrow_and_update();
                signal_group(group, if pause { Signal::SIGSTOP } else { Signal::SIGCONT });
            }
            changed = grace.changed() => {
                if kill_at.is_none() {
                    signal_group(group, Signal::SIGTERM);
                    // A paused process handles SIGTERM only when it continues.
                    signal_group(group, Signal::SIGCONT);
                }
                // Without grace if the caller has dropped its `Running`.
                let given = *grace.borrow_and_update();
                let grace = given.filter(|_| changed.is_ok()).unwrap_or_default();
                let requested = Instant::now() + grace;
                kill_at = Some(kill_at.map_or(requested, |at| at.min(requested)));
                if changed.is_err() {
                    signal_group(group, Signal::SIGKILL);
                    break child.wait().await;
                }
            }
        }
    };
    // Other processes of the group would go on running unnoticed.
    signal_group(group, Signal::SIGKILL);
    match status {
        Ok(status) if kill_at.is_none() => end(status),
        Ok(_) | Err(_) => End::Stopped,
    }
}

/// The child's process group. The child leads it, so both have the same id.
fn group_of(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw)
}

fn end(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Own(Ending::Code(code)),
        (None, Some(signal)) => End::Own(Ending::Signal(signal)),
        // Cannot happen: `wait` reports neither pauses nor continuations.
        (None, None) => End::Stopped,
    }
}

fn signal_group(group: Pid, signal: Signal) {
    // Fails if the group has already ended.
    _ = killpg(group, signal);
}

/// Sends the lines from one of the child's pipes as events, until the pipe is closed or, after the
/// child's end, silent.
async fn read_lines(
    mut pipe: impl AsyncRead + Unpin,
    stream: Stream,
    events: mpsc::Sender<Event>,
    mut ended: watch::Receiver<bool>,
) {
    let mut assembler = LineAssembler::default();
    let mut buffer = vec![0; 8 * 1024];
    let mut lines = Vec::new();
    let mut after_the_end = 0;
    loop {
        let silence = async {
            // Fails if the supervising task was dropped: the child has ended as well.
            drop(ended.wait_for(|ended| *ended).await);
            sleep(DRAIN_TIMEOUT).await;
        };
        let length = tokio::select! {
            length = pipe.read(&mut buffer) => length.unwrap_or(0),
            () = silence => 0,
        };
        match buffer.get(..length) {
            None | Some([]) => assembler.finish(|line| lines.push(line)),
            Some(bytes) => assembler.push(bytes, |line| lines.push(line)),
        }
        for line in lines.drain(..) {
            // Ignore errors and read on if the receiver is gone: a full pipe would block the child.
            drop(events.send(Event::Line(stream, line)).await);
        }
        if *ended.borrow() {
            after_the_end += length;
        }
        if length == 0 || after_the_end > PIPE_CAPACITY {
            return;
        }
    }
}

/// Formats the command as one line that can be pasted into a shell.
pub fn shell_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    shell_words::join(words.map(|word| word.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::SandboxMode;

    #[tokio::test(start_paused = true)]
    async fn a_further_stop_does_not_postpone_sigkill() {
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' TERM; echo ready; while :; do sleep 1; done"]);
        let sandbox = Sandbox::detect(SandboxMode::Off);
        let policy = SandboxPolicy::default();
        let mut child = Running::start(command, Stdin::Null, &sandbox, policy).unwrap();
        assert!(matches!(child.next().await, Event::Line(Stream::Stdout, line) if line == "ready"));
        let began = Instant::now();
        child.stop(Duration::from_secs(10));
        tokio::time::sleep(Duration::from_secs(6)).await;
        child.stop(Duration::from_secs(10));
        while !matches!(child.next().await, Event::Ended(_)) {}
        assert_eq!(began.elapsed().as_secs(), 10);
    }
}

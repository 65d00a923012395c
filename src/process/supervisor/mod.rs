//! One child process: its own group, its output line by line, its end.
//!
//! A task owns the child; the caller holds a [`Running`] and talks to it by
//! messages only. Whatever the child does, the caller sees any number of
//! [`Event::Line`] and then exactly one [`Event::Ended`], and when that comes nothing
//! of the child is alive any more: neither its process group nor what left that.

pub mod activity;
pub mod lines;
pub mod memory;
pub mod watchdog;

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc as std_mpsc;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, ChildStdin};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::guard::orphans;
use super::guard::orphans::PreExisting;
use super::sandbox::{Sandbox, SandboxPolicy};
use super::system;
use crate::ending::Ending;
use lines::LineAssembler;

/// Lines that may wait for the caller. A slow caller then slows the child down.
const QUEUED_LINES: usize = 256;

/// How long after the child's end its pipes may stay open and silent. Only a descendant
/// that could not be ended can hold them.
const DRAIN: Duration = Duration::from_secs(1);

/// What a pipe can hold (`pipe(7)`), if it is asked to. No more is read after the child's
/// end, lest such a descendant could talk forever.
const PIPE: usize = 1024 * 1024;

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What a child does.
#[derive(Debug)]
pub enum Event {
    /// It printed a line.
    Line(Stream, String),
    /// It ended. Nothing follows.
    Ended(End),
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself or by a signal that was not ours.
    Own(Ending),
    /// Because [`Running::stop`] asked for it.
    Stopped,
}

/// A program that could not be started.
#[derive(Debug)]
pub struct SpawnError {
    program: PathBuf,
    source: io::Error,
    locked_in: bool,
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot start {}", self.program.display())?;
        if self.locked_in && self.source.kind() == io::ErrorKind::PermissionDenied {
            // Its interpreter, or a program that it is a link to.
            f.write_str(" (what it is made of may lie where it cannot be read: --allow-read)")?;
        }
        Ok(())
    }
}

impl Error for SpawnError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

/// A child that was started. Dropping it kills the child, and so does whatever kills the
/// worker.
#[derive(Debug)]
pub struct Running {
    group: Option<Pid>,
    events: mpsc::Receiver<Event>,
    grace: watch::Sender<Option<Duration>>,
    paused: watch::Sender<bool>,
    stdin: Option<ChildStdin>,
}

impl Running {
    /// Starts `command` in a process group of its own, within these policy. Its standard
    /// input is `stdin`: null, or a pipe that [`Running::take_stdin`] hands out.
    ///
    /// # Errors
    /// If the program is not there or cannot be executed, or if the policy cannot be put up.
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
        let locked_in = sandbox.has_files();
        let started = spawn(command, sandbox.clone(), policy);
        let (child, launcher) =
            started.map_err(|source| SpawnError { program, source, locked_in })?;
        Ok(Self::supervise(child, launcher, pre_existing))
    }

    fn supervise(mut child: Child, launcher: Launcher, pre_existing: PreExisting) -> Self {
        let (events_in, events) = mpsc::channel(QUEUED_LINES);
        let (grace, stop) = watch::channel(None);
        let (paused, pausing) = watch::channel(false);
        let stdin = child.stdin.take().inspect(widen);
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
            let end = run_to_its_end(&mut child, stop, pausing).await;
            drop(launcher);
            // Fails if the runtime is going down; main does this once more.
            _ = tokio::task::spawn_blocking(move || orphans::end_all(&pre_existing)).await;
            ended.send_replace(true);
            while readers.join_next().await.is_some() {}
            // Nobody listens any more when the caller has given the child up.
            drop(events_in.send(Event::Ended(end)).await);
        });
        Self { group, events, grace, paused, stdin }
    }

    /// Its process group, unless it has ended.
    pub fn group(&self) -> Option<Pid> {
        self.group
    }

    /// The pipe to the child's standard input; once.
    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.stdin.take()
    }

    /// What the child does next. Cancel safe. After [`Event::Ended`] it says the
    /// same again.
    pub async fn next(&mut self) -> Event {
        // The task ends without a word only if the runtime itself is going down.
        self.events.recv().await.unwrap_or(Event::Ended(End::Stopped))
    }

    /// Has the child's group stand still (SIGSTOP), until [`Running::resume`]. It can still
    /// be stopped for good.
    pub fn pause(&self) {
        self.paused.send_replace(true);
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&self) {
        self.paused.send_replace(false);
    }

    /// Whether it stands still because of us.
    pub fn is_paused(&self) -> bool {
        *self.paused.borrow()
    }

    /// Sends SIGTERM to the child's group, and SIGKILL when `grace` is over. Asked
    /// again, the shorter grace counts.
    pub fn stop(&self, grace: Duration) {
        self.grace.send_modify(|current| {
            *current = Some(current.map_or(grace, |earlier| earlier.min(grace)));
        });
    }
}

/// What a child reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdin {
    /// Nothing.
    Null,
    /// What we write.
    Piped,
}

/// The thread that started a child. It ends when this is dropped, and the kernel kills the
/// child then, should it be alive: as it is when the whole process is killed.
type Launcher = std_mpsc::Sender<Infallible>;

/// Starts a program in a thread that locks itself in before: what it starts is locked in
/// with it, and nobody else is (see [`sandbox`](super::sandbox)).
fn spawn(
    mut command: Command,
    sandbox: Sandbox,
    policy: SandboxPolicy,
) -> io::Result<(Child, Launcher)> {
    let runtime = Handle::current();
    let (tell, told) = std_mpsc::channel();
    let (launcher, until_dropped) = std_mpsc::channel();
    is_program(Path::new(command.get_program()))?;
    system::dies_with_this_thread(&mut command);
    let name = Path::new(command.get_program()).file_name().unwrap_or_default();
    let name = name.to_string_lossy().into_owned();
    std::thread::Builder::new().name("launch".to_owned()).spawn(move || {
        let started = {
            let _guard = runtime.enter();
            sandbox
                .lock_in(&policy, &name)
                .and_then(|()| tokio::process::Command::from(command).kill_on_drop(true).spawn())
        };
        // Fails if we were not waited for.
        _ = tell.send(started);
        _ = until_dropped.recv();
    })?;
    // This takes milliseconds.
    let started = told.recv();
    let child =
        started.unwrap_or_else(|_| Err(io::Error::other("a panic while it was started")))?;
    Ok((child, launcher))
}

/// What is executed in the way that [`system::dies_with_this_thread`] needs is handed to a shell
/// by the C library if the kernel knows no such format (`execvp` in `exec(3)`). A shell makes
/// nothing good of it: it is said here what the kernel would say.
///
/// # Errors
/// If it is neither a program nor a script. What cannot be read may be one.
fn is_program(path: &Path) -> io::Result<()> {
    let mut start = [0; 4];
    match File::open(path).and_then(|mut file| file.read(&mut start)) {
        Ok(_) if start != *b"\x7fELF" && !start.starts_with(b"#!") => Err(Errno::ENOEXEC.into()),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Lets as much wait in a pipe as it can hold, where an ordinary one holds 64 KiB: reader
/// and writer wake each other less often. A user with many pipes may not be allowed to.
fn widen(pipe: &ChildStdin) {
    let most = i32::try_from(PIPE).unwrap_or(i32::MAX);
    _ = fcntl(pipe, FcntlArg::F_SETPIPE_SZ(most));
}

/// Waits for the child's end, helps it along when told to, and leaves nothing of
/// its group alive.
async fn run_to_its_end(
    child: &mut Child,
    mut stop: watch::Receiver<Option<Duration>>,
    mut paused: watch::Receiver<bool>,
) -> End {
    let Some(group) = group_of(child) else {
        return End::Stopped;
    };
    // Without it, orphans that have ended are reaped when the child has.
    let mut ended_children = signal(SignalKind::child()).ok();
    let mut kill_at: Option<Instant> = None;
    let status = loop {
        let grace_over = async {
            match kill_at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let one_ended = async {
            match &mut ended_children {
                Some(signals) => signals.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            status = child.wait() => break status,
            _ = one_ended => orphans::reap(Some(group)),
            () = grace_over => {
                signal_group(group, Signal::SIGKILL);
                break child.wait().await;
            }
            Ok(()) = paused.changed(), if kill_at.is_none() => {
                let pause = *paused.borrow_and_update();
                signal_group(group, if pause { Signal::SIGSTOP } else { Signal::SIGCONT });
            }
            changed = stop.changed() => {
                if kill_at.is_none() {
                    signal_group(group, Signal::SIGTERM);
                    // Who stands still acts on no signal.
                    signal_group(group, Signal::SIGCONT);
                }
                // The caller may be gone without a word: nobody to be graceful for.
                let asked = *stop.borrow_and_update();
                let grace = asked.filter(|_| changed.is_ok()).unwrap_or_default();
                kill_at = Some(Instant::now() + grace);
                if changed.is_err() {
                    signal_group(group, Signal::SIGKILL);
                    break child.wait().await;
                }
            }
        }
    };
    // What the child leaves behind in its group would run on unseen.
    signal_group(group, Signal::SIGKILL);
    match status {
        Ok(status) if kill_at.is_none() => end(status),
        Ok(_) | Err(_) => End::Stopped,
    }
}

/// A child leads a group of its own: its process id is that of the group.
fn group_of(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw)
}

fn end(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Own(Ending::Code(code)),
        (None, Some(signal)) => End::Own(Ending::Signal(signal)),
        // wait() reports neither stops nor continuations.
        (None, None) => End::Stopped,
    }
}

fn signal_group(group: Pid, signal: Signal) {
    // The group may have ended by itself: that is what was wanted.
    _ = killpg(group, signal);
}

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
            // Fails if the supervising task is gone, which is an end as well.
            drop(ended.wait_for(|ended| *ended).await);
            sleep(DRAIN).await;
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
            // Read on even when nobody listens: a full pipe would block the child.
            drop(events.send(Event::Line(stream, line)).await);
        }
        if *ended.borrow() {
            after_the_end += length;
        }
        if length == 0 || after_the_end > PIPE {
            return;
        }
    }
}

/// The command as one line that can be pasted into a shell.
pub fn shell_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    shell_words::join(words.map(|word| word.to_string_lossy()))
}

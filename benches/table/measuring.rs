//! One run of a program: how long it takes, on what processor time, in how much memory.
//!
//! - *Wall*: from before the start of the process until the kernel says that it has ended.
//! - *CPU*: user and system time of the process and of all descendants that were waited
//!   for, from `getrusage(RUSAGE_CHILDREN)` before and after: one child is run at a time.
//! - *Own CPU*: that without what the process has waited for itself, which is in
//!   `/proc/PID/stat` of the zombie, in ticks of 10 ms.
//! - *Own peak*: the peak resident memory of the process without its children, `VmHWM` of
//!   `/proc/PID/status`, in which the used parts of the executable count. That is gone in a
//!   zombie, so it is looked at all the time: as it only ever grows, what is missed is what
//!   it grew by in the last [`TICK`]. (The `maxrss` of `wait4` would not do: it counts the
//!   children, and also what the process was before `exec`, a copy of this one, with the
//!   server in it.)
//! - The worker is two processes, of which the one that is started only guards the other:
//!   what is a process's own is then that of both. What the worker has waited for is looked
//!   at all the time, too, for its guard reaps it: it waits for Blender well before its end.
//! - *Server*: processor time of this process meanwhile: the S3 server, the proxy, and the
//!   looking. It is not counted to the program, but has to share the machine with it.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, SysconfVar, sysconf};
use tempfile::TempDir;
use walkdir::WalkDir;

/// How often memory and scratch space are looked at.
const TICK: Duration = Duration::from_millis(10);

/// What one run took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Run {
    pub wall: Duration,
    pub cpu: Duration,
    pub own_cpu: Duration,
    /// In bytes.
    pub own_peak: u64,
    pub server_cpu: Duration,
    /// The most that lay in its folder for temporary files, in bytes, where that is watched.
    pub scratch: u64,
}

impl Run {
    /// This, and another one after it.
    pub fn then(self, next: Self) -> Self {
        Self {
            wall: self.wall + next.wall,
            cpu: self.cpu + next.cpu,
            own_cpu: self.own_cpu + next.own_cpu,
            own_peak: self.own_peak.max(next.own_peak),
            server_cpu: self.server_cpu + next.server_cpu,
            scratch: self.scratch.max(next.scratch),
        }
    }
}

/// A program that is about to be run.
pub struct Step {
    command: Command,
    exit: i32,
    scratch: Option<PathBuf>,
    /// What has to be there while it runs.
    keep: Option<TempDir>,
}

/// What a program left: what it took, what it said, and when it began.
pub struct Ended {
    pub run: Run,
    pub said: String,
    pub started: Instant,
}

impl Step {
    pub fn new(command: Command) -> Self {
        Self { command, exit: 0, scratch: None, keep: None }
    }

    /// A folder that is deleted after the run.
    pub fn keeping(mut self, folder: TempDir) -> Self {
        self.keep = Some(folder);
        self
    }

    /// It ends with this exit code if it does what is wanted.
    pub fn ending_with(mut self, code: i32) -> Self {
        self.exit = code;
        self
    }

    /// Looks at how much lies in a folder while it runs. What has no name any more is not
    /// seen.
    pub fn watching(mut self, folder: &Path) -> Self {
        self.scratch = Some(folder.to_owned());
        self
    }

    /// Runs it to its end.
    pub fn run(self) -> Run {
        self.end().run
    }

    /// The same, and what it said.
    ///
    /// # Panics
    /// With the last lines of that if it ends in another way than it should.
    pub fn end(mut self) -> Ended {
        let mut log = tempfile::tempfile().expect("a file for what it says");
        let handle = |log: &File| log.try_clone().expect("a second handle of a file");
        self.command.stdin(Stdio::null()).stdout(handle(&log)).stderr(handle(&log));

        let before = [usage(UsageWho::RUSAGE_CHILDREN), usage(UsageWho::RUSAGE_SELF)];
        let started = Instant::now();
        let mut child = match self.command.spawn() {
            Ok(child) => child,
            Err(error) => panic!("{:?}: {error}", self.command),
        };
        let pid = Pid::from_raw(child.id().try_into().expect("a process id"));
        let (ended, end) = channel::<()>();
        let folder = self.scratch.as_deref();
        let (wall, seen) = std::thread::scope(|scope| {
            let looking = scope.spawn(move || look(pid, folder, &end));
            // The zombie stays: it still has to be asked.
            waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).expect("a child");
            let wall = started.elapsed();
            drop(ended);
            (wall, looking.join().expect("a thread that looks"))
        });
        let Seen { own_peak, scratch, guarded } = seen;
        let children_cpu = guarded.unwrap_or_else(|| children_cpu(pid).expect("a zombie"));
        let status = child.wait().expect("a child");
        let after = [usage(UsageWho::RUSAGE_CHILDREN), usage(UsageWho::RUSAGE_SELF)];
        let said = text(&mut log);
        assert_eq!(status.code(), Some(self.exit), "{:?}:\n{}", self.command, last(&said));
        drop(self.keep);
        let [cpu, server_cpu] =
            [0, 1].map(|who| cpu(&after[who]).saturating_sub(cpu(&before[who])));
        let own_cpu = cpu.saturating_sub(children_cpu);
        let run = Run { wall, cpu, own_cpu, own_peak, server_cpu, scratch };
        Ended { run, said, started }
    }
}

/// What is seen of a process while it runs.
#[derive(Default)]
struct Seen {
    /// Its peak memory, in bytes, with that of its guard.
    own_peak: u64,
    /// The most that lay in a folder, in bytes.
    scratch: u64,
    /// If it has a guard: the processor time of the children that it has waited for.
    guarded: Option<Duration>,
}

/// Looks until the other end of the channel is gone.
fn look(pid: Pid, folder: Option<&Path>, end: &Receiver<()>) -> Seen {
    let (mut seen, mut guard_peak, mut worker_peak) = (Seen::default(), 0, 0);
    loop {
        guard_peak = peak(pid).unwrap_or(guard_peak);
        if let Some(worker) = guarded_by(pid) {
            worker_peak = peak(worker).unwrap_or(worker_peak);
            seen.guarded = children_cpu(worker).or(seen.guarded);
        }
        seen.own_peak = guard_peak + worker_peak;
        seen.scratch = seen.scratch.max(folder.map_or(0, lying_in));
        if end.recv_timeout(TICK) != Err(RecvTimeoutError::Timeout) {
            return seen;
        }
    }
}

/// The worker, if a process is the guard of one.
fn guarded_by(pid: Pid) -> Option<Pid> {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    let first = children.split_whitespace().next()?.parse().ok()?;
    (name.trim() == "worker-guard").then_some(Pid::from_raw(first))
}

fn usage(who: UsageWho) -> Usage {
    getrusage(who).expect("every process has a usage")
}

fn cpu(usage: &Usage) -> Duration {
    let times = [usage.user_time(), usage.system_time()];
    let micros = times.map(|time| time.tv_sec() * 1_000_000 + time.tv_usec());
    Duration::from_micros(micros.iter().sum::<i64>().try_into().expect("time that has passed"))
}

/// User and system time of the children that a process has waited for: the 16th and 17th
/// field.
fn children_cpu(pid: Pid) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second one is the name, in parentheses, and may contain anything.
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let fields: Vec<_> = fields.split_whitespace().collect();
    let ticks: u64 = fields[13..15].iter().map(|ticks| ticks.parse::<u64>().expect("ticks")).sum();
    let a_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().expect("a clock");
    Some(Duration::from_millis(ticks * 1000 / u64::try_from(a_second).expect("a clock")))
}

/// The peak resident memory of a process, in bytes, while it is no zombie.
fn peak(pid: Pid) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// What the files in a folder take up, in bytes.
fn lying_in(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let files = WalkDir::new(folder).into_iter().filter_map(|entry| entry.ok()?.metadata().ok());
    files.filter(fs::Metadata::is_file).map(|file| file.blocks() * 512).sum()
}

fn text(log: &mut File) -> String {
    let mut bytes = Vec::new();
    log.seek(SeekFrom::Start(0)).expect("a file");
    log.read_to_end(&mut bytes).expect("a readable file");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn last(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

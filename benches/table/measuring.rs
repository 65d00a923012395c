//! One run of a program: its duration, processor time and memory.
//!
//! - *Wall*: from before the process starts until the kernel reports its end.
//! - *CPU*: user and system time of the process and of all descendants that were waited for,
//!   as the difference of `getrusage(RUSAGE_CHILDREN)`. One child runs at a time.
//! - *Own CPU*: the same without the children that the process itself has waited for. Their time
//!   comes from `/proc/PID/stat` of the zombie, in ticks of 10 ms.
//! - *Own peak*: the peak resident memory of the process without its children: `VmHWM` in
//!   `/proc/PID/status`, which includes the used pages of the executable. A zombie has no `VmHWM`,
//!   so it is sampled every [`TICK`]; growth after the last sample is missed. (`maxrss` of `wait4`
//!   is no alternative: it includes the children, and this process before `exec`, with the server
//!   in it.)
//! - The worker is two processes: a guard, and the worker proper as its child. Their *own* figures
//!   are added. The time of the worker's children is sampled as well, because the guard reaps the
//!   worker; the worker waits for Blender well before its own end.
//! - *Server*: the processor time of this process during the run: S3 server, proxy and sampling.
//!   It is not part of the program's figures, but it shares the machine.

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

/// The interval at which memory and scratch space are sampled.
const TICK: Duration = Duration::from_millis(10);

/// The figures of one run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Run {
    pub wall: Duration,
    pub cpu: Duration,
    pub own_cpu: Duration,
    /// In bytes.
    pub own_peak: u64,
    pub server_cpu: Duration,
    /// The peak size of the watched folder in bytes; 0 if none is watched.
    pub scratch: u64,
}

impl Run {
    /// Adds a run that follows this one: times are summed, peaks compared.
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

/// A program to run and measure.
pub struct Step {
    command: Command,
    exit: i32,
    scratch: Option<PathBuf>,
    /// A folder that must exist during the run.
    keep: Option<TempDir>,
}

/// The figures of a program, its output, and when it started.
pub struct Ended {
    pub run: Run,
    pub output: String,
    pub started: Instant,
}

impl Step {
    pub fn new(command: Command) -> Self {
        Self { command, exit: 0, scratch: None, keep: None }
    }

    /// Keeps a folder until the run has ended.
    pub fn keeping(mut self, folder: TempDir) -> Self {
        self.keep = Some(folder);
        self
    }

    /// Sets the expected exit code, 0 by default.
    pub fn ending_with(mut self, code: i32) -> Self {
        self.exit = code;
        self
    }

    /// Samples the size of a folder during the run. Unlinked files are not counted.
    pub fn watching(mut self, folder: &Path) -> Self {
        self.scratch = Some(folder.to_owned());
        self
    }

    /// Runs the program to its end.
    pub fn run(self) -> Run {
        self.end().run
    }

    /// Runs the program to its end and returns its output as well.
    ///
    /// # Panics
    /// If the exit code is not the expected one; the message has the last lines of the output.
    pub fn end(mut self) -> Ended {
        let mut log = tempfile::tempfile().expect("a file for the output");
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
        let (wall, samples) = std::thread::scope(|scope| {
            let sampler = scope.spawn(move || sample(pid, folder, &end));
            // WNOWAIT leaves the zombie, whose /proc/PID/stat is read below.
            waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).expect("a child");
            let wall = started.elapsed();
            drop(ended);
            (wall, sampler.join().expect("the sampler"))
        });
        let Samples { own_peak, scratch, guarded } = samples;
        let children_cpu = guarded.unwrap_or_else(|| children_cpu(pid).expect("a zombie"));
        let status = child.wait().expect("a child");
        let after = [usage(UsageWho::RUSAGE_CHILDREN), usage(UsageWho::RUSAGE_SELF)];
        let output = text(&mut log);
        assert_eq!(status.code(), Some(self.exit), "{:?}:\n{}", self.command, tail(&output));
        drop(self.keep);
        let [cpu, server_cpu] =
            [0, 1].map(|who| cpu(&after[who]).saturating_sub(cpu(&before[who])));
        let own_cpu = cpu.saturating_sub(children_cpu);
        let run = Run { wall, cpu, own_cpu, own_peak, server_cpu, scratch };
        Ended { run, output, started }
    }
}

/// The sampled figures of a process.
#[derive(Default)]
struct Samples {
    /// The peak memory in bytes, including that of its guard.
    own_peak: u64,
    /// The peak size of the watched folder in bytes.
    scratch: u64,
    /// The processor time of the children that a worker behind a guard has waited for.
    guarded: Option<Duration>,
}

/// Samples until the other end of the channel is dropped.
fn sample(pid: Pid, folder: Option<&Path>, end: &Receiver<()>) -> Samples {
    let (mut samples, mut guard_peak, mut worker_peak) = (Samples::default(), 0, 0);
    loop {
        guard_peak = peak(pid).unwrap_or(guard_peak);
        if let Some(worker) = guarded_by(pid) {
            worker_peak = peak(worker).unwrap_or(worker_peak);
            samples.guarded = children_cpu(worker).or(samples.guarded);
        }
        samples.own_peak = guard_peak + worker_peak;
        samples.scratch = samples.scratch.max(folder.map_or(0, size_of));
        if end.recv_timeout(TICK) != Err(RecvTimeoutError::Timeout) {
            return samples;
        }
    }
}

/// Returns the worker that a process guards, if it is a guard.
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

/// Returns the user and system time of the children that a process has waited for: fields 16 and
/// 17 of `/proc/PID/stat`.
fn children_cpu(pid: Pid) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Field 2 is the name in parentheses, which may contain anything.
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let fields: Vec<_> = fields.split_whitespace().collect();
    let ticks: u64 = fields[13..15].iter().map(|ticks| ticks.parse::<u64>().expect("ticks")).sum();
    let a_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().expect("a clock");
    Some(Duration::from_millis(ticks * 1000 / u64::try_from(a_second).expect("a clock")))
}

/// Returns the peak resident memory of a process in bytes; `None` of a zombie.
fn peak(pid: Pid) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Returns the disk usage of the files in a folder in bytes.
fn size_of(folder: &Path) -> u64 {
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

/// Returns the last lines of a text.
fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

//! Runs the Blender that bakes, follows it, and judges how it ended.

use std::path::Path;
use std::time::Duration;

use crate::blender::{BakeAnswer, BakeLaunch, Cause, Context, Event, Failure, LogTail, SceneFile};
use crate::error::Error;
use crate::process::shutdown::Stage;
use crate::process::supervisor::memory::MemoryWatch;
use crate::process::supervisor::watchdog::{Alarm, Watchdog};
use crate::process::supervisor::{self, End, Running, Stdin, shell_line};
use crate::request::BakeJob;
use crate::telemetry::logging::DETAILS;
use crate::worker::log_rate_limiter::LogRateLimiter;
use crate::worker::programs::BLENDER;
use crate::worker::{CHILD_GRACE, Worker, sandbox_policy, untrusted_file};

/// How often progress is logged.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The largest answer that is read, in bytes.
const MAX_ANSWER: u64 = 32 * 1024 * 1024;

/// Runs Blender until it ends, and returns the script's answer, which is in the file `answer`.
/// `caches` is the folder beside the baked scene that Blender may write to.
///
/// # Errors
/// - [`Error::Program`] if Blender cannot be started.
/// - [`Error::NotBaked`] if it fails, stalls or does not answer.
/// - [`Error::Interrupted`] if the job is stopped meanwhile.
pub async fn run(
    worker: &Worker,
    job: &BakeJob,
    launch: &BakeLaunch<'_>,
    caches: Option<&Path>,
    answer: &Path,
    header: &SceneFile,
) -> Result<BakeAnswer, Error> {
    let command = launch.command();
    tracing::info!(target: DETAILS, "starting {}", shell_line(&command));
    let policy = sandbox_policy::for_baking(worker, launch, caches, &job.scene);
    let memory = MemoryWatch::begin();
    let mut child = Running::start(command, Stdin::Null, &worker.sandbox, policy)
        .map_err(|error| Error::spawn(error, launch.blender.to_owned(), BLENDER))?;
    let mut output = Output::new();
    let (end, alarm) = follow(worker, launch, caches, &mut child, &mut output).await;
    output.log.end();
    if worker.shutdown.requested().is_some() {
        return Err(interrupted(worker, job));
    }
    let cause = match (alarm, end) {
        (Some(Alarm::Stalled(span)), _) => Failure::Stalled(span).into(),
        (Some(Alarm::Overtime(span)), _) => Failure::Overtime(span).into(),
        (None, End::Stopped) => {
            return Err(Error::Internal("Blender was stopped without a reason".to_owned()));
        }
        (None, End::Own(ending)) => {
            // Blender also exits with 0 after errors: only the answer counts.
            if let Ok(answer) = read(answer) {
                return Ok(answer);
            }
            let context = Context { killer: memory.killer(), saved_by: header.saved_by, job: None };
            match output.tail.diagnose(ending, &context) {
                Cause::Failed { failure, .. } => {
                    Cause::Failed { failure, short_of_memory: memory.kills() > 0 }
                }
                cause => cause,
            }
        }
    };
    let (scene, excerpt) = (job.scene.clone(), output.tail.excerpt());
    Err(Error::NotBaked { cause, scene, excerpt })
}

/// The error of a job that was stopped.
pub fn interrupted(worker: &Worker, job: &BakeJob) -> Error {
    match worker.shutdown.requested() {
        Some(by) => Error::Interrupted { by, left: format!("{} is not baked", job.scene) },
        None => Error::Internal("out of time without a stop request".to_owned()),
    }
}

/// Follows Blender until it ends. Stops it if it gives no sign of life for too long; the second
/// result is then the alarm.
async fn follow(
    worker: &Worker,
    launch: &BakeLaunch<'_>,
    caches: Option<&Path>,
    child: &mut Running,
    output: &mut Output,
) -> (End, Option<Alarm>) {
    let folders = [Some(launch.output_dir), Some(launch.home), caches];
    let folders = folders.into_iter().flatten().map(Path::to_owned).collect();
    let mut watchdog = Watchdog::watch(child.group(), folders, worker.limits.stall.get(), None);
    let (mut stage, mut raised) = (Stage::Working, None);
    loop {
        let stopping = raised.is_some() || stage >= Stage::Stopping;
        tokio::select! {
            event = child.next() => match event {
                supervisor::Event::Line(_, line) => {
                    watchdog.sign_of_life();
                    output.line(&line);
                }
                supervisor::Event::Ended(end) => return (end, raised),
            },
            () = watchdog.sample(), if !stopping => {}
            reached = worker.shutdown.beyond(stage) => {
                stage = reached;
                worker.stop_child(child, stage);
                if stage == Stage::Noticed {
                    // A bake is never finished halfway.
                    worker.shutdown.stop_if_noticed();
                }
            }
        }
        watchdog.time_passes(false);
        if let Some(alarm) = watchdog.alarm().filter(|_| !stopping) {
            tracing::warn!("Blender gives no sign of life: stopping it");
            raised = Some(alarm);
            child.stop(CHILD_GRACE);
        }
    }
}

fn read(answer: &Path) -> Result<BakeAnswer, String> {
    let json = untrusted_file::read(answer, MAX_ANSWER).map_err(|error| error.to_string())?;
    serde_json::from_slice(&json).map_err(|error| error.to_string())
}

/// Handles the output of Blender while it bakes.
struct Output {
    tail: LogTail,
    log: LogRateLimiter,
    /// When progress was last logged.
    logged: tokio::time::Instant,
}

impl Output {
    fn new() -> Self {
        let log = LogRateLimiter::new("blender".to_owned());
        Self { tail: LogTail::default(), log, logged: tokio::time::Instant::now() }
    }

    fn line(&mut self, line: &str) {
        match self.tail.push(line) {
            Event::Simulates { frames: (first, last), .. } => {
                tracing::info!("simulating frames {first} to {last}");
            }
            Event::Simulated { frame, .. } => {
                tracing::debug!(program = "blender", "{line}");
                if self.logged.elapsed() >= HEARTBEAT {
                    self.logged = tokio::time::Instant::now();
                    tracing::info!(frame = frame.get(), "simulated frame {frame}");
                }
            }
            Event::Error(_) => {
                self.log.pass(|| tracing::error!(program = "blender", "{line}"));
            }
            Event::Saved(_) | Event::Described | Event::Progress(_) | Event::Timing => {
                tracing::debug!(program = "blender", "{line}");
            }
            Event::Other => self.log.pass(|| tracing::info!(program = "blender", "{line}")),
        }
    }
}

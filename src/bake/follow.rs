//! Runs the Blender that bakes, logs what it does, and reads the script's answer.

use std::path::Path;
use std::time::Duration;

use crate::blender::{BakeAnswer, BakeLaunch, Event, SceneFile};
use crate::error::Error;
use crate::request::BakeJob;
use crate::worker::log_rate_limiter::LogRateLimiter;
use crate::worker::{Worker, blender_run, sandbox_policy, untrusted_file};

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
    let policy = sandbox_policy::for_baking(worker, launch, caches, &job.scene);
    let folders = [Some(launch.output_dir), Some(launch.home), caches];
    let folders = folders.into_iter().flatten().map(Path::to_owned).collect();
    let mut log = Log::new();
    let handle = |event: &Event<'_>, line: &str| log.line(event, line);
    let finished = blender_run::run(worker, launch.command(), policy, folders, handle).await?;
    log.limiter.end();
    if worker.shutdown.requested().is_some() {
        return Err(interrupted(worker, job));
    }
    // Blender also exits with 0 after errors: only the answer counts.
    if finished.ended_by_itself()
        && let Ok(answer) = read(answer)
    {
        return Ok(answer);
    }
    let cause = finished.cause(header.saved_by, None)?;
    let (scene, excerpt) = (job.scene.clone(), finished.tail.excerpt());
    Err(Error::NotBaked { cause, scene, excerpt })
}

/// The error of a job that was stopped.
pub fn interrupted(worker: &Worker, job: &BakeJob) -> Error {
    worker.interrupted(format!("{} is not baked", job.scene))
}

fn read(answer: &Path) -> Result<BakeAnswer, String> {
    let json = untrusted_file::read(answer, MAX_ANSWER).map_err(|error| error.to_string())?;
    serde_json::from_slice(&json).map_err(|error| error.to_string())
}

/// Logs the output of Blender while it bakes.
struct Log {
    limiter: LogRateLimiter,
    /// When progress was last logged.
    logged: tokio::time::Instant,
}

impl Log {
    fn new() -> Self {
        let limiter = LogRateLimiter::new("blender".to_owned());
        Self { limiter, logged: tokio::time::Instant::now() }
    }

    fn line(&mut self, event: &Event<'_>, line: &str) {
        match event {
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
                self.limiter.pass(|| tracing::error!(program = "blender", "{line}"));
            }
            Event::Saved(_) | Event::Described | Event::Progress(_) | Event::Timing => {
                tracing::debug!(program = "blender", "{line}");
            }
            Event::Doubt => self.limiter.pass(|| tracing::warn!(program = "blender", "{line}")),
            Event::FailedDriver | Event::Other => {
                self.limiter.pass(|| tracing::info!(program = "blender", "{line}"));
            }
        }
    }
}

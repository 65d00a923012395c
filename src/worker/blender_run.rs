//! Runs a Blender that renders no frames, until it ends or the worker is stopped, and judges how it
//! ended. `render` follows its own Blenders: it delivers their frames, and starts them again.

use std::path::PathBuf;
use std::process::Command;

use super::programs::BLENDER;
use super::{CHILD_GRACE, Worker};
use crate::blender::{Cause, Context, Event, Failure, LogTail};
use crate::ending::Ending;
use crate::error::Error;
use crate::process::sandbox::SandboxPolicy;
use crate::process::shutdown::Stage;
use crate::process::supervisor::memory::MemoryWatch;
use crate::process::supervisor::watchdog::{Alarm, Watchdog};
use crate::process::supervisor::{self, End, Running, Stdin, shell_line};
use crate::request::{BlenderVersion, RenderJob};
use crate::telemetry::logging::DETAILS;

/// A Blender that has ended.
#[derive(Debug)]
pub struct Finished {
    /// The end of its log.
    pub tail: LogTail,
    end: End,
    /// Why it was stopped, unless the whole worker was.
    alarm: Option<Alarm>,
    memory: MemoryWatch,
}

/// Runs `command` until it ends, and passes each line of its log to `handle`, with its meaning.
/// Stops it if it gives no sign of life for too long, in its log or in `folders`, and if the worker
/// is stopped: then the caller must not use what it has left.
///
/// # Errors
/// [`Error::Program`] if it cannot be started.
pub async fn run(
    worker: &Worker,
    command: Command,
    policy: SandboxPolicy,
    folders: Vec<PathBuf>,
    mut handle: impl FnMut(&Event<'_>, &str),
) -> Result<Finished, Error> {
    tracing::info!(target: DETAILS, "starting {}", shell_line(&command));
    let program = PathBuf::from(command.get_program());
    let memory = MemoryWatch::begin();
    let mut child = Running::start(command, Stdin::Null, &worker.sandbox, policy)
        .map_err(|error| Error::spawn(error, program, BLENDER))?;
    let mut watchdog = Watchdog::watch(child.group(), folders, worker.limits.stall.get(), None);
    let (mut stage, mut alarm) = (Stage::Working, None);
    let mut tail = LogTail::default();
    loop {
        let stopping = alarm.is_some() || stage >= Stage::Stopping;
        tokio::select! {
            event = child.next() => match event {
                supervisor::Event::Line(_, line) => {
                    watchdog.sign_of_life();
                    handle(&tail.push(&line), &line);
                }
                supervisor::Event::Ended(end) => return Ok(Finished { tail, end, alarm, memory }),
            },
            () = watchdog.sample(), if !stopping => {}
            reached = worker.shutdown.beyond(stage) => {
                stage = reached;
                worker.stop_child(&child, stage);
                if stage == Stage::Noticed {
                    // What it does is of no use until it is finished.
                    worker.shutdown.stop_if_noticed();
                }
            }
        }
        watchdog.time_passes(false);
        if let Some(raised) = watchdog.alarm().filter(|_| !stopping) {
            tracing::warn!("Blender gives no sign of life: stopping it");
            alarm = Some(raised);
            child.stop(CHILD_GRACE);
        }
    }
}

impl Finished {
    /// Whether it ended by itself, in whatever way.
    pub fn ended_by_itself(&self) -> bool {
        self.alarm.is_none() && self.end != End::Stopped
    }

    /// Why it did not do what it was started for. The scene file was `saved_by` that version, and is
    /// that of `job`, if it is to be rendered.
    ///
    /// # Errors
    /// [`Error::Internal`] if it was stopped without a reason.
    pub fn cause(
        &self,
        saved_by: Option<BlenderVersion>,
        job: Option<&RenderJob>,
    ) -> Result<Cause, Error> {
        match (self.alarm, self.end) {
            (Some(alarm), _) => Ok(failure_of(alarm).into()),
            (None, End::Own(ending)) => {
                Ok(diagnose(&self.tail, ending, &self.memory, saved_by, job))
            }
            (None, End::Stopped) => {
                Err(Error::Internal("Blender was stopped without a reason".to_owned()))
            }
        }
    }
}

/// The failure of Blender that an alarm indicates.
pub fn failure_of(alarm: Alarm) -> Failure {
    match alarm {
        Alarm::Stalled(span) => Failure::Stalled(span),
        Alarm::Overtime(span) => Failure::Overtime(span),
    }
}

/// The cause of Blender's end, from its exit status, its log and the memory counters.
pub fn diagnose(
    tail: &LogTail,
    ending: Ending,
    memory: &MemoryWatch,
    saved_by: Option<BlenderVersion>,
    job: Option<&RenderJob>,
) -> Cause {
    match tail.diagnose(ending, &Context { killer: memory.killer(), saved_by, job }) {
        // The kernel may have killed a process that Blender had started.
        Cause::Failed { failure, .. } => {
            Cause::Failed { failure, short_of_memory: memory.kills() > 0 }
        }
        cause => cause,
    }
}

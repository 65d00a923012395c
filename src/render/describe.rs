//! Opens a scene in Blender without rendering it.

use std::path::Path;

use super::description_file;
use super::scratch_dirs::ScratchDirs;
use super::user_code;
use crate::blender::{
    Answer, Cause, Context, Failure, Launch, LogTail, Purpose, SceneDescription, SceneFile,
    UserCodePaths, desktop_command,
};
use crate::ending::Ending;
use crate::error::Error;
use crate::process::supervisor::memory::MemoryWatch;
use crate::process::supervisor::watchdog::{Alarm, Watchdog};
use crate::process::supervisor::{End, Event, Running, Stdin, shell_line};
use crate::request::{FrameNumber, FrameSet, RenderJob};
use crate::storage::START_LENGTH;
use crate::telemetry::logging::DETAILS;
use crate::worker::programs::BLENDER;
use crate::worker::scratch::Scratch;
use crate::worker::{CHILD_GRACE, Worker, sandbox_policy};

/// Blender's description of the scene that `job` would render, with what is in its file. `header` is
/// that of the file.
///
/// # Errors
/// - [`Error::Program`] if there is no such Blender, [`Error::Sandbox`] if there is no sandbox.
/// - [`Error::Storage`] or [`Error::UserCode`] if the scene, or what the user adds, cannot be read,
///   [`Error::Scratch`] if scratch is unusable.
/// - [`Error::NotDescribed`] if Blender cannot open the scene.
/// - [`Error::Interrupted`] if the job is stopped meanwhile.
pub async fn describe(
    worker: &Worker,
    job: &RenderJob,
    header: &SceneFile,
    blender: &Path,
) -> Result<SceneDescription, Error> {
    let blender = worker.programs.find(blender, BLENDER)?;
    worker.sandbox.ensure_required().map_err(Error::Sandbox)?;
    let scratch = Scratch::create(worker)?;
    let user_code = UserCodePaths::below(scratch.path());
    let dirs = ScratchDirs::prepare(scratch.path(), &user_code, job, Purpose::Describe)?;
    let fetched = async {
        let scene = worker.storage.open_scene(&job.scene, START_LENGTH).await?;
        worker.storage.localise(&scene, &scratch.path().join("scene.blend")).await
    };
    let scene = worker.unless_stopped(fetched).await?;
    user_code::fetch(worker, &job.user_code, &user_code).await?;
    let launch = Launch {
        blender: &blender,
        scene: &scene,
        setup_dir: &dirs.setup,
        user_code_dir: user_code.folder(),
        description_dir: &dirs.description,
        frames_dir: &dirs.frames,
        outputs_dir: &dirs.outputs,
        home: &dirs.home,
        environment: &worker.confinement.environment,
        frames: &FrameSet::default(),
        threads: None,
        mix_audio: false,
        job,
    };
    let memory = MemoryWatch::begin();
    let (end, tail) = worker.unless_stopped(run(worker, &launch)).await?;
    let cause = match (description_file::read(&dirs.description), end) {
        (Some(Ok(Answer::Described(mut described))), _) => {
            add_missing_engines(&mut described, &tail);
            return Ok(*described);
        }
        (Some(Ok(Answer::Refused { refused })), _) => Cause::Refused(refused),
        (_, Err(limit)) => Failure::Stalled(limit).into(),
        (_, Ok(ending)) => {
            let context =
                Context { killer: memory.killer(), saved_by: header.saved_by, job: Some(job) };
            tail.diagnose(ending, &context)
        }
    };
    Err(Error::NotDescribed {
        cause,
        scene: job.scene.clone(),
        excerpt: tail.excerpt(),
        command: desktop_command(job, None, FrameNumber::ONE),
    })
}

/// Adds the engines that Blender lacks: the setup script sees the one in place of each.
fn add_missing_engines(described: &mut SceneDescription, tail: &LogTail) {
    if let Some(engine) = tail.missing_engine(&described.scene.name) {
        described.scene.lacks_engine(engine);
    }
    for scene in described.contents.iter_mut().flatten() {
        if let Some(engine) = tail.missing_engine(&scene.name) {
            engine.clone_into(&mut scene.engine);
            scene.samples = None;
        }
    }
}

/// How Blender ended, or the time for which it had given no sign of life when it was stopped.
type Ended = Result<Ending, std::time::Duration>;

/// Runs Blender to its end. The result is how it ended, and the end of its log.
async fn run(worker: &Worker, launch: &Launch<'_>) -> Result<(Ended, LogTail), Error> {
    let command = launch.command();
    tracing::info!(target: DETAILS, "starting {}", shell_line(&command));
    let policy = sandbox_policy::for_blender(worker, launch, &launch.job.scene);
    let mut child = Running::start(command, Stdin::Null, &worker.sandbox, policy)
        .map_err(|error| Error::spawn(error, launch.blender.to_owned(), BLENDER))?;
    let stall = worker.limits.stall.get();
    let mut watchdog = Watchdog::watch(child.group(), vec![launch.home.to_owned()], stall, None);
    let (mut tail, mut stalled) = (LogTail::default(), None);
    loop {
        tokio::select! {
            event = child.next() => match event {
                Event::Line(_, line) => {
                    watchdog.sign_of_life();
                    tracing::debug!(program = "blender", "{line}");
                    tail.push(&line);
                }
                Event::Ended(end) => {
                    let ended = match (stalled, end) {
                        (Some(limit), _) => Err(limit),
                        (None, End::Own(ending)) => Ok(ending),
                        // Only a stall stops it.
                        (None, End::Stopped) => Err(stall.unwrap_or_default()),
                    };
                    return Ok((ended, tail));
                }
            },
            () = watchdog.sample(), if stalled.is_none() => {}
        }
        watchdog.time_passes(false);
        if let (None, Some(Alarm::Stalled(limit))) = (stalled, watchdog.alarm()) {
            stalled = Some(limit);
            child.stop(CHILD_GRACE);
        }
    }
}

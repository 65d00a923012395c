//! Opens a scene in Blender without rendering it.

use std::path::Path;

use super::description_file;
use super::scratch_dirs::ScratchDirs;
use super::user_code;
use crate::blender::{
    Answer, Cause, Event, Launch, LogTail, Purpose, SceneDescription, SceneFile, SceneProject,
    UserCodePaths, desktop_command,
};
use crate::error::Error;
use crate::project::{ProjectCache, SceneInput};
use crate::request::{FrameNumber, FrameRange, FrameSet, RenderJob};
use crate::storage::START_LENGTH;
use crate::worker::programs::BLENDER;
use crate::worker::scratch::Scratch;
use crate::worker::{Worker, blender_run, sandbox_policy};

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
    describe_in(worker, job, header, blender, None, None).await
}

/// The same as [`describe`], for a scene in a folder with the files of its project, which Blender may
/// read. The description also has the simulations that cut off a job of these `frames`.
///
/// # Errors
/// Those of [`describe`].
pub async fn describe_in(
    worker: &Worker,
    job: &RenderJob,
    header: &SceneFile,
    blender: &Path,
    project: Option<SceneProject>,
    frames: Option<FrameRange>,
) -> Result<SceneDescription, Error> {
    let blender = worker.programs.find(blender, BLENDER)?;
    worker.sandbox.ensure_required().map_err(Error::Sandbox)?;
    let scratch = Scratch::create(worker)?;
    let user_code = UserCodePaths::below(scratch.path());
    let fetched = async {
        let (main, scratch) = (job.main.as_ref(), scratch.path());
        let scene =
            SceneInput::open(&worker.storage, &job.scene, main, scratch, START_LENGTH).await?;
        scene.fetch(&worker.storage, scratch, cache_of(worker, job).as_ref()).await
    };
    let scene = worker.unless_stopped(fetched).await?;
    let project = scene.project.or(project);
    let (purpose, in_project) = (Purpose::Describe(frames), project.as_ref());
    let dirs = ScratchDirs::prepare(scratch.path(), &user_code, job, purpose, in_project)?;
    user_code::fetch(worker, &job.user_code, &user_code).await?;
    let launch = Launch {
        blender: &blender,
        scene: &scene.file,
        project: in_project,
        setup_dir: &dirs.setup,
        user_code_dir: user_code.folder(),
        description_dir: &dirs.description,
        frames_dir: &dirs.frames,
        outputs_dir: &dirs.outputs,
        home: &dirs.home,
        environment: &worker.confinement.environment,
        frames: &FrameSet::default(),
        order: &[],
        threads: None,
        mix_audio: false,
        job,
    };
    let policy = sandbox_policy::for_blender(worker, &launch, &job.scene);
    let folders = vec![dirs.home.clone()];
    let log = |_: &Event<'_>, line: &str| tracing::debug!(program = "blender", "{line}");
    let finished = blender_run::run(worker, launch.command(), policy, folders, log).await?;
    if worker.shutdown.requested().is_some() {
        return Err(worker.interrupted("the job is not finished".to_owned()));
    }
    let cause = match description_file::read(&dirs.description) {
        Some(Ok(Answer::Described(mut described))) => {
            add_missing_engines(&mut described, &finished.tail);
            return Ok(*described);
        }
        Some(Ok(Answer::Refused { refused })) => Cause::Refused(refused),
        Some(Err(_)) | None => finished.cause(header.saved_by, Some(job))?,
    };
    Err(Error::NotDescribed {
        cause,
        scene: job.scene.clone(),
        excerpt: finished.tail.excerpt(),
        command: desktop_command(job, None, FrameNumber::ONE),
    })
}

/// The cache of fetched files. Without a sandbox, scenes can write to it.
pub(super) fn cache_of(worker: &Worker, job: &RenderJob) -> Option<ProjectCache> {
    let is_exposed = !worker.sandbox.restricts_files();
    let folder = job.cache_dir.as_ref()?;
    Some(ProjectCache::new(folder, job.cache_size.bytes(), is_exposed))
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

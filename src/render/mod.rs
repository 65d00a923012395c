//! `render`: fetches the scene, renders its frames with Blender, and stores each of them.
//!
//! The job succeeds when every planned frame is stored, whatever Blender's exit status says.
//! Otherwise it fails with an error that says why.

mod companions;
mod delivery;
mod describe;
mod description_file;
mod gpus;
mod launches;
mod processes;
mod reuse;
mod scratch_dirs;
mod start_jitter;
mod stored_outputs;
mod summary;
mod survey;
mod user_code;

use std::path::Path;

use crate::blender::{KERNELS_DIR, UserCodePaths};
use crate::error::Error;
use crate::request::{FRAMES_DIR, FrameNumber, FrameRange, FrameSet, PREVIEWS_DIR, RenderJob};
use crate::worker::Worker;
use crate::worker::previews::contact_sheet;
use crate::worker::programs::BLENDER;
use crate::worker::report::{Action, Report};
use crate::worker::scratch::Scratch;
use launches::Outcome;
use processes::{PendingFrames, environments};
use reuse::{Identified, Reuse};
use survey::Survey;

pub use describe::{describe, describe_in};

/// The frames of a job that has succeeded.
#[derive(Debug)]
pub struct Rendered {
    /// The requested frames. All of them are stored.
    pub frames: FrameSet,
    /// The scene's own range, if the scene file tells it.
    pub scene_range: Option<FrameRange>,
    /// Whether the output has more than frames of the scene.
    pub has_outputs: bool,
}

/// Renders the frames of `job`, stores a report, and logs what the output has by now.
///
/// # Errors
/// Those of [`frames`].
pub async fn render(worker: &Worker, job: &RenderJob, blender: &Path) -> Result<(), Error> {
    let rendered = frames(worker, job, blender).await?;
    summary::log(worker, job, &rendered).await;
    Ok(())
}

/// Renders the frames of `job`, and stores a report.
///
/// # Errors
/// The error that kept a frame from being stored. The report contains it, too.
pub async fn frames(worker: &Worker, job: &RenderJob, blender: &Path) -> Result<Rendered, Error> {
    start_jitter::wait(worker, job).await?;
    let (attempt, provenance) = (&worker.attempt, &worker.provenance);
    let mut report = Report::begin(Action::Render, attempt, provenance, &job.scene, &job.output);
    report.overrides = Some(job.overrides.clone());
    report.settings.clone_from(&job.settings);
    let result = attempt_job(worker, job, blender, &mut report).await;
    worker.conclude(report, result.as_ref().map(|_| ())).await;
    result
}

async fn attempt_job(
    worker: &Worker,
    job: &RenderJob,
    blender: &Path,
    report: &mut Report,
) -> Result<Rendered, Error> {
    let blender = worker.programs.find(blender, BLENDER)?;
    worker.sandbox.ensure_required().map_err(Error::Sandbox)?;
    let scratch = Scratch::create(worker)?;
    create_cache(job);
    let environments = environments(&worker.confinement.environment, job)?;

    let mut survey = Survey::take(worker, job, &blender, scratch.path(), report).await?;
    let mut rendered =
        Rendered { frames: survey.frames.clone(), scene_range: survey.range, has_outputs: false };
    let (Some(first), Some(last)) = (survey.frames.first(), survey.frames.last()) else {
        tracing::info!("nothing to do: the animation ends before the frames of this job");
        return Ok(rendered);
    };
    let user_code = UserCodePaths::below(scratch.path());
    let found = survey.found.take();
    let code = user_code::fetch(worker, &job.user_code, &user_code).await?;
    let what = Identified {
        scene: &survey.scene,
        blender: &blender,
        home: scratch.path(),
        user_code: &code,
    };
    let reuse = Reuse::find(worker, job, what, &survey.frames, found).await?;
    let plan = &reuse.plan;
    let folder = job.output.join(FRAMES_DIR);
    report.frames.clone_from(&plan.already_there);
    if plan.pending.is_empty() {
        if let Some(kept) = &plan.kept {
            report.scene = Some(kept.scene.clone());
            report.outputs = plan.side_files.report(&kept.outputs);
            rendered.has_outputs = !plan.side_files.is_empty();
        }
        plan.warn_of_other_formats(&folder, &report.frames);
        return Ok(rendered);
    }

    let cache = describe::cache_of(worker, job);
    let fetched = survey.scene.fetch(&worker.storage, scratch.path(), cache.as_ref());
    let fetched = worker.unless_stopped(fetched).await?;
    log_start(job, &plan.pending);
    survey.warn_if_outside(&plan.pending, job);
    let pending = PendingFrames {
        worker,
        job,
        header: &survey.header,
        blender: &blender,
        scene: &fetched.file,
        project: fetched.project.as_ref(),
        scratch: scratch.path(),
        user_code: &user_code,
        frames_of_job: &survey.frames,
        range: FrameRange { first, last },
        reuse: &reuse,
        report_stem: &report.stem(),
    };
    let Outcome {
        error,
        missing: _,
        scene,
        launches,
        stored,
        outputs,
        mut side_files,
        skipped,
        has_previews,
    } = pending.render(&environments).await?;
    side_files.extend(plan.side_files.clone());
    report.outputs = side_files.report(&outputs);
    rendered.has_outputs = !side_files.is_empty();
    report.scene = scene;
    report.launches = launches;
    report.set_aside = skipped;
    report.frames.extend(stored);
    report.previews = has_previews.then(|| format!("{PREVIEWS_DIR}/"));
    // A child of an array job leaves the sheet of the whole to `stitch`.
    if has_previews && worker.attempt.array.is_none() {
        let is_stored = |frame: &FrameNumber| report.frames.contains_key(&frame.get());
        let missing = survey.frames.iter().filter(|frame| !is_stored(frame)).collect();
        let frames = contact_sheet::On::AllAnd(&missing);
        let sheet = contact_sheet::store(worker, &job.output, frames, job.resume);
        report.contact_sheet = sheet.await;
    }
    plan.warn_of_other_formats(&folder, &report.frames);
    error.map_or(Ok(rendered), Err)
}

/// Creates the cache. A job that cannot have one takes longer, and succeeds.
fn create_cache(job: &RenderJob) {
    if let Some(folder) = job.cache_dir.as_ref().map(|cache| cache.join(KERNELS_DIR))
        && let Err(why) = std::fs::create_dir_all(&folder)
    {
        tracing::warn!(
            "cannot create {}, so kernels are compiled in each job: {why} (--cache-dir, CACHE_DIR)",
            folder.display()
        );
    }
}

fn log_start(job: &RenderJob, frames: &FrameSet) {
    let (from, to) = (&job.scene, &job.output);
    let what = match frames.len() {
        1 => frames.named(),
        count => format!("{count} frames, {frames},"),
    };
    tracing::info!(frames = frames.to_string(), "rendering {what} of {from} to {to}");
}

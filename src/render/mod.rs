//! `render`: the scene comes in, Blender renders, each frame goes out.
//!
//! Success is that every planned frame is stored, whatever Blender's exit status
//! says; anything else names the frames that are not.

mod delivery;
mod launches;
mod reuse;
mod start_jitter;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use futures_util::{join, try_join};

use crate::blender::{
    Launch, SETUP_FILES, SETUP_SETTINGS, SceneFile, SceneFileError, setup_settings,
};
use crate::error::Error;
use crate::request::{FRAMES_DIR, FrameSet, RenderJob};
use crate::storage::Opened;
use crate::worker::Worker;
use crate::worker::programs::BLENDER;
use crate::worker::report::{Action, Report};
use crate::worker::scratch::Scratch;
use launches::{ANSWER, Rendering};
use reuse::fingerprint_task::{FingerprintTask, Place};
use reuse::identity;
use reuse::identity::LocalScene;
use reuse::inputs::RenderInputs;
use reuse::plan::{Found, Plan};

/// Renders what `job` asks for, and leaves a report of it.
///
/// # Errors
/// If not every frame is stored in the end.
pub async fn render(worker: &Worker, job: &RenderJob, blender: &Path) -> Result<(), Error> {
    start_jitter::wait(worker, job).await?;
    let mut report =
        Report::begin(Action::Render, &worker.attempt, &worker.provenance, &job.scene, &job.output);
    let result = attempt(worker, job, blender, &mut report).await;
    worker.conclude(report, result.as_ref().copied()).await;
    result
}

async fn attempt(
    worker: &Worker,
    job: &RenderJob,
    blender: &Path,
    report: &mut Report,
) -> Result<(), Error> {
    let blender = worker.programs.find(blender, BLENDER)?;
    worker.sandbox.suffices().map_err(Error::Sandbox)?;
    let scratch = Scratch::make(worker)?;
    let rooms = ScratchDirs::prepare(&scratch, job)?;
    let open = worker.unless_stopped(worker.storage.open(&job.scene));
    let (opened, known) = if job.frames.needs_scene_range() {
        (open.await?, None)
    } else {
        // Far from storage it is the waiting for answers that takes the time: what needs no
        // scene is asked for meanwhile. A scene that cannot be had is told all the same.
        let frames = job.frames.resolve(None).map_err(Error::Selection)?;
        let survey = async { Ok(survey(worker, job, &frames, report).await) };
        let (opened, found) = try_join!(open, survey)?;
        (opened, Some((frames, found)))
    };
    let file = read_scene_header(worker, job, &opened).await?;
    let (frames, found) = match known {
        Some(known) => known,
        None if file.range().is_none() => {
            return Err(Error::NoSceneRange { source: job.scene.clone(), flaw: file.flaw });
        }
        None => {
            let frames = job.frames.resolve(file.range()).map_err(Error::Selection)?;
            let found = survey(worker, job, &frames, report).await;
            (frames, found)
        }
    };
    let found = found?;
    if frames.is_empty() {
        tracing::info!("nothing to do: the animation ends before the frames of this job");
        return Ok(());
    }

    // Looked at before it is read to be identified.
    let local_scene = LocalScene::of(&opened).await?;
    let recipe = render_inputs(worker, job, &opened, &blender, &rooms).await?;
    let plan = match (&recipe, found) {
        (Some(recipe), Some(found)) => {
            let beside = local_scene.as_ref().map(LocalScene::folder);
            let (storage, allowed) = (&worker.storage, &job.allow_missing);
            let plan = Plan::make(storage, &job.output, recipe, &frames, found, beside, allowed);
            worker.unless_stopped(plan).await?
        }
        _ => Plan::everything(&frames),
    };
    let folder = job.output.join(FRAMES_DIR);
    report.frames.clone_from(&plan.already_there);
    if plan.pending.is_empty() {
        report.scene = plan.kept.as_ref().map(|kept| kept.scene.clone());
        plan.warn_of_other_formats(&folder, &report.frames);
        return Ok(());
    }

    let scene = worker.unless_stopped(worker.storage.localise(&opened, &rooms.scene)).await?;
    let frames = &plan.pending;
    let (from, to) = (&job.scene, &job.output);
    let what = match frames.len() {
        1 => frames.named(),
        count => format!("{count} frames, {frames},"),
    };
    tracing::info!(frames = frames.to_string(), "rendering {what} of {from} to {to}");
    warn_if_outside(&file, frames);
    let launch = Launch {
        blender: &blender,
        scene: &scene,
        setup_dir: &rooms.setup,
        answer_dir: &rooms.answer,
        frames_dir: &rooms.frames,
        home: &rooms.home,
        environment: &worker.confinement.environment,
        frames,
        job,
    };
    let origin = FingerprintTask::new(
        recipe,
        Place {
            storage: worker.storage.clone(),
            output: job.output.clone(),
            scene: local_scene,
            kept: plan.kept.clone(),
        },
    );
    let stem = report.stem();
    let mut rendering =
        Rendering::new(worker, job, frames, &file, (&rooms.frames, &rooms.answer), origin, stem);
    rendering.resumed = !plan.already_there.is_empty();
    let result = rendering.run(&launch).await;
    report.set_aside = rendering.set_aside();
    report.scene = rendering.scene;
    report.launches = rendering.launches;
    report.frames.append(&mut rendering.stored);
    plan.warn_of_other_formats(&folder, &report.frames);
    result
}

/// What the output holds of `frames`, once it is proven that they can be written there;
/// `None` if that does not matter.
async fn survey(
    worker: &Worker,
    job: &RenderJob,
    frames: &FrameSet,
    report: &mut Report,
) -> Result<Option<Found>, Error> {
    report.asked(frames);
    if frames.is_empty() {
        return Ok(None);
    }
    let folder = job.output.join(FRAMES_DIR);
    let prepare = worker.prepare_output(&folder, report);
    if !job.resume {
        return prepare.await.map(|()| None);
    }
    let list = worker.unless_stopped(Found::list(&worker.storage, &job.output, frames));
    let (prepared, found) = join!(prepare, list);
    // Where neither is possible, it is said of the writing.
    prepared?;
    found.map(Some)
}

/// What the scene file says of itself. Its beginning tells that, so that it is only fetched
/// to be rendered.
async fn read_scene_header(
    worker: &Worker,
    job: &RenderJob,
    opened: &Opened,
) -> Result<SceneFile, Error> {
    let file = SceneFile::from_start(&opened.start, opened.is_whole());
    let file = file.and_then(|file| file.ok_or(SceneFileError::NotABlend));
    // A bit that is wrong must not make a scene unusable, nor choose other frames.
    if file.is_err() || (job.frames.needs_scene_range() && !opened.is_whole()) {
        worker.unless_stopped(worker.storage.confirm(opened)).await?;
    }
    file.map_err(|source| Error::SceneFile { scene: job.scene.clone(), source })
}

/// How the frames are made, as far as it can be told without starting Blender.
async fn render_inputs(
    worker: &Worker,
    job: &RenderJob,
    opened: &Opened,
    blender: &Path,
    rooms: &ScratchDirs,
) -> Result<Option<RenderInputs>, Error> {
    let scene = worker.unless_stopped(identity::scene(opened));
    let blender = identity::blender(worker, blender, &rooms.home);
    let (scene, blender) = tokio::try_join!(scene, blender)?;
    let unknown = match (&scene, &blender) {
        (Some(scene), Some(blender)) => {
            let locked_in = worker.sandbox.has_files();
            let recipe = RenderInputs::new(job, scene, blender, &worker.confinement, locked_in);
            return Ok(Some(recipe));
        }
        (None, _) => "the store tells no versions of the scene file apart (no ETag)",
        (Some(_), None) => "Blender does not say its version (--version)",
    };
    tracing::warn!("all frames are rendered, in every attempt: {unknown}");
    Ok(None)
}

/// The folders and files in scratch.
struct ScratchDirs {
    scene: PathBuf,
    setup: PathBuf,
    answer: PathBuf,
    frames: PathBuf,
    home: PathBuf,
}

impl ScratchDirs {
    fn prepare(scratch: &Scratch, job: &RenderJob) -> Result<Self, Error> {
        let base = scratch.path();
        let rooms = Self {
            scene: base.join("scene.blend"),
            setup: base.join("setup"),
            answer: base.join("answer"),
            frames: base.join("frames"),
            home: base.join("home"),
        };
        let made = rooms.make(job);
        made.map_err(|source| Error::Scratch { path: base.to_owned(), source })?;
        Ok(rooms)
    }

    fn make(&self, job: &RenderJob) -> io::Result<()> {
        for folder in [&self.setup, &self.answer, &self.frames, &self.home] {
            fs::create_dir(folder)?;
        }
        for (name, content) in SETUP_FILES {
            fs::write(self.setup.join(name), content)?;
        }
        let answer = self.answer.join(ANSWER);
        fs::write(self.setup.join(SETUP_SETTINGS), setup_settings(job, &answer))
    }
}

fn warn_if_outside(file: &SceneFile, frames: &FrameSet) {
    let Some(scene) = file.range() else { return };
    let outside: FrameSet =
        frames.iter().filter(|&frame| frame < scene.first || frame > scene.last).collect();
    if !outside.is_empty() {
        tracing::warn!(
            "frames {outside} lie outside of the scene's own range, {scene}; they are rendered all \
             the same (--first-frame, --total-frames)"
        );
    }
}

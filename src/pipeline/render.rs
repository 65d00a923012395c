//! `render`: the scene comes in, Blender renders, each frame goes out.
//!
//! Success is that every planned frame is stored, whatever Blender's exit status
//! says; anything else names the frames that are not.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::Worker;
use super::programs::BLENDER;
use super::rendering::Rendering;
use super::report::{Action, Report};
use crate::blender::{Launch, SETUP_SCRIPT, SceneFile, SceneFileError};
use crate::error::Error;
use crate::request::{FRAMES_DIR, FrameSet, RenderJob};

/// Renders what `job` asks for, and leaves a report of it.
///
/// # Errors
/// If not every frame is stored in the end.
pub async fn render(worker: &Worker, job: &RenderJob, blender: &Path) -> Result<(), Error> {
    let mut report = Report::begin(Action::Render, worker, &job.scene, &job.output);
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
    let scratch = worker.scratch()?;
    let rooms = Rooms::prepare(&scratch)?;
    let fetched = worker.storage.localise(&job.scene, &rooms.scene);
    let scene = worker.unless_stopped(fetched).await?;
    let file = worker.unless_stopped(read_scene_file(job, &scene)).await?;
    if job.frames.needs_scene_range() && file.range.is_none() {
        return Err(Error::NoSceneRange { source: job.scene.clone() });
    }
    let frames = job.frames.resolve(file.range).map_err(Error::Selection)?;
    report.asked(&frames);
    if frames.is_empty() {
        tracing::info!("nothing to do: the animation ends before the frames of this job");
        return Ok(());
    }
    worker.prepare_output(&job.output.join(FRAMES_DIR), report).await?;

    let (count, from, to) = (frames.len(), &job.scene, &job.output);
    tracing::info!(
        frames = frames.to_string(),
        "rendering {count} frames, {frames}, of {from} to {to}"
    );
    warn_if_outside(&file, &frames);
    let launch = Launch {
        blender: &blender,
        scene: &scene,
        setup_script: &rooms.setup_script,
        frames_dir: &rooms.frames,
        home: &rooms.home,
        environment: &worker.confinement.environment,
        frames: &frames,
        job,
    };
    let mut rendering = Rendering::new(worker, job, &frames, &file, &rooms.frames, report.stem());
    let result = rendering.run(&launch).await;
    report.set_aside = rendering.set_aside();
    report.scene = rendering.scene;
    report.launches = rendering.launches;
    report.frames = rendering.stored;
    result
}

/// The folders and files in scratch.
struct Rooms {
    scene: PathBuf,
    setup_script: PathBuf,
    frames: PathBuf,
    home: PathBuf,
}

impl Rooms {
    fn prepare(scratch: &TempDir) -> Result<Self, Error> {
        let base = scratch.path();
        let rooms = Self {
            scene: base.join("scene.blend"),
            setup_script: base.join("setup.py"),
            frames: base.join("frames"),
            home: base.join("home"),
        };
        let made = std::fs::create_dir(&rooms.frames)
            .and_then(|()| std::fs::create_dir(&rooms.home))
            .and_then(|()| std::fs::write(&rooms.setup_script, SETUP_SCRIPT));
        made.map_err(|source| Error::Scratch { path: base.to_owned(), source })?;
        Ok(rooms)
    }
}

async fn read_scene_file(job: &RenderJob, scene: &Path) -> Result<SceneFile, Error> {
    let path = scene.to_owned();
    // Where it may block: the volume it lies on may be a network away.
    let read = tokio::task::spawn_blocking(move || {
        let file = File::open(path).map_err(SceneFileError::Io)?;
        SceneFile::read(io::BufReader::new(file))
    });
    let read = read.await.map_err(|error| Error::Internal(error.to_string()))?;
    read.map_err(|source| Error::SceneFile { scene: job.scene.clone(), source })
}

fn warn_if_outside(file: &SceneFile, frames: &FrameSet) {
    let Some(scene) = file.range else { return };
    let outside: FrameSet =
        frames.iter().filter(|&frame| frame < scene.first || frame > scene.last).collect();
    if !outside.is_empty() {
        tracing::warn!(
            "frames {outside} lie outside of the scene's own range, {scene}; they are rendered all \
             the same (--first-frame, --total-frames)"
        );
    }
}

//! The survey before rendering: the scene, the frames of this job, and which of them the output
//! already has.

use std::path::Path;

use futures_util::{join, try_join};

use super::describe::describe;
use super::reuse::plan::Found;
use crate::blender::SceneFile;
use crate::error::{Error, frames_are};
use crate::project::SceneInput;
use crate::request::{FRAMES_DIR, FrameRange, FrameSet, Location, RenderJob};
use crate::storage::START_LENGTH;
use crate::worker::Worker;
use crate::worker::report::Report;

/// The result of the survey.
#[derive(Debug)]
pub struct Survey {
    /// The scene file, of which only the beginning has been read, and its project.
    pub scene: SceneInput,
    /// The header of the scene file.
    pub header: SceneFile,
    /// The frame range of the scene that is rendered, if it is known.
    pub range: Option<FrameRange>,
    /// The requested frames; empty if the animation ends before them.
    pub frames: FrameSet,
    /// The files of these frames in the output; `None` if the job renders all frames regardless.
    pub found: Option<Found>,
}

impl Survey {
    /// Opens the scene and lists the output. If the frames are known without the scene, and the
    /// output is on S3, it does both concurrently: far from storage, waiting for responses takes
    /// most of the time.
    ///
    /// # Errors
    /// - [`Error::Storage`] if the scene cannot be read, or the output not be written or listed.
    /// - [`Error::SceneFile`] if the file is not a scene.
    /// - [`Error::NoSceneRange`] if the frames depend on a range that the scene does not contain.
    /// - [`Error::NotDescribed`] if Blender cannot tell the range of another scene than the active one.
    /// - [`Error::Selection`] if the requested frames cannot exist.
    /// - [`Error::Interrupted`] if the job is stopped meanwhile.
    pub async fn take(
        worker: &Worker,
        job: &RenderJob,
        blender: &Path,
        scratch: &Path,
        report: &mut Report,
    ) -> Result<Self, Error> {
        let main = job.main.as_ref();
        let scene = SceneInput::open(&worker.storage, &job.scene, main, scratch, START_LENGTH);
        let scene = worker.unless_stopped(scene);
        // A local output is created only for a scene that can be rendered.
        let is_local = matches!(job.output, Location::Local(_));
        if job.frames.needs_scene_range() || is_local {
            let scene = scene.await?;
            let depends = job.frames.needs_scene_range();
            let header = worker.scene_header(&scene.opened, &job.scene, depends).await?;
            let range = find_range(worker, job, &header, blender).await?;
            let frames = job.frames.resolve(range).map_err(Error::Selection)?;
            let found = survey_output(worker, job, &frames, report).await?;
            return Ok(Self { scene, header, range, frames, found });
        }
        let frames = job.frames.resolve(None).map_err(Error::Selection)?;
        // A scene that cannot be opened is reported before an output that cannot be written.
        let found = async { Ok(survey_output(worker, job, &frames, report).await) };
        let (scene, found) = try_join!(scene, found)?;
        let depends = job.frames.needs_scene_range();
        let header = worker.scene_header(&scene.opened, &job.scene, depends).await?;
        let range = header.range_of(job.overrides.scene.as_ref());
        Ok(Self { scene, header, range, frames, found: found? })
    }

    /// Warns about `frames` that lie outside of the scene's own range.
    pub fn warn_if_outside(&self, frames: &FrameSet, job: &RenderJob) {
        let Some(range) = self.range else { return };
        let outside = frames.without(&range.into());
        if outside.is_empty() {
            return;
        }
        let cure = if job.frames.is_by_range() {
            "; --first-frame scene (FIRST_FRAME) and --total-frames scene (TOTAL_FRAMES) leave them out"
        } else {
            // Chosen one by one: these flags contradict --frames.
            ""
        };
        tracing::warn!(
            "{} outside of the scene's own range, {range}, and rendered all the same{cure}",
            frames_are(&outside)
        );
    }
}

/// The frame range of the scene that is rendered. The beginning of the file has only that of the active
/// scene; Blender knows that of another one, and is asked for it if the frames depend on it.
async fn find_range(
    worker: &Worker,
    job: &RenderJob,
    header: &SceneFile,
    blender: &Path,
) -> Result<Option<FrameRange>, Error> {
    let range = header.range_of(job.overrides.scene.as_ref());
    if range.is_some() || !job.frames.needs_scene_range() {
        return Ok(range);
    }
    let range = match &job.overrides.scene {
        Some(_) => describe(worker, job, header, blender).await?.scene.range(),
        None => None,
    };
    let unknown = || Error::NoSceneRange { location: job.scene.clone(), flaw: header.flaw.clone() };
    range.map(Some).ok_or_else(unknown)
}

/// Proves that frames can be stored in the output, and lists the `frames` that it already has;
/// `None` if the job renders all frames regardless.
async fn survey_output(
    worker: &Worker,
    job: &RenderJob,
    frames: &FrameSet,
    report: &mut Report,
) -> Result<Option<Found>, Error> {
    report.set_requested_frames(frames);
    if frames.is_empty() {
        return Ok(None);
    }
    let folder = job.output.join(FRAMES_DIR);
    let prepare = async {
        worker.prepare_output(&folder, report).await?;
        worker.warn_if_lost(&job.output);
        Ok(())
    };
    if !job.resume {
        return prepare.await.map(|()| None);
    }
    let list = worker.unless_stopped(Found::list(&worker.storage, &job.output, frames));
    let (prepared, found) = join!(prepare, list);
    // If both fail, the error about writing is the more useful one.
    prepared?;
    found.map(Some)
}

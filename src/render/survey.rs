//! The survey before the rendering: which scene it is, which frames are asked for, and what the
//! output has of them.

use futures_util::{join, try_join};

use super::reuse::plan::Found;
use crate::blender::{SceneFile, SceneFileError};
use crate::error::Error;
use crate::request::{FRAMES_DIR, FrameSet, RenderJob};
use crate::storage::Opened;
use crate::worker::Worker;
use crate::worker::report::Report;

/// What is known before anything is rendered.
#[derive(Debug)]
pub struct Survey {
    /// The scene file, of which only the beginning is read.
    pub scene: Opened,
    /// The header of the scene file.
    pub header: SceneFile,
    /// The frames that are asked for; none if the animation ends before them.
    pub frames: FrameSet,
    /// What the output has of these frames; `None` if the job renders them in any case.
    pub found: Option<Found>,
}

impl Survey {
    /// Opens the scene, and looks at the output. Both at once, if the frames are known without
    /// the scene: far from storage, most of the time goes into waiting for answers.
    ///
    /// # Errors
    /// If the scene cannot be read or is no scene, if the frames depend on a range that it does
    /// not tell, or if the output cannot be written or listed.
    pub async fn take(
        worker: &Worker,
        job: &RenderJob,
        report: &mut Report,
    ) -> Result<Self, Error> {
        let scene = worker.unless_stopped(worker.storage.open(&job.scene));
        if job.frames.needs_scene_range() {
            let scene = scene.await?;
            let header = read_scene_header(worker, job, &scene).await?;
            let Some(range) = header.range() else {
                return Err(Error::NoSceneRange { source: job.scene.clone(), flaw: header.flaw });
            };
            let frames = job.frames.resolve(Some(range)).map_err(Error::Selection)?;
            let found = look_at_output(worker, job, &frames, report).await?;
            return Ok(Self { scene, header, frames, found });
        }
        let frames = job.frames.resolve(None).map_err(Error::Selection)?;
        // A scene that cannot be opened is reported before an output that cannot be written.
        let found = async { Ok(look_at_output(worker, job, &frames, report).await) };
        let (scene, found) = try_join!(scene, found)?;
        let header = read_scene_header(worker, job, &scene).await?;
        Ok(Self { scene, header, frames, found: found? })
    }

    /// Warns of frames that lie outside of the scene's own range.
    pub fn warn_if_outside(&self, frames: &FrameSet) {
        let Some(range) = self.header.range() else { return };
        let outside: FrameSet =
            frames.iter().filter(|&frame| frame < range.first || frame > range.last).collect();
        if !outside.is_empty() {
            tracing::warn!(
                "frames {outside} lie outside of the scene's own range, {range}; they are rendered \
                 all the same (--first-frame, --total-frames)"
            );
        }
    }
}

/// Reads the header of the scene from the beginning of its file, so that a scene that is not
/// rendered is not downloaded.
async fn read_scene_header(
    worker: &Worker,
    job: &RenderJob,
    scene: &Opened,
) -> Result<SceneFile, Error> {
    let header = SceneFile::from_start(&scene.start, scene.is_whole());
    let header = header.and_then(|header| header.ok_or(SceneFileError::NotABlend));
    // A bit that was flipped on its way must neither spoil a scene nor choose other frames.
    if header.is_err() || (job.frames.needs_scene_range() && !scene.is_whole()) {
        worker.unless_stopped(worker.storage.confirm(scene)).await?;
    }
    header.map_err(|source| Error::SceneFile { scene: job.scene.clone(), source })
}

/// Proves that frames can be stored in the output, and lists those of `frames` that are there;
/// `None` if the job renders them in any case.
async fn look_at_output(
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
    // Where neither is possible, the error is about writing.
    prepared?;
    found.map(Some)
}

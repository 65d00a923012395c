//! A submission whose scene is packed first: what is checked before anything is stored.

use super::submit::{check_version, range_of, split};
use crate::blender::SceneFile;
use crate::error::Error;
use crate::jobs::inspect::scene_file;
use crate::request::{FrameSet, SubmitJob};
use crate::worker::Worker;

/// A submission that AWS Batch would accept, as far as the beginning of its scene file shows.
#[derive(Debug)]
pub struct Checked {
    /// The beginning of the scene file.
    pub header: SceneFile,
    /// The frames that all children render together.
    pub frames: FrameSet,
    /// The frames that the last child renders, of all of them.
    pub last_frames: FrameSet,
}

/// Checks the scene and the frames of `job`, without any request to AWS Batch.
///
/// # Errors
/// Those of [`submit`](super::submit::submit) before its first request.
pub async fn check(worker: &Worker, job: &SubmitJob) -> Result<Checked, Error> {
    let (header, range) = scene_file(worker, &job.scene, job.main.as_ref()).await?;
    check_version(job, &header)?;
    let range = range_of(job, &header, range)?;
    let frames = job.frames.resolve(range).map_err(Error::Selection)?;
    let (per_job, children) = split(job, frames.count())?;
    let frames = frames.set();
    let as_index = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let per_job = as_index(per_job.get());
    let before = as_index(children.saturating_sub(1)).saturating_mul(per_job);
    let last_frames = frames.chunk(before, per_job);
    Ok(Checked { header, frames, last_frames })
}

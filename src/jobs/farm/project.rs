//! A submission whose scene is packed first: what is checked before anything is stored.

use super::slices::Deal;
use super::submit::{check_version, range_of};
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
    let deal = Deal::of_most_children(&job.slices, frames.count())?;
    let frames = frames.set();
    let last_frames = deal.last(&frames, job.slices.stride);
    Ok(Checked { header, frames, last_frames })
}

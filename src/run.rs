//! `run`: renders a scene on this machine, and makes the video.

use std::path::Path;

use crate::error::Error;
use crate::render;
use crate::request::RunJob;
use crate::stitch;
use crate::worker::Worker;
use crate::worker::programs::{FFMPEG, FFPROBE};

/// Renders the frames of `job` that the output does not have yet, and makes the video of all of
/// them. Rendering and stitching leave a report each.
///
/// # Errors
/// The error that kept a frame or the video from being stored.
pub async fn run(
    worker: &Worker,
    job: &RunJob,
    blender: &Path,
    ffmpeg: &Path,
    ffprobe: &Path,
) -> Result<(), Error> {
    // Rendering takes hours: find out before it that the video cannot be made.
    worker.programs.find(ffmpeg, FFMPEG)?;
    worker.programs.find(ffprobe, FFPROBE)?;
    let rendered = render::frames(worker, &job.render, blender).await?;
    stitch::stitch(worker, &job.stitch(rendered.frames), ffmpeg, ffprobe).await
}

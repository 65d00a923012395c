//! `run`: renders a scene on this machine, and makes the video. `render` does without the video. Both
//! may do so for each camera.

mod cameras;

use std::path::Path;

use crate::error::Error;
use crate::render;
use crate::request::{RenderJob, RunJob};
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
    for rendering in cameras::jobs_of(worker, &job.render, blender).await? {
        let rendered = render::frames(worker, &rendering, blender).await?;
        let job = RunJob { render: rendering, ..job.clone() };
        stitch::stitch(worker, &job.stitch(rendered.frames), ffmpeg, ffprobe).await?;
    }
    Ok(())
}

/// Renders the frames of `job`. Each camera leaves a report, if there are several.
///
/// # Errors
/// The first error that kept a frame from being stored.
pub async fn render(worker: &Worker, job: &RenderJob, blender: &Path) -> Result<(), Error> {
    for job in cameras::jobs_of(worker, job, blender).await? {
        render::render(worker, &job, blender).await?;
    }
    Ok(())
}

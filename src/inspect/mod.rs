//! `inspect`: what is in a scene file; with `--deep`, what Blender finds in it.

use std::path::Path;

use crate::error::Error;
use crate::jobs;
use crate::jobs::Print;
use crate::render;
use crate::request::InspectJob;
use crate::worker::Worker;

/// Reads the scene file of `job`, opens it in Blender if that is asked for, and prints what is in it.
///
/// # Errors
/// Those of [`jobs::scene_file`] and [`render::describe`].
pub async fn inspect(
    worker: &Worker,
    job: &InspectJob,
    blender: &Path,
    print: impl Print,
) -> Result<(), Error> {
    let (file, range) = jobs::scene_file(worker, &job.scene, job.main.as_ref()).await?;
    let description = match &job.deep {
        Some(rendering) => Some(render::describe(worker, rendering, &file, blender).await?),
        None => None,
    };
    print(&jobs::inspected(job, &file, range, description.as_ref())?)
}

//! `--camera each`: the cameras of a scene.

use std::path::Path;

use crate::blender::Cause;
use crate::error::Error;
use crate::jobs;
use crate::render;
use crate::request::{Cameras, DataName, RenderJob};
use crate::worker::Worker;

/// The jobs that do `job`: itself, or one for each camera of its scene. Only Blender can list these.
///
/// # Errors
/// Those of [`jobs::scene_file`] and [`render::describe`], and [`Error::NotDescribed`] if the scene has
/// no camera.
pub async fn jobs_of(
    worker: &Worker,
    job: &RenderJob,
    blender: &Path,
) -> Result<Vec<RenderJob>, Error> {
    if job.cameras == Cameras::One {
        return Ok(vec![job.clone()]);
    }
    let (file, _) = jobs::scene_file(worker, &job.scene, job.main.as_ref()).await?;
    let description = render::describe(worker, job, &file, blender).await?;
    let name = description.scene.name;
    let scene = description.contents.into_iter().flatten().find(|scene| scene.name == name);
    let cameras: Vec<DataName> = scene
        .iter()
        .flat_map(|scene| &scene.cameras)
        .filter_map(|name| name.parse().ok())
        .collect();
    if cameras.is_empty() {
        return Err(Error::NotDescribed {
            cause: Cause::Scene("the scene has no camera"),
            scene: job.scene.clone(),
            excerpt: Vec::new(),
            command: String::new(),
        });
    }
    let names: Vec<_> = cameras.iter().map(DataName::as_str).collect();
    tracing::info!("rendering through {} cameras: {}", names.len(), names.join(", "));
    Ok(cameras.iter().map(|camera| job.through(camera)).collect())
}

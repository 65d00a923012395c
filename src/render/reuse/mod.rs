//! Reuse: finds the frames that the output already has, made from the same inputs.

pub mod external;
pub mod external_state;
pub mod fingerprint_task;
pub mod identity;
pub mod inputs;
pub mod plan;
mod side_files;

use std::path::Path;

use crate::error::Error;
use crate::project::SceneInput;
use crate::request::{FrameSet, RenderJob};
use crate::worker::Worker;
use identity::LocalScene;
use inputs::RenderInputs;
use plan::{Found, Plan};

/// What the inputs of a job are identified by.
#[derive(Clone, Copy, Debug)]
pub struct Identified<'a> {
    /// The scene file, and its project.
    pub scene: &'a SceneInput,
    /// The Blender.
    pub blender: &'a Path,
    /// A folder that it may write to.
    pub home: &'a Path,
    /// The content of the Python that the user adds to it.
    pub user_code: &'a str,
}

/// The plan for this job, and the inputs of the frames that are to be rendered.
#[derive(Debug)]
pub struct Reuse {
    /// The scene file, if it is a local one.
    pub local_scene: Option<LocalScene>,
    /// The inputs of the frames; `None` if the scene or Blender cannot be identified.
    pub inputs: Option<RenderInputs>,
    /// The frames to render, and those to keep.
    pub plan: Plan,
}

impl Reuse {
    /// Compares the inputs of `job` with those of the frames in `found`; `found` is `None` if all
    /// `frames` are to be rendered.
    ///
    /// # Errors
    /// - [`Error::SceneFile`] if a local scene file cannot be read.
    /// - [`Error::Storage`] if the output cannot be read.
    /// - [`Error::Interrupted`] if the job is stopped meanwhile.
    pub async fn find(
        worker: &Worker,
        job: &RenderJob,
        what: Identified<'_>,
        frames: &FrameSet,
        found: Option<Found>,
    ) -> Result<Self, Error> {
        // First, so that a change while the file is read to identify it is noticed.
        let local_scene = if what.scene.is_fetched_project() {
            // Nobody else changes its files.
            None
        } else {
            LocalScene::of(&what.scene.opened).await?
        };
        let inputs = inputs_of(worker, job, what).await?;
        let plan = match (&inputs, found) {
            (Some(inputs), Some(found)) => {
                let scene_dir = local_scene.as_ref().map(LocalScene::folder);
                let plan = Plan::make(&worker.storage, job, inputs, frames, found, scene_dir);
                worker.unless_stopped(plan).await?
            }
            _ => Plan::everything(frames),
        };
        Ok(Self { local_scene, inputs, plan })
    }
}

/// The inputs of the frames, except for external files, which only Blender can list.
async fn inputs_of(
    worker: &Worker,
    job: &RenderJob,
    what: Identified<'_>,
) -> Result<Option<RenderInputs>, Error> {
    let scene = worker.unless_stopped(async {
        if what.scene.is_fetched_project() {
            return Ok(what.scene.project_identity());
        }
        identity::scene(&what.scene.opened).await
    });
    let blender = identity::blender(worker, what.blender, what.home);
    let (scene, blender) = tokio::try_join!(scene, blender)?;
    let reason = match (&scene, &blender) {
        (Some(scene), Some(blender)) => {
            let locked_in = worker.sandbox.restricts_files();
            let (code, confinement) = (what.user_code, &worker.confinement);
            let inputs = RenderInputs::new(job, scene, blender, code, confinement, locked_in);
            return Ok(Some(inputs));
        }
        (None, _) => "the store does not identify versions of the scene file (no ETag)",
        (Some(_), None) => "Blender does not print its version (--version)",
    };
    tracing::warn!("every attempt will render all frames: {reason}");
    Ok(None)
}

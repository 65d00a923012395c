//! Reuse: which frames need not be rendered, because the output has them, made from the same
//! inputs.

pub mod external;
pub mod external_state;
pub mod fingerprint_task;
pub mod identity;
pub mod inputs;
pub mod plan;

use std::path::Path;

use crate::error::Error;
use crate::request::{FrameSet, RenderJob};
use crate::storage::Opened;
use crate::worker::Worker;
use identity::LocalScene;
use inputs::RenderInputs;
use plan::{Found, Plan};

/// What can be reused, and what the new frames are made from.
#[derive(Debug)]
pub struct Reuse {
    /// The scene file, if it is a local one.
    pub local_scene: Option<LocalScene>,
    /// What the frames are made from; `None` if scene or Blender cannot be told from others.
    pub inputs: Option<RenderInputs>,
    /// Which frames are to be rendered.
    pub plan: Plan,
}

impl Reuse {
    /// Compares what `found` has of `frames` with what `job` would make them from; `found` is
    /// `None` if all are to be rendered. `blender` is the program, and `home` a folder that it
    /// may write to.
    ///
    /// # Errors
    /// If the scene file or the output cannot be read, or the job was told to stop.
    pub async fn find(
        worker: &Worker,
        job: &RenderJob,
        scene: &Opened,
        blender: &Path,
        home: &Path,
        frames: &FrameSet,
        found: Option<Found>,
    ) -> Result<Self, Error> {
        // Before the file is read to be identified: a change after this is noticed.
        let local_scene = LocalScene::of(scene).await?;
        let inputs = inputs_of(worker, job, scene, blender, home).await?;
        let plan = match (&inputs, found) {
            (Some(inputs), Some(found)) => {
                let beside = local_scene.as_ref().map(LocalScene::folder);
                let plan = Plan::make(&worker.storage, job, inputs, frames, found, beside);
                worker.unless_stopped(plan).await?
            }
            _ => Plan::everything(frames),
        };
        Ok(Self { local_scene, inputs, plan })
    }
}

/// What the frames are made from, as far as that can be told without starting Blender.
async fn inputs_of(
    worker: &Worker,
    job: &RenderJob,
    scene: &Opened,
    blender: &Path,
    home: &Path,
) -> Result<Option<RenderInputs>, Error> {
    let scene = worker.unless_stopped(identity::scene(scene));
    let blender = identity::blender(worker, blender, home);
    let (scene, blender) = tokio::try_join!(scene, blender)?;
    let unknown = match (&scene, &blender) {
        (Some(scene), Some(blender)) => {
            let locked_in = worker.sandbox.has_files();
            let inputs = RenderInputs::new(job, scene, blender, &worker.confinement, locked_in);
            return Ok(Some(inputs));
        }
        (None, _) => "the store tells no versions of the scene file apart (no ETag)",
        (Some(_), None) => "Blender does not say its version (--version)",
    };
    tracing::warn!("all frames are rendered, in every attempt: {unknown}");
    Ok(None)
}

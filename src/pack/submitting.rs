//! `submit --project`: packs a scene of this machine, and submits the jobs that render the project.
//!
//! What these jobs would refuse is refused here, before anything is stored.

use std::path::Path;

use super::{prepare, store};
use crate::blender::{Cause, SceneDescription};
use crate::error::Error;
use crate::jobs::{self, Checked, Print, SubmittedProject};
use crate::request::{FrameRange, SubmitJob, Unbaked};
use crate::worker::Worker;

/// Submits the jobs of `job`. Its scene is packed first, if that is asked for.
///
/// # Errors
/// Those of [`jobs::submit`]. If the scene is packed, also those of [`pack`](super::pack), and
/// [`Error::NotSubmitted`] if the jobs would refuse it.
pub async fn submit(
    worker: &Worker,
    job: &SubmitJob,
    blender: &Path,
    print: impl Print,
) -> Result<(), Error> {
    let Some(packing) = &job.project else {
        return Box::pin(jobs::submit(worker, job, None, print)).await;
    };
    let checked = jobs::check(worker, job).await?;
    let last = last_range(&checked);
    let prepared = prepare(worker, packing, blender, last).await?;
    if let Some(description) = &prepared.description {
        check_frames(job, &checked, description)?;
    } else {
        tracing::warn!(
            "without a Blender, it is not checked whether files are missing, whether simulations are \
             baked and what the scene needs: if that is wrong, the jobs fail, and say so"
        );
    }
    let packed = store(worker, packing, prepared).await?;
    let project = SubmittedProject::new(packed, &checked.frames);
    Box::pin(jobs::submit(worker, job, Some(project), print)).await
}

/// The range of the frames of the last child, which depend on the most frames before them.
fn last_range(checked: &Checked) -> Option<FrameRange> {
    let (first, last) = checked.last_frames.first().zip(checked.last_frames.last())?;
    Some(FrameRange { first, last })
}

/// Fails if a child would refuse to render its frames. Warns of what children would warn of, and of
/// what cannot be checked here.
fn check_frames(
    job: &SubmitJob,
    checked: &Checked,
    description: &SceneDescription,
) -> Result<(), Error> {
    let scene = &description.scene;
    for warning in &scene.warnings {
        tracing::warn!("{warning}");
    }
    for lack in &scene.lacking {
        tracing::warn!(
            "the Blender of this machine ({}) lacks {}, which is needed by {}; if that of the jobs lacks \
             it as well, they end with 69",
            scene.blender,
            lack.feature,
            lack.needed_by.join(", ")
        );
    }
    if !description.cut_off.is_empty() {
        let cause = Cause::CutOff(description.cut_off.clone());
        let (scene, frames) = (job.scene.clone(), checked.last_frames.clone());
        return Err(Error::NotSubmitted { cause, scene, frames });
    }
    let unbaked = job.project.as_ref().map(|packing| packing.described.unbaked);
    if unbaked == Some(Unbaked::Allow) && !scene.simulations.is_empty() {
        tracing::warn!(
            "--allow-unbaked (ALLOW_UNBAKED): the jobs do not simulate what is not baked, so the \
             pictures may differ from those on a desktop"
        );
    }
    Ok(())
}

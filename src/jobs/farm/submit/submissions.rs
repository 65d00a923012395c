//! The jobs to submit: the array job that renders and the job that stitches.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::batch::{ArrayProperties, Overrides, Resource, ResourceKind, Submission, Variable};
use crate::blender::{SceneFile, SceneFileError};
use crate::error::Error;
use crate::jobs::farm::missing::{as_before, missing, named};
use crate::jobs::farm::slices::{Deal, Plan, deal};
use crate::jobs::inspect::scene_file;
use crate::jobs::packed::SubmittedProject;
use crate::request::{AnimationFrames, FrameRange, FrameSet, JobName, JobTemplate, SubmitJob};
use crate::worker::Worker;

/// The variable with the number of children among which the frames are dealt one by one.
pub(in crate::jobs::farm) const STRIDE: &str = "STRIDE";

/// The output of `submit --dry-run`: the jobs that would be submitted.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::jobs) struct Submissions {
    /// The project that would be stored first; absent without `--project`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<SubmittedProject>,
    /// The job that renders.
    pub render: Submission,
    /// The job that makes the video; absent with `--no-stitch`. It depends on `RENDER_JOB_ID`, which
    /// stands for the id of the render job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stitch: Option<Submission>,
    /// What the job that renders is expected to take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
}

/// The jobs to submit; `None` if only missing frames are wanted, and none is missing.
pub(super) async fn prepare(
    worker: &Worker,
    job: &SubmitJob,
) -> Result<Option<Submissions>, Error> {
    let job = &if job.missing { as_before(worker, job).await? } else { job.clone() };
    let scene = if job.frames.needs_scene_range() || job.renderer.is_some() {
        let (file, range) = scene_file(worker, &job.scene, job.main.as_ref()).await?;
        check_version(job, &file)?;
        range_of(job, &file, range)?
    } else {
        None
    };
    let all = job.frames.resolve(scene).map_err(Error::Selection)?;
    let frames = if job.missing {
        let missing = missing(worker, &job.output, &all).await?;
        if missing.is_empty() {
            return Ok(None);
        }
        named(missing)
    } else {
        all.clone()
    };
    let submission = |name: &JobName,
                      action: &str,
                      input: String,
                      template: &JobTemplate,
                      frames: &AnimationFrames,
                      per_job: u32| {
        Submission {
            job_name: name.to_string(),
            job_queue: job.queue.clone(),
            job_definition: template.definition.clone(),
            share_identifier: job.share_identifier.clone(),
            array_properties: None,
            depends_on: Vec::new(),
            parameters: BTreeMap::from([
                ("action".to_owned(), action.to_owned()),
                ("inputUri".to_owned(), input),
                ("outputUri".to_owned(), job.output.to_string()),
                ("framesPerJob".to_owned(), per_job.to_string()),
            ]),
            container_overrides: overrides(template, &variables(frames)),
            tags: job.tags.clone(),
        }
    };
    let scene = job.input().to_string();
    let test = |frames: FrameSet| {
        let (name, count) = (job.name.with_suffix("-test"), frames.len());
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        submission(&name, "render", scene.clone(), &job.render, &named(frames), count)
    };
    let (Deal { per_job, children }, plan) =
        Box::pin(deal(worker, job, &frames.set(), test)).await?;
    let per_job = per_job.get();
    let mut render = submission(&job.name, "render", scene.clone(), &job.render, &frames, per_job);
    if children > 1 {
        // AWS Batch does not allow arrays of one child.
        render.array_properties = Some(ArrayProperties { size: children });
        if job.slices.stride {
            let value = children.to_string();
            let variable = Variable { name: STRIDE.to_owned(), value };
            render.container_overrides.environment.insert(0, variable);
        }
    }
    let stitch = job.stitch.as_ref().map(|template| {
        let name = job.name.with_suffix("-stitch");
        // Of all frames, also where some are there.
        submission(&name, "stitch", job.output.to_string(), template, &all, per_job)
    });
    Ok(Some(Submissions { project: None, render, stitch, plan }))
}

/// The frame range of the scene that is rendered, if it is known. `range` is that of the active scene.
pub(in crate::jobs::farm) fn range_of(
    job: &SubmitJob,
    file: &SceneFile,
    range: FrameRange,
) -> Result<Option<FrameRange>, Error> {
    match (&job.scene_name, file.range_of(job.scene_name.as_ref())) {
        (Some(name), None) if job.frames.needs_scene_range() => {
            let (scene, name) = (job.scene.clone(), name.clone());
            Err(Error::RangeOfOtherScene { scene, name })
        }
        (Some(_), range) => Ok(range),
        (None, _) => Ok(Some(range)),
    }
}

/// Rejects a scene that the Blender in the image would reject, if both versions are known.
pub(in crate::jobs::farm) fn check_version(job: &SubmitJob, file: &SceneFile) -> Result<(), Error> {
    match file.saved_by.zip(job.renderer) {
        Some((saved_by, renderer)) if renderer < saved_by => Err(Error::SceneFile {
            scene: job.scene.clone(),
            source: SceneFileError::Newer { saved_by, renderer },
        }),
        _ => Ok(()),
    }
}

/// Returns the environment variables that pass the frames to the containers.
fn variables(frames: &AnimationFrames) -> Vec<(&'static str, String)> {
    match frames {
        AnimationFrames::Exactly(named) => vec![("FRAMES", named.text.clone())],
        AnimationFrames::Range(range) => vec![
            ("FIRST_FRAME", range.first.to_string()),
            ("TOTAL_FRAMES", range.len().to_string()),
        ],
    }
}

fn overrides(template: &JobTemplate, frames: &[(&str, String)]) -> Overrides {
    let own = template.variables.iter().map(|(name, value)| (name.as_str(), value));
    let frames = frames.iter().map(|(name, value)| (*name, value));
    let resources = [(ResourceKind::Vcpu, template.vcpus), (ResourceKind::Memory, template.memory)];
    let resources = resources.into_iter().filter_map(|(kind, amount)| Some((kind, amount?)));
    Overrides {
        environment: frames
            .chain(own)
            .map(|(name, value)| Variable { name: name.to_owned(), value: value.clone() })
            .collect(),
        resource_requirements: resources
            .map(|(kind, amount)| Resource { kind, value: amount.to_string() })
            .collect(),
    }
}

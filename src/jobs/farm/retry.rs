//! `retry`: submits again what has failed of jobs on AWS Batch, with other settings if they are given.

use super::status;
use super::submit::{Afterwards, STRIDE, Submissions, submit_prepared};
use crate::batch::{
    ArrayProperties, Batch, Job, Overrides, Resource, ResourceKind, State, Submission, Variable,
};
use crate::error::Error;
use crate::jobs::output::Print;
use crate::request::{
    AnimationRange, ArrayPosition, FirstFrame, FrameSelection, FrameSet, FramesPerJob, JobId,
    JobName, RetryJob, TotalFrames,
};
use crate::worker::Worker;

/// The variables that say which frames a job renders.
const FRAMES: [&str; 4] = ["FRAMES", "FIRST_FRAME", "TOTAL_FRAMES", STRIDE];

/// Submits a job for the frames of the children that have failed, and a stitch job after it if the given
/// one is a stitch job that has not succeeded. Prints their ids, and waits for them if asked to.
///
/// # Errors
/// - [`Error::NoSuchJob`] if Batch has no such job.
/// - [`Error::NotRetried`] if there is nothing to retry, or the job is none of `submit`.
/// - Those of submitting and following jobs.
pub async fn retry(worker: &Worker, job: &RetryJob, print: impl Print) -> Result<(), Error> {
    let batch = worker.unless_stopped(Batch::connect()).await?;
    let submissions = worker.unless_stopped(prepare(&batch, job)).await?;
    let afterwards = Afterwards {
        mode: job.mode,
        download: job.download.as_deref(),
        price: None,
        json: job.json,
    };
    submit_prepared(worker, submissions, afterwards, print).await
}

async fn prepare(batch: &Batch, job: &RetryJob) -> Result<Submissions, Error> {
    let refuse = |why: &'static str| Error::NotRetried { job: job.job.clone(), why };
    let mut jobs = status::look_up(batch, &job.job).await?;
    let last = jobs.pop().ok_or_else(|| refuse("it is not there"))?;
    // The job that `submit` prints last is the one that stitches, unless there is none.
    let (render, stitch) = match jobs.pop() {
        Some(render) => (render, Some(last)),
        None => (last, None),
    };
    if render.index.is_some() {
        return Err(refuse("it is a child; give the array job, which is the id before the colon"));
    }
    if !render.state.is_final() {
        return Err(refuse("it has not ended; wait for it, or cancel it"));
    }
    if render.state == State::Succeeded {
        return Err(refuse("all its frames are rendered"));
    }
    let per_job = render.parameters.get("framesPerJob").and_then(|text| text.parse().ok());
    let per_job: FramesPerJob =
        per_job.ok_or_else(|| refuse("it has no parameter framesPerJob, as jobs of submit do"))?;
    let indices = if render.children.is_some() {
        let failed = batch.failed_children(&render.id).await?;
        failed.iter().map(JobId::array_index).collect()
    } else {
        vec![None]
    };
    let mut frames = Vec::new();
    for index in indices {
        let selection = selection(&render, per_job, index)
            .ok_or_else(|| refuse("its variables do not say which frames it renders"))?;
        frames.extend(selection.resolve(None).map_err(Error::Selection)?.iter());
    }
    let frames: FrameSet = frames.into_iter().collect();
    if frames.is_empty() {
        return Err(refuse("no child of it has failed"));
    }
    let stitch = stitch.filter(|stitch| stitch.state != State::Succeeded);
    tracing::info!("{} are submitted again", frames.named());
    Ok(Submissions {
        project: None,
        render: again_with(&render, &frames, per_job, job),
        stitch: stitch.map(|stitch| again(&stitch, |_| true)),
        plan: None,
    })
}

/// The frames that a child of a job of `submit` renders; of the whole job without an index.
fn selection(job: &Job, per_job: FramesPerJob, index: Option<u32>) -> Option<FrameSelection> {
    let all = whole(job)?;
    let Some(index) = index else { return Some(all) };
    if let Some(stride) = job.environment.get(STRIDE) {
        return Some(FrameSelection::Dealt {
            all: Box::new(all),
            stride: stride.parse().ok()?,
            index,
        });
    }
    let array = ArrayPosition { index, size: None };
    Some(match all {
        FrameSelection::Exactly(frames) => FrameSelection::PartOf { frames, per_job, array },
        FrameSelection::Animation(AnimationRange { first, total }) => {
            FrameSelection::Slice { per_job, array: Some(array), first: first?, total }
        }
        other => other,
    })
}

/// The frames of all children of a job of `submit` together.
fn whole(job: &Job) -> Option<FrameSelection> {
    let variable = |name: &str| job.environment.get(name);
    if let Some(frames) = variable("FRAMES") {
        return Some(FrameSelection::Exactly(frames.parse().ok()?));
    }
    let first: FirstFrame = variable("FIRST_FRAME")?.parse().ok()?;
    let total: TotalFrames = variable("TOTAL_FRAMES")?.parse().ok()?;
    Some(FrameSelection::Animation(AnimationRange { first: Some(first), total: Some(total) }))
}

/// The submission of a job for other frames, with the settings of the request.
fn again_with(
    job: &Job,
    frames: &FrameSet,
    per_job: FramesPerJob,
    request: &RetryJob,
) -> Submission {
    let children = per_job.jobs(u32::try_from(frames.len()).unwrap_or(u32::MAX));
    let mut submission = again(job, |name| !FRAMES.contains(&name));
    let text = frames.compact();
    let environment = &mut submission.container_overrides.environment;
    environment.insert(0, Variable { name: "FRAMES".to_owned(), value: text });
    // AWS Batch does not allow arrays of one child.
    submission.array_properties = (children > 1).then_some(ArrayProperties { size: children });
    let resources = &mut submission.container_overrides.resource_requirements;
    if let Some(definition) = &request.definition {
        submission.job_definition.clone_from(definition);
        // It has its own.
        resources.clear();
    }
    for (kind, amount) in
        [(ResourceKind::Vcpu, request.vcpus), (ResourceKind::Memory, request.memory)]
    {
        if let Some(amount) = amount {
            resources.retain(|resource| resource.kind != kind);
            resources.push(Resource { kind, value: amount.to_string() });
        }
    }
    submission
}

/// The submission of the same job, with the variables that are kept.
fn again(job: &Job, is_kept: impl Fn(&str) -> bool) -> Submission {
    // AWS Batch sets its own, and refuses them in a submission.
    let kept =
        job.environment.iter().filter(|(name, _)| !name.starts_with("AWS_BATCH") && is_kept(name));
    let name = job.name.parse::<JobName>().ok();
    Submission {
        job_name: name.map_or_else(|| job.name.clone(), |name| retried(&name)),
        job_queue: job.queue.clone(),
        job_definition: job.definition.clone(),
        share_identifier: job.share_identifier.clone(),
        array_properties: None,
        depends_on: Vec::new(),
        parameters: job.parameters.clone(),
        container_overrides: Overrides {
            environment: kept
                .map(|(name, value)| Variable { name: name.clone(), value: value.clone() })
                .collect(),
            resource_requirements: job.resources.clone(),
        },
        tags: job.tags.clone(),
    }
}

/// The name of a job that is submitted again; the same for one that already was.
fn retried(name: &JobName) -> String {
    const SUFFIX: &str = "-retry";

    let text = name.to_string();
    if text.ends_with(SUFFIX) { text } else { name.with_suffix(SUFFIX).to_string() }
}

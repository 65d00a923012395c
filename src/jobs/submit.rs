//! `submit`: an array job that renders, and a job that waits for it and stitches.
//!
//! What the jobs are given is all that is known here of the frames: where the scene must
//! tell them, it is asked now, and all children count from the same.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Instant;

use serde::{Serialize, Serializer};

use super::inspect::scene_file;
use super::output::{Print, Table, compact_json, json};
use super::status;
use crate::batch::{
    ArrayProperties, Batch, BatchError, Dependency, Overrides, Resource, ResourceKind, Submission,
    Variable,
};
use crate::blender::{SceneFile, SceneFileError};
use crate::error::Error;
use crate::process::shutdown::Stage;
use crate::request::{
    AnimationFrames, FramesPerJob, JobId, JobName, JobTemplate, LARGEST_ARRAY, SubmitJob, Then,
};
use crate::worker::Worker;

/// What stands for the id of the array job as long as it has none.
const RENDER_JOB_ID: &str = "RENDER_JOB_ID";

/// Submits what `job` asks for, and tells the ids.
///
/// # Errors
/// If the frames cannot be told, or not in one array; if Batch does not take the jobs; if
/// they are waited for and fail.
pub async fn submit(worker: &Worker, job: &SubmitJob, print: impl Print) -> Result<(), Error> {
    let Submissions { render, stitch } = put_together(worker, job).await?;
    if job.then == Then::Show {
        let stitch = stitch.map(|stitch| after(stitch, RENDER_JOB_ID));
        return print(&json(&Submissions { render, stitch })?);
    }
    let batch = worker.unless_stopped(Batch::connect()).await?;
    let (answer, error) = to_the_end(worker, all(worker, &batch, &render, stitch)).await?;
    let told = print(&if job.json { json(&answer)? } else { answer.told()? });
    error.map_or(told, Err)?;
    match job.then {
        Then::Show | Then::Submit => Ok(()),
        Then::Wait(interval) => {
            let reached = Some(Instant::now());
            let last = answer.last();
            let picture = status::follow(worker, &batch, last, interval, reached).await?;
            picture.print(job.json, print)?;
            picture.outcome()
        }
    }
}

/// Does what cannot be given up in its middle: whether it was done would not be known. Where
/// there is no time to wait for the answer, it says so itself.
async fn to_the_end<T>(worker: &Worker, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    tokio::select! {
        biased;
        result = &mut work => result,
        _ = worker.shutdown.beyond(Stage::Working) => {
            tracing::warn!("told to stop; what is being submitted is submitted first");
            work.await
        }
    }
}

/// Submits the jobs. If the second one is not taken, there is an answer of the first, and
/// why.
async fn all(
    worker: &Worker,
    batch: &Batch,
    render: &Submission,
    stitch: Option<Submission>,
) -> Result<(Answer, Option<Error>), Error> {
    let render = Submitted::by(worker, batch, render).await?;
    let Some(stitch) = stitch else {
        return Ok((Answer { render, stitch: None, not_submitted: None }, None));
    };
    let stitch = after(stitch, &render.job_id.to_string());
    Ok(match Submitted::by(worker, batch, &stitch).await {
        Ok(done) => (Answer { render, stitch: Some(done), not_submitted: None }, None),
        Err(source) => {
            let error = Error::HalfSubmitted { render: render.job_id.clone(), source };
            (Answer { render, stitch: None, not_submitted: Some(stitch) }, Some(error))
        }
    })
}

/// The jobs.
#[derive(Serialize)]
struct Submissions {
    render: Submission,
    #[serde(skip_serializing_if = "Option::is_none")]
    stitch: Option<Submission>,
}

async fn put_together(worker: &Worker, job: &SubmitJob) -> Result<Submissions, Error> {
    let scene = if job.frames.needs_scene_range() || job.renderer.is_some() {
        let (file, range) = scene_file(worker, &job.scene).await?;
        not_newer(job, &file)?;
        Some(range)
    } else {
        None
    };
    let frames = job.frames.resolve(scene).map_err(Error::Selection)?;
    let (per_job, children) = share_out(job, frames.count())?;
    let variables = variables(&frames);
    let of = |name: &JobName, action: &str, input: String, template: &JobTemplate| Submission {
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
            ("framesPerJob".to_owned(), per_job.get().to_string()),
        ]),
        container_overrides: overrides(template, &variables),
        tags: job.tags.clone(),
    };
    let render = Submission {
        // Batch has no arrays of one.
        array_properties: (children > 1).then_some(ArrayProperties { size: children }),
        ..of(&job.name, "render", job.scene.to_string(), &job.render)
    };
    let stitch = job.stitch.as_ref().map(|template| {
        of(&job.name.with_suffix("-stitch"), "stitch", job.output.to_string(), template)
    });
    Ok(Submissions { render, stitch })
}

/// Refuses a scene that every container would refuse, as far as that is known.
fn not_newer(job: &SubmitJob, file: &SceneFile) -> Result<(), Error> {
    match file.saved_by.zip(job.renderer) {
        Some((saved_by, renderer)) if renderer < saved_by => Err(Error::SceneFile {
            scene: job.scene.clone(),
            source: SceneFileError::Newer { saved_by, renderer },
        }),
        _ => Ok(()),
    }
}

/// How many frames a child renders, and how many children there are.
fn share_out(job: &SubmitJob, frames: u32) -> Result<(FramesPerJob, u32), Error> {
    let (asked, fits) = (job.frames_per_job, FramesPerJob::fitting(frames));
    let per_job = if job.auto && asked.get() < fits.get() { fits } else { asked };
    let children = per_job.jobs(frames);
    if children > LARGEST_ARRAY {
        return Err(Error::ArrayTooLarge { frames, children, fits });
    }
    Ok((per_job, children))
}

/// What tells the containers which frames there are.
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

/// The same once another job has succeeded.
fn after(submission: Submission, other: &str) -> Submission {
    Submission { depends_on: vec![Dependency { job_id: other.to_owned() }], ..submission }
}

/// What is told of jobs that are submitted.
#[derive(Serialize)]
struct Answer {
    render: Submitted,
    stitch: Option<Submitted>,
    /// The request for the second job, if that was not taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_submitted: Option<Submission>,
}

#[derive(Serialize)]
struct Submitted {
    #[serde(serialize_with = "as_text")]
    job_id: JobId,
    job_name: String,
    array_size: Option<u32>,
}

fn as_text<S: Serializer>(id: &JobId, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(id)
}

impl Submitted {
    async fn by(
        worker: &Worker,
        batch: &Batch,
        submission: &Submission,
    ) -> Result<Self, BatchError> {
        let job_id = batch.submit(submission, worker.shutdown.no_time_to_report()).await?;
        let array_size = submission.array_properties.map(|array| array.size);
        let job_name = submission.job_name.clone();
        tracing::info!("submitted {job_name}: {job_id}");
        Ok(Self { job_id, job_name, array_size })
    }
}

impl Answer {
    /// The job that depends on the others.
    fn last(&self) -> &JobId {
        &self.stitch.as_ref().unwrap_or(&self.render).job_id
    }

    /// The same in words.
    fn told(&self) -> Result<String, Error> {
        let mut lines = Table::default();
        let Submitted { job_id, job_name, array_size, .. } = &self.render;
        let children = array_size.map_or(String::new(), |size| format!(", {size} children"));
        lines.row("render", format_args!("{job_id} ({job_name}{children})"));
        if let Some(Submitted { job_id, job_name, .. }) = &self.stitch {
            lines.row("stitch", format_args!("{job_id} ({job_name}, when all is rendered)"));
        }
        lines.row("follow", status::command(self.last()));
        if let Some(left) = &self.not_submitted {
            let words = ["aws", "batch", "submit-job", "--cli-input-json", &compact_json(left)?];
            lines.row("left to do", shell_words::join(words));
        }
        Ok(lines.text())
    }
}

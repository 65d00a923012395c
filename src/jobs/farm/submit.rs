//! `submit`: submits an array job that renders, and a dependent job that stitches.
//!
//! A frame range that depends on the scene is read here, once, and passed to the jobs, so that all
//! children count from the same first frame.

use std::collections::BTreeMap;
use std::path::Path;
use std::pin::pin;
use std::time::Instant;

use serde::{Serialize, Serializer};

use super::download::{Download, while_following};
use super::missing::{as_before, missing, named};
use super::slices::{Deal, Plan, deal};
use super::status;
use crate::batch::{
    ArrayProperties, Batch, BatchError, Dependency, Overrides, Resource, ResourceKind, Submission,
    Variable,
};
use crate::blender::{SceneFile, SceneFileError};
use crate::error::Error;
use crate::jobs::inspect::scene_file;
use crate::jobs::output::{Print, Table, compact_json, json};
use crate::jobs::packed::SubmittedProject;
use crate::process::shutdown::Stage;
use crate::request::{
    AnimationFrames, FrameRange, FrameSet, JobId, JobName, JobTemplate, PricePerHour, SubmitJob,
    SubmitMode,
};
use crate::worker::Worker;

/// The placeholder for the id of the render job in a dry run.
const RENDER_JOB_ID: &str = "RENDER_JOB_ID";

/// The variable with the number of children among which the frames are dealt one by one.
pub(super) const STRIDE: &str = "STRIDE";

/// Submits the jobs of `job`, prints their ids, and waits for them if asked to. `project` is what was
/// packed for them.
///
/// # Errors
/// - [`Error::Selection`], [`Error::SceneFile`] or [`Error::NoSceneRange`] if the frames cannot be
///   determined.
/// - [`Error::ArrayTooLarge`] if they do not fit in one array job.
/// - [`Error::PaceUnknown`] if `-f auto` knows no time of a frame.
/// - [`Error::Batch`] if no job is submitted, [`Error::HalfSubmitted`] if only the first one is.
/// - [`Error::JobsFailed`] or [`Error::NoLongerFollowed`] while waiting for the jobs.
pub async fn submit(
    worker: &Worker,
    job: &SubmitJob,
    project: Option<SubmittedProject>,
    print: impl Print,
) -> Result<(), Error> {
    if let Some(submissions) = Box::pin(prepare(worker, job)).await? {
        let submissions = Submissions { project, ..submissions };
        let afterwards = Afterwards {
            mode: job.mode,
            download: job.download.as_deref(),
            price: job.slices.price,
            json: job.json,
        };
        return submit_prepared(worker, submissions, afterwards, print).await;
    }
    tracing::warn!(
        "{} has all frames, so nothing is submitted; to make the video: \
         render-worker stitch -i {0} -o {0}",
        job.output
    );
    Ok(())
}

/// What to do with jobs once they are submitted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Afterwards<'a> {
    pub mode: SubmitMode,
    /// Where what the jobs store comes while they are followed; `None` for nowhere.
    pub download: Option<&'a Path>,
    /// What an hour of one container costs.
    pub price: Option<PricePerHour>,
    /// Whether the output is JSON.
    pub json: bool,
}

/// Submits these jobs, prints their ids, and waits for them if asked to.
///
/// # Errors
/// Those of [`submit`] from the first request on.
pub(super) async fn submit_prepared(
    worker: &Worker,
    submissions: Submissions,
    afterwards: Afterwards<'_>,
    print: impl Print,
) -> Result<(), Error> {
    let Afterwards { mode, download, price, json: as_json } = afterwards;
    let Submissions { project, render, stitch, plan } = submissions;
    if mode == SubmitMode::DryRun {
        let stitch = stitch.map(|stitch| after(stitch, RENDER_JOB_ID));
        return print(&json(&Submissions { project, render, stitch, plan })?);
    }
    // A folder that cannot be written to is no reason to follow jobs in vain.
    let download = download.map(|to| Download::of(&render.parameters, to)).transpose()?;
    let batch = worker.unless_stopped(Batch::connect()).await?;
    let submitting = submit_all(worker, &batch, project, &render, stitch);
    let (output, error) = uninterrupted(worker, submitting).await?;
    let output = Output { plan, ..output };
    let printed = print(&if as_json { json(&output)? } else { output.table()? });
    error.map_or(printed, Err)?;
    match mode {
        SubmitMode::DryRun | SubmitMode::Submit => Ok(()),
        SubmitMode::SubmitAndWait(interval) => {
            let (last, contact) = (output.last(), Some(Instant::now()));
            let following = Box::pin(status::follow(worker, &batch, last, interval, contact));
            let (overview, arrived) =
                while_following(worker, download, interval, following).await?;
            overview.print(as_json, price, print)?;
            overview.outcome()?;
            arrived
        }
    }
}

/// Completes `work` even after a stop was requested: a submission that is dropped halfway has an
/// unknown outcome. [`Batch::submit`] itself gives up when time runs out.
async fn uninterrupted<T>(worker: &Worker, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    tokio::select! {
        biased;
        result = &mut work => result,
        _ = worker.shutdown.beyond(Stage::Working) => {
            tracing::warn!("stop requested; finishing the submission first");
            work.await
        }
    }
}

/// Submits the jobs. If only the second submission fails, returns the first job with the error.
async fn submit_all(
    worker: &Worker,
    batch: &Batch,
    project: Option<SubmittedProject>,
    render: &Submission,
    stitch: Option<Submission>,
) -> Result<(Output, Option<Error>), Error> {
    let render = SubmittedJob::submit(worker, batch, render).await?;
    let Some(stitch) = stitch else {
        return Ok((Output::of(project, render), None));
    };
    let stitch = after(stitch, &render.job_id.to_string());
    let (output, error) = match SubmittedJob::submit(worker, batch, &stitch).await {
        Ok(done) => (Output { stitch: Some(done), ..Output::of(project, render) }, None),
        Err(source) => {
            let error = Error::HalfSubmitted { render: render.job_id.clone(), source };
            let output = Output { not_submitted: Some(stitch), ..Output::of(project, render) };
            (output, Some(error))
        }
    };
    Ok((output, error))
}

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
async fn prepare(worker: &Worker, job: &SubmitJob) -> Result<Option<Submissions>, Error> {
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
pub(super) fn range_of(
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
pub(super) fn check_version(job: &SubmitJob, file: &SceneFile) -> Result<(), Error> {
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

/// Makes a submission depend on the success of another job.
fn after(submission: Submission, job_id: &str) -> Submission {
    Submission { depends_on: vec![Dependency { job_id: job_id.to_owned() }], ..submission }
}

/// The output of `submit --json`: the submitted jobs. With `--wait`, a second document follows: that
/// of `status --json`.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::jobs) struct Output {
    /// The project that was stored first; absent without `--project`.
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<SubmittedProject>,
    /// The job that renders.
    render: SubmittedJob,
    /// The job that makes the video; null with `--no-stitch`, or if it could not be submitted.
    stitch: Option<SubmittedJob>,
    /// The request for the stitch job, if it could not be submitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_submitted: Option<Submission>,
    /// What the job that renders is expected to take.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<Plan>,
}

/// A submitted job.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SubmittedJob {
    /// The id on AWS Batch.
    #[serde(serialize_with = "as_text")]
    #[cfg_attr(test, schemars(with = "String"))]
    job_id: JobId,
    /// The name.
    job_name: String,
    /// The number of children, 2 to 10,000; null if the job is not an array.
    array_size: Option<u32>,
}

fn as_text<S: Serializer>(id: &JobId, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(id)
}

impl SubmittedJob {
    async fn submit(
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

impl Output {
    /// The output for the job that renders alone.
    fn of(project: Option<SubmittedProject>, render: SubmittedJob) -> Self {
        Self { project, render, stitch: None, not_submitted: None, plan: None }
    }

    /// Returns the id of the job that depends on the other, or of the only job.
    fn last(&self) -> &JobId {
        &self.stitch.as_ref().unwrap_or(&self.render).job_id
    }

    /// The output for people.
    fn table(&self) -> Result<String, Error> {
        let mut lines = Table::default();
        if let Some(project) = &self.project {
            project.rows(&mut lines);
        }
        let SubmittedJob { job_id, job_name, array_size } = &self.render;
        let children = array_size.map_or(String::new(), |size| format!(", {size} children"));
        lines.row("render", format_args!("{job_id} ({job_name}{children})"));
        if let Some(SubmittedJob { job_id, job_name, .. }) = &self.stitch {
            lines.row("stitch", format_args!("{job_id} ({job_name}, when all is rendered)"));
        }
        if let Some(plan) = &self.plan {
            plan.rows(&mut lines);
        }
        lines.row("follow", status::command(self.last()));
        if let Some(request) = &self.not_submitted {
            let command =
                ["aws", "batch", "submit-job", "--cli-input-json", &compact_json(request)?];
            lines.row("left to do", shell_words::join(command));
        }
        Ok(lines.text())
    }
}

//! `submit`: submits an array job that renders, and a dependent job that stitches.
//!
//! A frame range that depends on the scene is read here, once, and passed to the jobs, so that all
//! children count from the same first frame.

mod submissions;
mod submitted;

use std::path::Path;
use std::pin::pin;
use std::time::Instant;

use super::download::{Download, while_following};
use super::status;
use crate::batch::{Batch, Dependency, Submission};
use crate::error::Error;
use crate::jobs::output::{Print, json};
use crate::jobs::packed::SubmittedProject;
use crate::process::shutdown::Stage;
use crate::request::{PricePerHour, SubmitJob, SubmitMode};
use crate::worker::Worker;
pub(in crate::jobs) use submissions::Submissions;
use submissions::prepare;
pub(super) use submissions::{STRIDE, check_version, range_of};
pub(in crate::jobs) use submitted::Output;
use submitted::SubmittedJob;

/// The placeholder for the id of the render job in a dry run.
const RENDER_JOB_ID: &str = "RENDER_JOB_ID";

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

/// Makes a submission depend on the success of another job.
fn after(submission: Submission, job_id: &str) -> Submission {
    Submission { depends_on: vec![Dependency { job_id: job_id.to_owned() }], ..submission }
}

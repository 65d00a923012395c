//! `status`: shows the state of jobs on AWS Batch, once or until they have ended, or what an output has.

mod overview;

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::download::{Download, while_following};
use crate::batch::{Batch, BatchErrorKind};
use crate::error::Error;
use crate::jobs::live::Live;
use crate::jobs::output::Print;
use crate::jobs::output_status::output_status;
use crate::request::{JobId, PollInterval, StatusJob, StatusOf};
use crate::worker::Worker;
#[cfg(test)]
pub(in crate::jobs) use overview::Output;
pub use overview::{Overview, look_up, summary};

/// How long AWS Batch may be unreachable while jobs are followed. The jobs themselves continue.
const MAX_OUTAGE: Duration = Duration::from_mins(15);

/// Prints the state of a job and of the jobs that it depends on, and waits for them if asked to. Or
/// prints what an output has.
///
/// # Errors
/// [`Error::Batch`] if Batch cannot be queried, [`Error::NoSuchJob`] if it has no such job;
/// [`Error::JobsFailed`] or [`Error::NoLongerFollowed`] while waiting for the jobs;
/// [`Error::Storage`] if the output cannot be read.
pub async fn status(worker: &Worker, request: &StatusJob, print: impl Print) -> Result<(), Error> {
    let (job, download) = match &request.of {
        StatusOf::Job { job, download } => (job, download),
        StatusOf::Output(output) => return output_status(worker, output, request, print).await,
    };
    let batch = worker.unless_stopped(Batch::connect()).await?;
    match request.wait {
        None => {
            let mut overview = Overview::default();
            let refresh = Box::pin(overview.refresh(&worker.storage, &batch, job));
            worker.unless_stopped(refresh).await?;
            overview.print(request.json, request.price, print)
        }
        Some(interval) => {
            let download = match download {
                Some(folder) => {
                    let jobs = worker.unless_stopped(look_up(&batch, job)).await?;
                    let parameters = jobs.first().map(|job| job.parameters.clone());
                    Some(Download::of(&parameters.unwrap_or_default(), folder)?)
                }
                None => None,
            };
            let following = Box::pin(follow(worker, &batch, job, interval, None));
            let (overview, arrived) =
                while_following(worker, download, interval, following).await?;
            overview.print(request.json, request.price, print)?;
            overview.outcome()?;
            arrived
        }
    }
}

/// Returns the command that follows a job, from any machine.
pub fn command(job: &JobId) -> String {
    format!("render-worker status {job} --wait")
}

/// Follows a job, and the jobs that it depends on, until all of them have ended. Logs failures as
/// they happen.
///
/// `last_contact` is the time of the last successful request to Batch, if there was one. From then
/// on, Batch may be unreachable for a while, and may not know a job that it has just accepted.
///
/// # Errors
/// [`Error::NoSuchJob`] if Batch has no such job; [`Error::NoLongerFollowed`] if Batch cannot be
/// queried, or the worker is stopped. The jobs continue.
pub async fn follow(
    worker: &Worker,
    batch: &Batch,
    last: &JobId,
    interval: PollInterval,
    mut last_contact: Option<Instant>,
) -> Result<Overview, Error> {
    let following = async {
        let mut overview = Overview::default();
        let mut live = Live::default();
        loop {
            let known = overview.failures.count();
            match Box::pin(overview.refresh(&worker.storage, batch, last)).await {
                Ok(()) => {
                    overview.log_failures(known);
                    last_contact = Some(Instant::now());
                    let ended = overview.has_ended();
                    live.show(overview.part_ended(), &overview.summary(), ended);
                    if ended {
                        return Ok(overview);
                    }
                }
                Err(error) if is_transient(&error, last_contact) => {
                    tracing::warn!("{error}; the jobs continue, and are looked up again");
                }
                Err(error) => return Err(error),
            }
            sleep(interval.get()).await;
        }
    };
    worker.unless_stopped(following).await.map_err(|why| match why {
        Error::NoSuchJob { .. } => why,
        why => Error::NoLongerFollowed { why: Box::new(why), command: command(last) },
    })
}

/// Whether an error may disappear on its own, and has not lasted for too long.
fn is_transient(error: &Error, last_contact: Option<Instant>) -> bool {
    let may_pass = match error {
        Error::Batch(error) => {
            matches!(error.kind(), BatchErrorKind::Transient | BatchErrorKind::Throttled)
        }
        Error::NoSuchJob { .. } => true,
        _ => false,
    };
    may_pass && last_contact.is_some_and(|contact| contact.elapsed() < MAX_OUTAGE)
}

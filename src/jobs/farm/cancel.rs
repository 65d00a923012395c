//! `cancel`: ends a job on AWS Batch, and the jobs that it depends on.

use super::status;
use crate::batch::Batch;
use crate::error::Error;
use crate::jobs::output::{Print, Table};
use crate::request::JobId;
use crate::worker::Worker;

/// What AWS Batch shows as the reason why a job has ended.
const REASON: &str = "cancelled with render-worker cancel";

/// Ends a job, and the jobs that it depends on. Containers that run are told to stop, and store what is
/// finished.
///
/// # Errors
/// [`Error::NoSuchJob`] if Batch has no such job, [`Error::Batch`] if it refuses to end one of them.
pub async fn cancel(worker: &Worker, job: &JobId, print: impl Print) -> Result<(), Error> {
    let batch = worker.unless_stopped(Batch::connect()).await?;
    let mut jobs = worker.unless_stopped(status::look_up(&batch, job)).await?;
    // The last one first: otherwise it fails because of the others before it is cancelled.
    jobs.reverse();
    let mut lines = Table::default();
    for job in jobs {
        if job.state.is_final() {
            lines.row(job.state.name(), format_args!("{} ({}), before", job.id, job.name));
        } else {
            worker.unless_stopped(batch.terminate(&job.id, REASON)).await?;
            tracing::info!("cancelled {}: {}", job.name, job.id);
            lines.row("cancelled", format_args!("{} ({})", job.id, job.name));
        }
    }
    print(&lines.text())
}

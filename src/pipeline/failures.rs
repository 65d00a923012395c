//! Why jobs on AWS Batch failed: how their last attempts ended, and what these left in their
//! reports.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::report::{Action, of_attempt};
use crate::batch::{Attempt, Batch, Job};
use crate::error::{Error, chain};
use crate::exit::Exit;
use crate::printable::printable;
use crate::request::{JobId, Location, REPORTS_DIR};
use crate::storage::Storage;

/// Of so many jobs the reports are read: whole arrays fail of one cause.
const READ: usize = 100;

/// Reports that are read at once.
const AT_ONCE: usize = 8;

/// How long a report may take. It is of use, not needed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Larger than any report, in bytes: a frame takes a hundred.
const LARGEST_REPORT: u64 = 32 * 1024 * 1024;

/// A job that has failed.
#[derive(Debug, Serialize)]
pub struct FailedJob {
    job_id: String,
    job_name: String,
    /// Which child of an array it is.
    pub index: Option<u32>,
    attempts: usize,
    /// How the last attempt ended, if its container did.
    pub exit_code: Option<u8>,
    meaning: Option<&'static str>,
    /// What Batch and the container engine say of it.
    reasons: Vec<String>,
    log_group: String,
    /// Where the last attempt logged.
    pub log_stream: Option<String>,
    /// What the last attempt said in its report.
    cause: Option<String>,
}

/// Looks at jobs that have failed.
///
/// # Errors
/// If Batch does not tell. That a report cannot be had is no error.
pub async fn examine(
    storage: &Storage,
    batch: &Batch,
    jobs: &[JobId],
) -> Result<Vec<FailedJob>, Error> {
    let jobs = batch.describe(jobs).await?;
    let failed = stream::iter(jobs).enumerate().map(|(number, job)| async move {
        let cause = async { if number < READ { cause(storage, &job).await } else { None } };
        let cause = timeout(PATIENCE, cause).await.ok().flatten();
        FailedJob::new(job, cause)
    });
    Ok(failed.buffered(AT_ONCE).collect().await)
}

/// What the report of the last attempt says.
async fn cause(storage: &Storage, job: &Job) -> Option<String> {
    #[derive(Deserialize)]
    struct Excerpt {
        cause: Option<String>,
    }

    let number = u32::try_from(job.attempts.len()).ok().filter(|&number| number > 0)?;
    // A job definition can have the one or the other.
    let told = |parameter, variable| {
        job.parameters.get(parameter).or_else(|| job.environment.get(variable))
    };
    let output: Location = told("outputUri", "OUTPUT_URI")?.parse().ok()?;
    let action = job.parameters.get("action").map(String::as_str);
    for kind in [Action::Render, Action::Stitch] {
        if action.is_some_and(|action| action != kind.name()) {
            continue;
        }
        let name = of_attempt(kind, &job.id.to_string(), number);
        let report = output.join(REPORTS_DIR).join(&name);
        match storage.read_up_to(&report, LARGEST_REPORT).await {
            Ok(content) => {
                let excerpt: Option<Excerpt> = serde_json::from_slice(&content?).ok();
                return excerpt?.cause;
            }
            Err(error) => tracing::debug!("no report: {}", chain(&error)),
        }
    }
    None
}

impl FailedJob {
    fn new(job: Job, cause: Option<String>) -> Self {
        let attempts = job.attempts.len();
        let last = job.attempts.into_iter().next_back().unwrap_or_default();
        let Attempt { exit_code, reason, status_reason, log_stream } = last;
        let mut reasons: Vec<_> =
            reason.into_iter().chain(status_reason).chain(job.reason).collect();
        // What is said of every container that ends by itself tells nobody anything.
        reasons.retain(|reason| {
            !(exit_code.is_some() && reason == "Essential container in task exited")
        });
        reasons.dedup();
        Self {
            job_id: job.id.to_string(),
            job_name: job.name,
            index: job.index,
            attempts,
            exit_code,
            meaning: exit_code.and_then(Exit::of_code).map(Exit::meaning),
            reasons,
            log_group: job.log_group,
            log_stream,
            cause,
        }
    }

    /// Which job it is, and how it ended.
    pub fn summary(&self) -> String {
        let name = printable(&self.job_name, &[]);
        let who = self.index.map_or(name.clone(), |index| format!("{name}, child {index}"));
        let mut how = match (self.exit_code, self.meaning) {
            (Some(code), Some(meaning)) => vec![format!("exit code {code} ({meaning})")],
            (Some(code), None) => {
                vec![format!("exit code {code}, which is none of render-worker's")]
            }
            (None, _) => Vec::new(),
        };
        how.extend(self.reasons.iter().map(|reason| printable(reason, &[])));
        let times = match self.attempts {
            0 => "never ran".to_owned(),
            1 => "1 attempt".to_owned(),
            attempts => format!("{attempts} attempts"),
        };
        how.push(times);
        format!("{who}: {}", how.join(", "))
    }

    /// Where to read on, and why it ended.
    pub fn details(&self) -> impl Iterator<Item = (&'static str, String)> + '_ {
        let log = self.log_stream.as_ref();
        let log = log.map(|stream| ("log", format!("{} {stream}", self.log_group)));
        let cause = self.cause.as_ref().map(|cause| ("cause", printable(cause, &[])));
        log.into_iter().chain(cause)
    }
}

//! Why jobs on AWS Batch failed: the exit code of their last attempt, and the cause in its report.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::batch::{Attempt, Batch, BatchError, Job};
use crate::error_chain::chain;
use crate::exit::Exit;
use crate::printable::printable;
use crate::request::{JobId, Location, REPORTS_DIR};
use crate::storage::Storage;
use crate::worker::report::{Action, LARGEST_REPORT, batch_file_name};

/// How many failed jobs are listed with the causes in their reports. The others are counted by exit
/// code.
const MAX_LISTED: usize = 100;

/// How many reports are read in parallel.
const CONCURRENCY: usize = 8;

/// The most characters of a cause that are shown: more than any cause that the worker writes.
const MAX_CAUSE_CHARS: usize = 4000;

/// The time limit for reading a report, which is useful but not required.
const REPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// All failed jobs that have been examined so far.
#[derive(Debug, Default)]
pub struct Failures {
    all: Vec<FailedJob>,
    known: HashSet<JobId>,
}

impl Failures {
    /// Returns the number of failed jobs.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// Returns all failed jobs, including those that are only counted.
    pub fn all(&self) -> &[FailedJob] {
        &self.all
    }

    /// Splits the jobs after the first `known` into those that are listed and a summary of the
    /// others, if there are any.
    pub fn after(&self, known: usize) -> (&[FailedJob], Option<String>) {
        let jobs = self.all.get(known..).unwrap_or_default();
        let (listed, others) = jobs.split_at(MAX_LISTED.saturating_sub(known).min(jobs.len()));
        let mut counts = BTreeMap::new();
        for job in others {
            *counts.entry(job.result()).or_insert(0) += 1;
        }
        let counts: Vec<_> =
            counts.iter().map(|(result, count)| format!("{count} with {result}")).collect();
        let others =
            (!others.is_empty()).then(|| format!("{} more: {}", others.len(), counts.join("; ")));
        (listed, others)
    }

    /// Looks up the jobs among `jobs` that are not known yet, and reads their reports.
    ///
    /// # Errors
    /// A [`BatchError`] if Batch does not describe the jobs. A report that cannot be read is not
    /// an error.
    pub async fn examine(
        &mut self,
        storage: &Storage,
        batch: &Batch,
        jobs: Vec<JobId>,
    ) -> Result<(), BatchError> {
        let examined = self.all.len();
        let new: Vec<_> = jobs.into_iter().filter(|job| !self.known.contains(job)).collect();
        let jobs = batch.describe(&new).await?;
        self.known.extend(jobs.iter().map(|job| job.id.clone()));
        let mut failed = stream::iter(jobs.into_iter().zip(examined..))
            .map(|(job, index)| async move {
                let cause =
                    async { if index < MAX_LISTED { cause(storage, &job).await } else { None } };
                let cause = timeout(REPORT_TIMEOUT, cause).await.ok().flatten();
                FailedJob::new(job, cause)
            })
            .buffered(CONCURRENCY);
        while let Some(job) = failed.next().await {
            self.all.push(job);
        }
        Ok(())
    }
}

/// A failed job, or a failed child of an array job.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FailedJob {
    /// The id; that of an array's child is `PARENT:INDEX`.
    pub job_id: String,
    /// The name.
    pub job_name: String,
    /// The array index, from 0; null if the job is not the child of an array.
    pub index: Option<u32>,
    /// The number of attempts that have ended; 0 if no container was started.
    pub attempts: usize,
    /// The exit code of the last attempt; null if its container never exited.
    pub exit_code: Option<u8>,
    /// What the exit code means; null if it is not one of render-worker's.
    meaning: Option<&'static str>,
    /// The reasons that AWS Batch and the container engine give.
    reasons: Vec<String>,
    /// The log group of the containers in CloudWatch Logs.
    pub log_group: String,
    /// The log stream of the last attempt; null if there is none.
    pub log_stream: Option<String>,
    /// The cause in the report of the last attempt; null if no report could be read, and for all but
    /// the first 100 failures.
    pub cause: Option<String>,
}

/// Returns the cause in the report of the last attempt.
async fn cause(storage: &Storage, job: &Job) -> Option<String> {
    #[derive(Deserialize)]
    struct Excerpt {
        cause: Option<String>,
    }

    let number = u32::try_from(job.attempts.len()).ok().filter(|&number| number > 0)?;
    // A job definition can set either.
    let parameter_or_variable = |parameter, variable| {
        job.parameters.get(parameter).or_else(|| job.environment.get(variable))
    };
    let output: Location = parameter_or_variable("outputUri", "OUTPUT_URI")?.parse().ok()?;
    let requested = job.parameters.get("action").map(String::as_str);
    for action in [Action::Render, Action::Stitch] {
        if requested.is_some_and(|requested| requested != action.name()) {
            continue;
        }
        let name = batch_file_name(action, &job.id.to_string(), number);
        let report = output.join(REPORTS_DIR).join(&name);
        match storage.read_up_to(&report, LARGEST_REPORT).await {
            Ok(content) => {
                let excerpt: Option<Excerpt> = serde_json::from_slice(&content?).ok();
                return Some(truncated(excerpt?.cause?, &report));
            }
            Err(error) => tracing::debug!("cannot read a report: {}", chain(&error)),
        }
    }
    None
}

/// Shortens a cause to [`MAX_CAUSE_CHARS`]: a report may hold text of any length.
fn truncated(mut cause: String, report: &Location) -> String {
    if let Some((end, _)) = cause.char_indices().nth(MAX_CAUSE_CHARS) {
        cause.truncate(end);
        _ = write!(cause, "… (the rest is in {report})");
    }
    cause
}

impl FailedJob {
    fn new(job: Job, cause: Option<String>) -> Self {
        let attempts = job.attempts.len();
        let last = job.attempts.into_iter().next_back().unwrap_or_default();
        let Attempt { exit_code, reason, status_reason, log_stream } = last;
        let mut reasons: Vec<_> =
            [reason, status_reason, job.reason].into_iter().flatten().collect();
        // Batch says this of every container that exits.
        let generic = "Essential container in task exited";
        reasons.retain(|reason| exit_code.is_none() || reason != generic);
        reasons.dedup();
        Self {
            job_id: job.id.to_string(),
            job_name: job.name,
            index: job.index,
            attempts,
            exit_code,
            meaning: exit_code.and_then(Exit::from_code).map(Exit::meaning),
            reasons,
            log_group: job.log_group,
            log_stream,
            cause,
        }
    }

    /// Describes how the last attempt ended.
    pub fn result(&self) -> String {
        let code = self.exit_code.map(|code| match self.meaning {
            Some(meaning) => format!("exit code {code} ({meaning})"),
            None => format!("exit code {code}, which is not one of render-worker's"),
        });
        let reasons = self.reasons.iter().map(|reason| printable(reason));
        let parts: Vec<_> = code.into_iter().chain(reasons).collect();
        match parts.as_slice() {
            [] if self.log_stream.is_some() => "AWS Batch gave no reason; see the log".to_owned(),
            [] => "AWS Batch gave no reason".to_owned(),
            parts => parts.join(", "),
        }
    }
}

//! Why jobs on AWS Batch failed: how their last attempts ended, and what these left in their
//! reports.

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
use crate::worker::report::{Action, LARGEST_REPORT, of_attempt};

/// So many are told of one by one, with what their reports say: whole arrays fail of one
/// cause.
const ONE_BY_ONE: usize = 100;

/// Reports that are read at once.
const AT_ONCE: usize = 8;

/// How much is told of a cause, in characters: more than any has that is ours.
const LONGEST_CAUSE: usize = 4000;

/// How long a report may take. It is of use, not needed.
const PATIENCE: Duration = Duration::from_secs(10);

/// All jobs that have failed, as far as they have been looked at.
#[derive(Debug, Default)]
pub struct Failures {
    all: Vec<FailedJob>,
    known: HashSet<JobId>,
}

impl Failures {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// All of them.
    pub fn all(&self) -> &[FailedJob] {
        &self.all
    }

    /// Of those after the first `known`: the ones that are told of one by one, and how the
    /// others ended, if there are others.
    pub fn beyond(&self, known: usize) -> (&[FailedJob], Option<String>) {
        let jobs = self.all.get(known..).unwrap_or_default();
        let one_by_one = ONE_BY_ONE.saturating_sub(known).min(jobs.len());
        let (first, others) = jobs.split_at(one_by_one);
        let mut ends = BTreeMap::new();
        for job in others {
            *ends.entry(job.end()).or_insert(0) += 1;
        }
        let ends: Vec<_> = ends.iter().map(|(end, count)| format!("{count} with {end}")).collect();
        let others =
            (!others.is_empty()).then(|| format!("{} more: {}", others.len(), ends.join("; ")));
        (first, others)
    }

    /// Looks at those among `jobs` that are new.
    ///
    /// # Errors
    /// If Batch does not tell. That a report cannot be had is no error.
    pub async fn examine(
        &mut self,
        storage: &Storage,
        batch: &Batch,
        jobs: Vec<JobId>,
    ) -> Result<(), BatchError> {
        let before = self.all.len();
        let new: Vec<_> = jobs.into_iter().filter(|job| !self.known.contains(job)).collect();
        let jobs = batch.describe(&new).await?;
        self.known.extend(jobs.iter().map(|job| job.id.clone()));
        let mut failed = stream::iter(jobs.into_iter().zip(before..))
            .map(|(job, place)| async move {
                let cause =
                    async { if place < ONE_BY_ONE { cause(storage, &job).await } else { None } };
                let cause = timeout(PATIENCE, cause).await.ok().flatten();
                FailedJob::new(job, cause)
            })
            .buffered(AT_ONCE);
        while let Some(job) = failed.next().await {
            self.all.push(job);
        }
        Ok(())
    }
}

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
                return Some(beginning(excerpt?.cause?, &report));
            }
            Err(error) => tracing::debug!("no report: {}", chain(&error)),
        }
    }
    None
}

/// As much of a cause as anybody reads; whoever can write the report decides how long it is.
fn beginning(mut cause: String, report: &Location) -> String {
    if let Some((end, _)) = cause.char_indices().nth(LONGEST_CAUSE) {
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
        // What is said of every container that ends by itself tells nobody anything.
        let usual = "Essential container in task exited";
        reasons.retain(|reason| exit_code.is_none() || reason != usual);
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

    /// How it ended.
    fn end(&self) -> String {
        let code = self.exit_code.map(|code| match self.meaning {
            Some(meaning) => format!("exit code {code} ({meaning})"),
            None => format!("exit code {code}, which is none of render-worker's"),
        });
        let reasons = self.reasons.iter().map(|reason| printable(reason));
        let words: Vec<_> = code.into_iter().chain(reasons).collect();
        if words.is_empty() { "no word of why".to_owned() } else { words.join(", ") }
    }

    /// Which job it is, and how it ended.
    pub fn summary(&self) -> String {
        let name = printable(&self.job_name);
        let child = self.index.map_or(String::new(), |index| format!(", child {index}"));
        let times = match self.attempts {
            0 => "never ran".to_owned(),
            1 => "1 attempt".to_owned(),
            attempts => format!("{attempts} attempts"),
        };
        format!("{name}{child}: {}, {times}", self.end())
    }

    /// Where to read on, and why it ended.
    pub fn details(&self) -> impl Iterator<Item = (&'static str, String)> + '_ {
        let log = self.log_stream.as_ref().map(|stream| format!("{} {stream}", self.log_group));
        let details = [("log", log), ("cause", self.cause.clone())];
        details.into_iter().filter_map(|(what, said)| Some((what, printable(&said?))))
    }
}

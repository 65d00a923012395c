//! The state of a job and of the jobs that it depends on, with the failures among them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::iter;

use serde::Serialize;

use crate::batch::{Batch, Children, Job, State};
use crate::error::Error;
use crate::jobs::farm::failure_groups::FailureGroup;
use crate::jobs::farm::failures::{FailedJob, Failures};
use crate::jobs::farm::watched_output::WatchedOutput;
use crate::jobs::output::{Print, Table, json};
use crate::jobs::output_json::OutputStatus;
use crate::printable::printable;
use crate::request::{JobId, PricePerHour};
use crate::storage::Storage;

/// The state of a job and of the jobs that it depends on.
#[derive(Debug, Default)]
pub struct Overview {
    /// The requested job comes last.
    jobs: Vec<Job>,
    pub(super) failures: Failures,
    /// How many jobs had failed when Batch was last asked which ones.
    looked_up: usize,
    output: WatchedOutput,
}

impl Overview {
    /// Queries the state again, and examines new failures.
    pub(super) async fn refresh(
        &mut self,
        storage: &Storage,
        batch: &Batch,
        last: &JobId,
    ) -> Result<(), Error> {
        let mut jobs = look_up(batch, last).await?;
        for job in &mut jobs {
            if job.children.as_ref().is_some_and(Children::are_stuck) {
                job.reason = batch.waiting_reason(&job.id).await?;
            }
        }
        self.output.look(storage, &jobs).await;
        self.jobs = jobs;
        let count = self.jobs.iter().map(failure_count).sum();
        // Batch can count a failure before it lists or describes it. That is asked for again with
        // the next failure, and at the end.
        let asked = count == self.looked_up && !self.has_ended();
        if asked || count == self.failures.count() {
            return Ok(());
        }
        let mut failed = Vec::new();
        for job in &self.jobs {
            let children = job.children.as_ref();
            if children.is_some_and(|children| children.count(State::Failed) > 0) {
                failed.extend(batch.failed_children(&job.id).await?);
            } else if failure_count(job) > 0 {
                failed.push(job.id.clone());
            }
        }
        self.failures.examine(storage, batch, failed).await?;
        self.looked_up = count;
        Ok(())
    }

    /// Logs the failures after the first `known` ones, in one line for those that are alike.
    pub(super) fn log_failures(&self, known: usize) {
        let (failed, others) = self.failures.after(known);
        for group in FailureGroup::all(failed) {
            let details = group.details().map(|(label, text)| format!("{label}: {text}"));
            let parts: Vec<_> = iter::once(group.summary()).chain(details).collect();
            tracing::warn!(
                exit_code = group.first.exit_code,
                array_index = group.first.index,
                log_stream = group.first.log_stream,
                "{}",
                parts.join("; ")
            );
        }
        if let Some(others) = others {
            tracing::warn!("{others}");
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.jobs.iter().all(|job| job.state.is_final())
    }

    /// Returns the result of jobs that have ended.
    ///
    /// # Errors
    /// [`Error::JobsFailed`] if any of them failed.
    pub fn outcome(&self) -> Result<(), Error> {
        let failed = self.jobs.iter().filter(|job| job.state == State::Failed);
        let failed: Vec<_> = failed.map(summary).collect();
        if failed.is_empty() { Ok(()) } else { Err(Error::JobsFailed { jobs: failed.join("; ") }) }
    }

    /// Returns the fraction of jobs and children that have ended, from 0 to 1.
    pub(super) fn part_ended(&self) -> f64 {
        let (mut total, mut ended): (u32, u32) = (0, 0);
        for job in &self.jobs {
            let (size, done) = match &job.children {
                Some(Children { size, states }) => {
                    let done = states.iter().filter(|(state, _)| state.is_final());
                    (*size, done.map(|(_, count)| count).sum::<u32>())
                }
                None => (1, job.state.is_final().into()),
            };
            total += size;
            ended += done;
        }
        f64::from(ended) / f64::from(total.max(1))
    }

    /// Describes the state of all jobs in one line.
    pub(super) fn summary(&self) -> String {
        let jobs = self.jobs.iter().map(summary);
        let frames = self.output.summary().map(|frames| format!("frames: {frames}"));
        jobs.chain(frames).collect::<Vec<_>>().join("; ")
    }

    /// Prints the state of all jobs, and their failures.
    ///
    /// # Errors
    /// The errors of `print`.
    pub fn print(
        &self,
        as_json: bool,
        price: Option<PricePerHour>,
        print: impl Print,
    ) -> Result<(), Error> {
        if as_json {
            return print(&json(&Output::new(self, price))?);
        }
        let mut lines = Table::default();
        for job in &self.jobs {
            lines.row("job", format_args!("{} ({})", summary(job), job.id));
        }
        let (failed, others) = self.failures.after(0);
        for group in FailureGroup::all(failed) {
            lines.row("failed", group.summary());
            for (label, text) in group.details() {
                lines.row(&format!("  {label}"), text);
            }
        }
        if let Some(others) = others {
            lines.row("failed", others);
        }
        self.output.rows(&mut lines, price);
        print(&lines.text())
    }
}

/// Returns the number of failures of a job: its failed children, or 1 if only the job itself
/// failed.
fn failure_count(job: &Job) -> usize {
    let children = job.children.as_ref().map_or(0, |array| array.count(State::Failed));
    let itself = u32::from(job.state == State::Failed);
    usize::try_from(children.max(itself)).unwrap_or(usize::MAX)
}

/// Describes the state of a job, with the states of its children, and the reason unless it
/// succeeded.
pub fn summary(job: &Job) -> String {
    let mut text = format!("{}: {}", printable(&job.name), job.state.name());
    if let Some(Children { size, states }) = &job.children {
        let states = states.iter().map(|(state, count)| format!("{count} {}", state.name()));
        let states: Vec<_> = states.collect();
        _ = write!(text, ", {size} children");
        if !states.is_empty() {
            _ = write!(text, " ({})", states.join(", "));
        }
    }
    if let Some(reason) = job.reason.as_ref().filter(|_| job.state != State::Succeeded) {
        _ = write!(text, ", {}", printable(reason));
    }
    text
}

/// The output of `status --json`, and of `submit --json --wait` at the end: the state of jobs on AWS
/// Batch, and the failures among them.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[expect(clippy::struct_field_names, reason = "the name in the document")]
pub(in crate::jobs) struct Output<'a> {
    /// The requested job, which comes last, and the jobs that it depends on.
    jobs: Vec<JobOutput<'a>>,
    /// All failures: each failed child of an array, and each failed job without failed children.
    failed: &'a [FailedJob],
    /// What the output has; null if the jobs name none that can be read, and as long as no frame is asked
    /// for.
    output: Option<OutputStatus<'a>>,
}

/// The state of a job.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct JobOutput<'a> {
    /// The id.
    job_id: String,
    /// The name.
    job_name: &'a str,
    /// The state.
    state: State,
    /// The reason for the state; null if AWS Batch gives none.
    reason: Option<&'a str>,
    /// The number of children, 2 to 10,000; null if the job is not an array.
    array_size: Option<u32>,
    /// The number of children in each state; states without children are absent. Null if the job is
    /// not an array.
    children: Option<&'a BTreeMap<State, u32>>,
}

impl<'a> Output<'a> {
    fn new(overview: &'a Overview, price: Option<PricePerHour>) -> Self {
        let jobs = overview.jobs.iter().map(|job| JobOutput {
            job_id: job.id.to_string(),
            job_name: &job.name,
            state: job.state,
            reason: job.reason.as_deref(),
            array_size: job.children.as_ref().map(|array| array.size),
            children: job.children.as_ref().map(|array| &array.states),
        });
        let output = overview.output.status(price);
        Self { jobs: jobs.collect(), failed: overview.failures.all(), output }
    }
}

/// The jobs that a job depends on, and itself at the end.
///
/// # Errors
/// [`Error::Batch`] if Batch cannot be queried, [`Error::NoSuchJob`] if it has no such job.
pub async fn look_up(batch: &Batch, last: &JobId) -> Result<Vec<Job>, Error> {
    let mut jobs = batch.describe(std::slice::from_ref(last)).await?;
    let Some(job) = jobs.first() else {
        let region = batch.region().to_owned();
        return Err(Error::NoSuchJob { job: last.clone(), region });
    };
    if !job.depends_on.is_empty() {
        let mut all = batch.describe(&job.depends_on).await?;
        all.append(&mut jobs);
        jobs = all;
    }
    Ok(jobs)
}

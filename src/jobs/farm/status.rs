//! `status`: shows the state of jobs on AWS Batch, once or until they have ended, or what an output has.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::iter;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::time::sleep;

use super::download::{Download, while_following};
use super::failure_groups::FailureGroup;
use super::failures::{FailedJob, Failures};
use super::watched_output::WatchedOutput;
use crate::batch::{Batch, BatchErrorKind, Children, Job, State};
use crate::error::Error;
use crate::jobs::live::Live;
use crate::jobs::output::{Print, Table, json};
use crate::jobs::output_json::OutputStatus;
use crate::jobs::output_status::output_status;
use crate::printable::printable;
use crate::request::{JobId, PollInterval, PricePerHour, StatusJob, StatusOf};
use crate::storage::Storage;
use crate::worker::Worker;

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

/// The state of a job and of the jobs that it depends on.
#[derive(Debug, Default)]
pub struct Overview {
    /// The requested job comes last.
    jobs: Vec<Job>,
    failures: Failures,
    /// How many jobs had failed when Batch was last asked which ones.
    looked_up: usize,
    output: WatchedOutput,
}

impl Overview {
    /// Queries the state again, and examines new failures.
    async fn refresh(
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
    fn log_failures(&self, known: usize) {
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

    fn has_ended(&self) -> bool {
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
    fn part_ended(&self) -> f64 {
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
    fn summary(&self) -> String {
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

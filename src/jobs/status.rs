//! `status`: how jobs on AWS Batch are, now or until they have ended.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::iter;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::time::sleep;

use super::failures::{FailedJob, Failures};
use super::output::{Print, Table, json};
use crate::batch::{Batch, Children, Job, Refused, State};
use crate::error::Error;
use crate::printable::printable;
use crate::request::{JobId, PollInterval, StatusJob};
use crate::storage::Storage;
use crate::telemetry::progress;
use crate::worker::Worker;

/// For how long Batch may be out of reach while jobs are followed: they go on all the same.
const UNREACHABLE: Duration = Duration::from_mins(15);

/// How often it is said how far the jobs are, for whom no bar shows it.
const WORD: Duration = Duration::from_mins(1);

/// Tells how the job that `job` names is, and those that it depends on.
///
/// # Errors
/// If Batch does not tell, or there is no such job; if they are waited for and fail.
pub async fn status(worker: &Worker, job: &StatusJob, print: impl Print) -> Result<(), Error> {
    let batch = worker.unless_stopped(Batch::connect()).await?;
    match job.wait {
        None => {
            let mut picture = Picture::default();
            let look = picture.look(&worker.storage, &batch, &job.job);
            worker.unless_stopped(look).await?;
            picture.print(job.json, print)
        }
        Some(interval) => {
            let picture = follow(worker, &batch, &job.job, interval, None).await?;
            picture.print(job.json, print)?;
            picture.outcome()
        }
    }
}

/// How a job is followed from wherever somebody is.
pub fn command(job: &JobId) -> String {
    format!("render-worker status {job} --wait")
}

/// Follows a job, and those that it depends on, until all of them have ended; tells of
/// failures as they happen. Where Batch was reached before, as `reached` says, it may be out
/// of reach for a while, and know nothing yet of a job that it has just taken.
///
/// # Errors
/// If Batch does not tell, or we are told to stop. The jobs go on.
pub async fn follow(
    worker: &Worker,
    batch: &Batch,
    last: &JobId,
    interval: PollInterval,
    mut reached: Option<Instant>,
) -> Result<Picture, Error> {
    let following = async {
        let mut picture = Picture::default();
        let mut said: Option<(Instant, String)> = None;
        loop {
            let known = picture.failures.count();
            match picture.look(&worker.storage, batch, last).await {
                Ok(()) => {
                    picture.log_failures(known);
                    reached = Some(Instant::now());
                    let (words, over) = (picture.words(), picture.has_ended());
                    progress::show(picture.part_ended(), &words);
                    let due = |(when, before): &(Instant, String)| {
                        over || when.elapsed() >= WORD && *before != words
                    };
                    if said.as_ref().is_none_or(due) {
                        tracing::info!("{words}");
                        said = Some((Instant::now(), words));
                    }
                    if over {
                        return Ok(picture);
                    }
                }
                Err(error) if may_pass(&error, reached) => {
                    tracing::warn!("{error}; the jobs go on, and are looked up again");
                }
                Err(error) => return Err(error),
            }
            sleep(interval.get()).await;
        }
    };
    let result = worker.unless_stopped(following).await;
    progress::clear();
    result.map_err(|why| match why {
        Error::NoSuchJob { .. } => why,
        why => Error::NoLongerFollowed { why: Box::new(why), command: command(last) },
    })
}

/// Whether what went wrong may be otherwise soon.
fn may_pass(error: &Error, reached: Option<Instant>) -> bool {
    let passes = match error {
        Error::Batch(error) => matches!(error.refused(), Refused::ForNow | Refused::Throttled),
        Error::NoSuchJob { .. } => true,
        _ => false,
    };
    passes && reached.is_some_and(|reached| reached.elapsed() < UNREACHABLE)
}

/// How a job is, and those that it depends on.
#[derive(Debug, Default)]
pub struct Picture {
    /// The one that was asked for is the last one.
    jobs: Vec<Job>,
    failures: Failures,
}

impl Picture {
    /// Looks once more.
    async fn look(&mut self, storage: &Storage, batch: &Batch, last: &JobId) -> Result<(), Error> {
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
        for job in &mut jobs {
            if job.children.as_ref().is_some_and(Children::wait) {
                job.reason = batch.waiting_reason(&job.id).await?;
            }
        }
        self.jobs = jobs;
        if self.jobs.iter().map(failed).sum::<usize>() == self.failures.count() {
            return Ok(());
        }
        let mut all = Vec::new();
        for job in &self.jobs {
            let is_array = job.children.as_ref().is_some_and(|it| it.count(State::Failed) > 0);
            if is_array {
                all.extend(batch.failed_children(&job.id).await?);
            } else if failed(job) > 0 {
                all.push(job.id.clone());
            }
        }
        self.failures.examine(storage, batch, all).await.map_err(Error::Batch)
    }

    /// Logs what has failed beyond the first `known` ones.
    fn log_failures(&self, known: usize) {
        let (failed, others) = self.failures.beyond(known);
        for job in failed {
            let details = job.details().map(|(what, said)| format!("{what}: {said}"));
            let words: Vec<_> = iter::once(job.summary()).chain(details).collect();
            tracing::warn!(
                exit_code = job.exit_code,
                array_index = job.index,
                log_stream = job.log_stream,
                "{}",
                words.join("; ")
            );
        }
        if let Some(others) = others {
            tracing::warn!("{others}");
        }
    }

    fn has_ended(&self) -> bool {
        self.jobs.iter().all(|job| job.state.is_final())
    }

    /// That they have succeeded.
    ///
    /// # Errors
    /// Which of them failed.
    pub fn outcome(&self) -> Result<(), Error> {
        let failed = self.jobs.iter().filter(|job| job.state == State::Failed);
        let failed: Vec<_> = failed.map(summary).collect();
        if failed.is_empty() { Ok(()) } else { Err(Error::JobsFailed { jobs: failed.join("; ") }) }
    }

    /// Which part of the work has ended, from 0 to 1.
    fn part_ended(&self) -> f64 {
        let (mut all, mut ended): (u32, u32) = (0, 0);
        for job in &self.jobs {
            let (of, done) = match &job.children {
                Some(Children { size, states }) => {
                    let done = states.iter().filter(|(state, _)| state.is_final());
                    (*size, done.map(|(_, count)| count).sum::<u32>())
                }
                None => (1, job.state.is_final().into()),
            };
            all += of;
            ended += done;
        }
        f64::from(ended) / f64::from(all.max(1))
    }

    /// How all of them are, in one line.
    fn words(&self) -> String {
        self.jobs.iter().map(summary).collect::<Vec<_>>().join("; ")
    }

    /// Tells how all of them are, and what has failed.
    ///
    /// # Errors
    /// If nobody can be told.
    pub fn print(&self, as_json: bool, print: impl Print) -> Result<(), Error> {
        if as_json {
            return print(&json(&Answer::new(self))?);
        }
        let mut lines = Table::default();
        for job in &self.jobs {
            lines.row("job", format_args!("{} ({})", summary(job), job.id));
        }
        let (failed, others) = self.failures.beyond(0);
        for job in failed {
            lines.row("failed", job.summary());
            for (what, said) in job.details() {
                lines.row(&format!("  {what}"), said);
            }
        }
        if let Some(others) = others {
            lines.row("failed", others);
        }
        print(&lines.text())
    }
}

/// How many have failed: of an array its children, if not it alone.
fn failed(job: &Job) -> usize {
    let children = job.children.as_ref().map_or(0, |array| array.count(State::Failed));
    let itself = u32::from(job.state == State::Failed);
    usize::try_from(children.max(itself)).unwrap_or(usize::MAX)
}

/// How a job is: of an array how many children are in which state. And why, if Batch says so
/// and it is no good sign.
fn summary(job: &Job) -> String {
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

/// What is told to programs.
#[derive(Serialize)]
struct Answer<'a> {
    jobs: Vec<JobAnswer<'a>>,
    failed: &'a [FailedJob],
}

#[derive(Serialize)]
struct JobAnswer<'a> {
    job_id: String,
    job_name: &'a str,
    state: State,
    reason: Option<&'a str>,
    array_size: Option<u32>,
    children: Option<&'a BTreeMap<State, u32>>,
}

impl<'a> Answer<'a> {
    fn new(picture: &'a Picture) -> Self {
        let jobs = picture.jobs.iter().map(|job| JobAnswer {
            job_id: job.id.to_string(),
            job_name: &job.name,
            state: job.state,
            reason: job.reason.as_deref(),
            array_size: job.children.as_ref().map(|array| array.size),
            children: job.children.as_ref().map(|array| &array.states),
        });
        Self { jobs: jobs.collect(), failed: picture.failures.all() }
    }
}

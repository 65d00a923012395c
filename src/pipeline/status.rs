//! `status`: how jobs on AWS Batch are, now or until they have ended.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::iter;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::time::sleep;

use super::Worker;
use super::answer::{Lines, json};
use super::failures::{FailedJob, examine};
use crate::batch::{Batch, BatchError, Children, Job, Refused, State};
use crate::error::Error;
use crate::printable::printable;
use crate::request::{JobId, PollInterval, StatusJob};
use crate::telemetry::progress;

/// For how long Batch may be out of reach while jobs are followed: they go on all the same.
const UNREACHABLE: Duration = Duration::from_mins(15);

/// How often it is said how far the jobs are, for whom no bar shows it.
const WORD: Duration = Duration::from_mins(1);

/// Tells how the job that `job` names is, and those that it depends on.
///
/// # Errors
/// If Batch does not tell, or there is no such job; if they are waited for and fail.
pub async fn status(worker: &Worker, job: &StatusJob, tell: impl Fn(&str)) -> Result<(), Error> {
    let batch = worker.unless_stopped(Batch::connect(worker.storage.transfers())).await?;
    let pipeline = match job.wait {
        None => worker.unless_stopped(Pipeline::look_up(&batch, &job.job)).await?,
        Some(interval) => follow(worker, &batch, &job.job, interval).await?,
    };
    let failed = worker.unless_stopped(pipeline.failed(&batch)).await?;
    let failed = worker.unless_stopped(examine(&worker.storage, &batch, &failed)).await?;
    tell(&if job.json { json(&Answer::new(&pipeline, &failed))? } else { pipeline.told(&failed) });
    match job.wait {
        None => Ok(()),
        Some(_) => pipeline.outcome(),
    }
}

/// How a job is followed from wherever somebody is.
pub fn command(job: &JobId) -> String {
    format!("render-worker status {job} --wait")
}

/// Follows a job, and those that it depends on, until all of them have ended; tells of
/// failures as they happen.
///
/// # Errors
/// If Batch does not tell for long, or we are told to stop. The jobs go on.
pub async fn follow(
    worker: &Worker,
    batch: &Batch,
    last: &JobId,
    interval: PollInterval,
) -> Result<Pipeline, Error> {
    let following = async {
        let mut told = BTreeSet::new();
        let mut said: Option<(Instant, String)> = None;
        let mut reached = Instant::now();
        loop {
            match news(worker, batch, last, &mut told).await {
                Ok(pipeline) => {
                    reached = Instant::now();
                    let words = pipeline.words();
                    progress::show(pipeline.part_ended(), &words);
                    let over = pipeline.has_ended();
                    let due = |(when, before): &(Instant, String)| {
                        over || when.elapsed() >= WORD && *before != words
                    };
                    if said.as_ref().is_none_or(due) {
                        tracing::info!("{words}");
                        said = Some((Instant::now(), words));
                    }
                    if over {
                        return Ok(pipeline);
                    }
                }
                Err(Error::Batch(error)) if may_pass(&error) && reached.elapsed() < UNREACHABLE => {
                    tracing::warn!("{error}; the jobs go on, and are looked up again");
                }
                Err(error) => return Err(error),
            }
            sleep(interval.get()).await;
        }
    };
    let result = worker.shutdown.or(following).await;
    progress::clear();
    result.unwrap_or_else(|by| Err(Error::NoLongerFollowed { by, command: command(last) }))
}

fn may_pass(error: &BatchError) -> bool {
    error.refused() == Refused::ForNow
}

/// How the jobs are; those that have failed and are not among the `told` are told of.
async fn news(
    worker: &Worker,
    batch: &Batch,
    last: &JobId,
    told: &mut BTreeSet<JobId>,
) -> Result<Pipeline, Error> {
    let pipeline = Pipeline::look_up(batch, last).await?;
    let mut failed = pipeline.failed(batch).await?;
    failed.retain(|job| !told.contains(job));
    for job in examine(&worker.storage, batch, &failed).await? {
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
    told.extend(failed);
    Ok(pipeline)
}

/// A job after those that it depends on.
#[derive(Debug)]
pub struct Pipeline {
    jobs: Vec<Job>,
}

impl Pipeline {
    async fn look_up(batch: &Batch, last: &JobId) -> Result<Self, Error> {
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
        Ok(Self { jobs })
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
        let failed: Vec<_> = failed.map(|job| summary(job, true)).collect();
        if failed.is_empty() { Ok(()) } else { Err(Error::JobsFailed { jobs: failed.join("; ") }) }
    }

    /// What has failed: of an array its children.
    async fn failed(&self, batch: &Batch) -> Result<Vec<JobId>, Error> {
        let mut failed = Vec::new();
        for job in &self.jobs {
            let children = job.children.as_ref().map_or(0, |array| array.count(State::Failed));
            if children > 0 {
                failed.extend(batch.failed_children(&job.id).await?);
            } else if job.state == State::Failed {
                failed.push(job.id.clone());
            }
        }
        Ok(failed)
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
        self.jobs.iter().map(|job| summary(job, false)).collect::<Vec<_>>().join("; ")
    }

    /// How all of them are, and what has failed.
    fn told(&self, failed: &[FailedJob]) -> String {
        let mut lines = Lines::default();
        for job in &self.jobs {
            lines.say("job", format!("{} ({})", summary(job, true), job.id));
        }
        for job in failed {
            lines.say("failed", job.summary());
            for (what, said) in job.details() {
                lines.say(&format!("  {what}"), said);
            }
        }
        lines.text()
    }
}

/// How a job is: of an array how many children are in which state. And why, if asked.
fn summary(job: &Job, with_reason: bool) -> String {
    let mut text = format!("{}: {}", printable(&job.name, &[]), job.state.name());
    if let Some(Children { size, states }) = &job.children {
        let states = states.iter().map(|(state, count)| format!("{count} {}", state.name()));
        let states: Vec<_> = states.collect();
        _ = write!(text, ", {size} children");
        if !states.is_empty() {
            _ = write!(text, " ({})", states.join(", "));
        }
    }
    if let Some(reason) = job.reason.as_ref().filter(|_| with_reason && job.state == State::Failed)
    {
        _ = write!(text, ", {}", printable(reason, &[]));
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
    fn new(pipeline: &'a Pipeline, failed: &'a [FailedJob]) -> Self {
        let jobs = pipeline.jobs.iter().map(|job| JobAnswer {
            job_id: job.id.to_string(),
            job_name: &job.name,
            state: job.state,
            reason: job.reason.as_deref(),
            array_size: job.children.as_ref().map(|array| array.size),
            children: job.children.as_ref().map(|array| &array.states),
        });
        Self { jobs: jobs.collect(), failed }
    }
}

//! AWS Batch: jobs are submitted, looked up, and those of an array that failed are found.
//!
//! Only what `submit` and `status` need of its API. The service itself is the judge of what
//! can be submitted; what it says is told as it says it.
//!
//! What is only asked is tried again by the SDK. A job is not submitted again where the first
//! request may have been heard: Batch cannot tell it from another job.

mod error;
mod job;
mod submission;

use std::collections::HashMap;
use std::pin::pin;
use std::time::Duration;

use aws_sdk_batch::Client;
use aws_sdk_batch::config::Builder;
use aws_sdk_batch::config::retry::RetryConfig;
use aws_sdk_batch::operation::submit_job::SubmitJobOutput;
use aws_sdk_batch::types::JobStatus;
use futures_util::poll;
use tokio::time::sleep;

pub use error::{BatchError, Refused};
pub use job::{Attempt, Children, Job, State};
pub use submission::{
    ArrayProperties, Dependency, Overrides, Resource, ResourceKind, Submission, Variable,
};

use crate::aws;
use crate::aws::Service;
use crate::request::JobId;

/// How many jobs `DescribeJobs` takes at once.
const DESCRIBED_AT_ONCE: usize = 100;

/// The pauses before a job is submitted again that Batch has refused for want of time.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// AWS Batch in one account and region.
#[derive(Debug)]
pub struct Batch {
    client: Client,
    region: String,
}

impl Batch {
    /// The one that environment, profile or instance name.
    ///
    /// # Errors
    /// If none of them names a region, or if a setting makes no sense. Nothing is asked of the
    /// service.
    pub async fn connect() -> Result<Self, BatchError> {
        let region = aws::region().await.ok_or_else(BatchError::no_region)?;
        let config = Box::pin(aws::config(Service::Batch, region.clone())).await;
        let config = config.map_err(|error| BatchError::misconfigured(&error))?;
        let endpoint = Service::Batch.endpoint(&config);
        let mut config = Builder::from(&config).retry_config(RetryConfig::standard());
        config.set_endpoint_url(endpoint);
        Ok(Self { client: Client::from_conf(config.build()), region: region.to_string() })
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Submits a job, and says its id, as long as there is time for that.
    ///
    /// # Errors
    /// If Batch does not take it, or if it is not known whether it did.
    pub async fn submit(
        &self,
        submission: &Submission,
        no_time: impl Future<Output = ()>,
    ) -> Result<JobId, BatchError> {
        let (mut pauses, mut no_time) = (PAUSES.iter(), pin!(no_time));
        let answer = loop {
            if poll!(no_time.as_mut()).is_ready() {
                let why = "there was no time left to ask for it, so it is not submitted";
                return Err(BatchError::no_sense(doing(submission), why));
            }
            let error = tokio::select! {
                answer = self.submit_once(submission) => match answer {
                    Ok(answer) => break answer,
                    Err(error) => error,
                },
                () = no_time.as_mut() => {
                    let why = "there was no time left to wait for its answer";
                    return Err(BatchError::no_sense(doing(submission), why).of_unknown_end());
                }
            };
            let Some(pause) = pauses.next().filter(|_| error.refused() == Refused::Throttled)
            else {
                return Err(error);
            };
            tokio::select! {
                // Jitter, as many may have been refused together.
                () = sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)) => {}
                () = no_time.as_mut() => return Err(error),
            }
        };
        let id = answer.job_id.as_deref().and_then(|id| id.parse().ok());
        id.ok_or_else(|| {
            BatchError::no_sense(doing(submission), "its answer names no job").of_unknown_end()
        })
    }

    async fn submit_once(&self, submission: &Submission) -> Result<SubmitJobOutput, BatchError> {
        let request = submission.apply(self.client.submit_job()).customize();
        let once = Builder::new().retry_config(RetryConfig::disabled());
        let answer = Box::pin(request.config_override(once).send()).await;
        answer.map_err(|error| {
            let error = BatchError::of(doing(submission), error);
            if error.refused() == Refused::ForNow { error.of_unknown_end() } else { error }
        })
    }

    /// The jobs of these ids, in their order, as far as Batch knows them.
    ///
    /// # Errors
    /// If Batch does not tell.
    pub async fn describe(&self, ids: &[JobId]) -> Result<Vec<Job>, BatchError> {
        let doing = || "look up jobs".to_owned();
        let mut jobs = Vec::with_capacity(ids.len());
        for some in ids.chunks(DESCRIBED_AT_ONCE) {
            let some = some.iter().map(ToString::to_string).collect();
            let request = self.client.describe_jobs().set_jobs(Some(some));
            let answer = Box::pin(request.send()).await;
            let answer = answer.map_err(|error| BatchError::of(doing(), error))?;
            for job in answer.jobs.unwrap_or_default() {
                jobs.push(Job::read(job).map_err(|why| BatchError::no_sense(doing(), &why))?);
            }
        }
        let places: HashMap<_, _> = ids.iter().zip(0..).collect();
        jobs.sort_by_key(|job| places.get(&job.id).copied().unwrap_or(ids.len()));
        Ok(jobs)
    }

    /// The children of an array job that have failed, by index.
    ///
    /// # Errors
    /// If Batch does not tell.
    pub async fn failed_children(&self, array: &JobId) -> Result<Vec<JobId>, BatchError> {
        let request =
            self.client.list_jobs().array_job_id(array.to_string()).job_status(JobStatus::Failed);
        let mut pages = request.into_paginator().send();
        let mut failed = Vec::new();
        while let Some(page) = Box::pin(pages.next()).await {
            let page = page.map_err(|error| BatchError::of(listing(array), error))?;
            let children = page.job_summary_list.unwrap_or_default().into_iter();
            failed.extend(children.filter_map(|child| child.job_id?.parse::<JobId>().ok()));
        }
        failed.sort_by_key(JobId::array_index);
        Ok(failed)
    }

    /// Why the children of an array job wait for an instance, where Batch says so: it does of
    /// the first of them, if there can be none ("Jobs stuck in a RUNNABLE status" in the AWS
    /// Batch user guide).
    ///
    /// # Errors
    /// If Batch does not tell.
    pub async fn waiting_reason(&self, array: &JobId) -> Result<Option<String>, BatchError> {
        let request =
            self.client.list_jobs().array_job_id(array.to_string()).job_status(JobStatus::Runnable);
        let answer = Box::pin(request.send()).await;
        let answer = answer.map_err(|error| BatchError::of(listing(array), error))?;
        let waiting = answer.job_summary_list.unwrap_or_default().into_iter();
        Ok(waiting.filter_map(|job| job.status_reason).find(|reason| !reason.is_empty()))
    }
}

fn doing(submission: &Submission) -> String {
    format!("submit the job {}", submission.job_name)
}

fn listing(array: &JobId) -> String {
    format!("list the children of the job {array}")
}

//! A client for AWS Batch: submits and describes jobs, and lists the failed children of an array.
//!
//! It covers only the part of the API that `submit` and `status` need. The service validates the
//! submissions, and its messages are passed on unchanged.
//!
//! The SDK retries requests that only read. A submission is not retried if the first request may
//! have arrived: Batch would run the job twice.

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

pub use error::{BatchError, BatchErrorKind};
pub use job::{Attempt, Children, Job, State};
pub use submission::{
    ArrayProperties, Dependency, Overrides, Resource, ResourceKind, Submission, Variable,
};

use crate::aws;
use crate::aws::Service;
use crate::request::JobId;

/// The most jobs that one `DescribeJobs` request can name.
const DESCRIBE_LIMIT: usize = 100;

/// The delays between the attempts to submit a job while Batch throttles requests.
const RETRY_DELAYS: [Duration; 4] = [
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
    /// Creates a client for the region of the environment, the profile or the instance. Sends no
    /// request to the service.
    ///
    /// # Errors
    /// [`BatchErrorKind::Misconfigured`] if none of them names a region, or a setting is invalid.
    pub async fn connect() -> Result<Self, BatchError> {
        let region = aws::region().await.ok_or_else(BatchError::no_region)?;
        let config = Box::pin(aws::config(Service::Batch, region.clone())).await;
        let config = config.map_err(|error| BatchError::misconfigured(&error))?;
        let endpoint = Service::Batch.endpoint(&config);
        let mut config = Builder::from(&config).retry_config(RetryConfig::standard());
        config.set_endpoint_url(endpoint);
        Ok(Self { client: Client::from_conf(config.build()), region: region.to_string() })
    }

    /// Returns the region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Submits a job, and returns its id. Gives up when `out_of_time` completes.
    ///
    /// # Errors
    /// A [`BatchError`] if Batch rejects the job; [`BatchErrorKind::OutcomeUnknown`] if it may have
    /// accepted it.
    pub async fn submit(
        &self,
        submission: &Submission,
        out_of_time: impl Future<Output = ()>,
    ) -> Result<JobId, BatchError> {
        let (mut delays, mut out_of_time) = (RETRY_DELAYS.iter(), pin!(out_of_time));
        let output = loop {
            if poll!(out_of_time.as_mut()).is_ready() {
                let why = "there was no time left to send the request, so it is not submitted";
                return Err(BatchError::transient(submit_job(submission), why));
            }
            let error = tokio::select! {
                output = self.submit_once(submission) => match output {
                    Ok(output) => break output,
                    Err(error) => error,
                },
                () = out_of_time.as_mut() => {
                    let why = "there was no time left to wait for the response";
                    let error = BatchError::transient(submit_job(submission), why);
                    return Err(error.with_unknown_outcome());
                }
            };
            let Some(delay) = delays.next().filter(|_| error.kind() == BatchErrorKind::Throttled)
            else {
                return Err(error);
            };
            tokio::select! {
                // Jitter: Batch may have throttled many clients together.
                () = sleep(delay.mul_f64(0.5 + fastrand::f64() / 2.0)) => {}
                () = out_of_time.as_mut() => return Err(error),
            }
        };
        let id = output.job_id.as_deref().and_then(|id| id.parse().ok());
        id.ok_or_else(|| {
            let why = "the response contains no job id";
            BatchError::transient(submit_job(submission), why).with_unknown_outcome()
        })
    }

    /// Sends one request to submit a job, without the SDK's retries.
    async fn submit_once(&self, submission: &Submission) -> Result<SubmitJobOutput, BatchError> {
        let request = submission.apply(self.client.submit_job()).customize();
        let once = Builder::new().retry_config(RetryConfig::disabled());
        let output = Box::pin(request.config_override(once).send()).await;
        output.map_err(|error| {
            let error = BatchError::new(submit_job(submission), error);
            match error.kind() {
                BatchErrorKind::Transient => error.with_unknown_outcome(),
                _ => error,
            }
        })
    }

    /// Describes the jobs of `ids` in the same order. Omits jobs that Batch does not know.
    ///
    /// # Errors
    /// A [`BatchError`] if the request fails, or the response cannot be understood.
    pub async fn describe(&self, ids: &[JobId]) -> Result<Vec<Job>, BatchError> {
        let operation = || "look up jobs".to_owned();
        let mut jobs = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(DESCRIBE_LIMIT) {
            let chunk = chunk.iter().map(ToString::to_string).collect();
            let request = self.client.describe_jobs().set_jobs(Some(chunk));
            let output = Box::pin(request.send()).await;
            let output = output.map_err(|error| BatchError::new(operation(), error))?;
            for job in output.jobs.unwrap_or_default() {
                jobs.push(Job::read(job).map_err(|why| BatchError::transient(operation(), &why))?);
            }
        }
        let positions: HashMap<_, _> = ids.iter().zip(0..).collect();
        jobs.sort_by_key(|job| positions.get(&job.id).copied().unwrap_or(ids.len()));
        Ok(jobs)
    }

    /// Ends a job, or all children of an array job. Those that have not started are cancelled. AWS Batch
    /// shows `reason` as the reason of their state.
    ///
    /// # Errors
    /// A [`BatchError`] if Batch refuses it.
    pub async fn terminate(&self, job: &JobId, reason: &str) -> Result<(), BatchError> {
        let request = self.client.terminate_job().job_id(job.to_string()).reason(reason);
        let output = Box::pin(request.send()).await;
        output.map(drop).map_err(|error| BatchError::new(format!("cancel the job {job}"), error))
    }

    /// Returns the failed children of an array job, ordered by index.
    ///
    /// # Errors
    /// A [`BatchError`] if the request fails.
    pub async fn failed_children(&self, array: &JobId) -> Result<Vec<JobId>, BatchError> {
        let request =
            self.client.list_jobs().array_job_id(array.to_string()).job_status(JobStatus::Failed);
        let mut pages = request.into_paginator().send();
        let mut failed = Vec::new();
        while let Some(page) = Box::pin(pages.next()).await {
            let page = page.map_err(|error| BatchError::new(list_children(array), error))?;
            let children = page.job_summary_list.unwrap_or_default().into_iter();
            failed.extend(children.filter_map(|child| child.job_id?.parse::<JobId>().ok()));
        }
        failed.sort_by_key(JobId::array_index);
        Ok(failed)
    }

    /// Returns the reason why the children of an array job wait for an instance. Batch gives one
    /// for the first child, if no instance can ever run it ("Jobs stuck in a RUNNABLE status" in
    /// the AWS Batch user guide).
    ///
    /// # Errors
    /// A [`BatchError`] if the request fails.
    pub async fn waiting_reason(&self, array: &JobId) -> Result<Option<String>, BatchError> {
        let request =
            self.client.list_jobs().array_job_id(array.to_string()).job_status(JobStatus::Runnable);
        let output = Box::pin(request.send()).await;
        let output = output.map_err(|error| BatchError::new(list_children(array), error))?;
        let waiting = output.job_summary_list.unwrap_or_default().into_iter();
        Ok(waiting.filter_map(|job| job.status_reason).find(|reason| !reason.is_empty()))
    }
}

fn submit_job(submission: &Submission) -> String {
    format!("submit the job {}", submission.job_name)
}

fn list_children(array: &JobId) -> String {
    format!("list the children of the job {array}")
}

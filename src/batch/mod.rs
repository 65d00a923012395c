//! AWS Batch: jobs are submitted, looked up, and those of an array that failed are found.
//!
//! Only what `submit` and `status` need of its API. The service itself is the judge of what
//! can be submitted; what it says is told as it says it.

mod error;
mod job;
mod submission;

use aws_sdk_batch::Client;
use aws_sdk_batch::config::Builder;
use aws_sdk_batch::config::retry::RetryConfig;
use aws_sdk_batch::types::JobStatus;

pub use error::{BatchError, Refused};
pub use job::{Attempt, Children, Job, State};
pub use submission::{
    ArrayProperties, Dependency, Overrides, Resource, ResourceKind, Submission, Variable,
};

use crate::aws;
use crate::request::{JobId, Transfers};

/// How many jobs `DescribeJobs` takes at once.
const DESCRIBED_AT_ONCE: usize = 100;

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
    /// If none of them names a region. Nothing is asked of the service.
    pub async fn connect(transfers: &Transfers) -> Result<Self, BatchError> {
        let region = aws::region().await.ok_or_else(BatchError::no_region)?;
        let config = Box::pin(aws::config(region.clone())).await;
        let mut retries = RetryConfig::standard();
        if let Some(attempts) = transfers.attempts {
            retries = retries.with_max_attempts(attempts.get());
        }
        let client = Client::from_conf(Builder::from(&config).retry_config(retries).build());
        Ok(Self { client, region: region.to_string() })
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Submits a job, and says its id.
    ///
    /// # Errors
    /// If Batch does not take it.
    pub async fn submit(&self, submission: &Submission) -> Result<JobId, BatchError> {
        let doing = || format!("submit the job {}", submission.job_name);
        let request = submission.apply(self.client.submit_job());
        let answer = Box::pin(request.send()).await;
        let answer = answer.map_err(|error| BatchError::of(doing(), error))?;
        let id = answer.job_id.as_deref().and_then(|id| id.parse().ok());
        id.ok_or_else(|| BatchError::no_sense(doing(), "its answer names no job"))
    }

    /// The jobs of these ids, in their order, as far as Batch knows them.
    ///
    /// # Errors
    /// If Batch does not tell.
    pub async fn describe(&self, ids: &[JobId]) -> Result<Vec<Job>, BatchError> {
        let mut jobs = Vec::with_capacity(ids.len());
        for some in ids.chunks(DESCRIBED_AT_ONCE) {
            let some = some.iter().map(ToString::to_string).collect();
            let request = self.client.describe_jobs().set_jobs(Some(some));
            let answer = Box::pin(request.send()).await;
            let answer =
                answer.map_err(|error| BatchError::of("look up jobs".to_owned(), error))?;
            jobs.extend(answer.jobs.unwrap_or_default().into_iter().filter_map(Job::read));
        }
        let place = |job: &Job| ids.iter().position(|id| *id == job.id);
        jobs.sort_by_key(place);
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
            let page = page.map_err(|error| {
                BatchError::of(format!("list the children of the job {array}"), error)
            })?;
            for child in page.job_summary_list.unwrap_or_default() {
                let index = child.array_properties.and_then(|array| array.index);
                let id = child.job_id.and_then(|id| id.parse::<JobId>().ok());
                failed.extend(id.map(|id| (index, id)));
            }
        }
        failed.sort_by_key(|&(index, _)| index);
        Ok(failed.into_iter().map(|(_, id)| id).collect())
    }
}

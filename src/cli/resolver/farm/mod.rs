//! The requests about jobs on AWS Batch, from flags and variables.

mod batch;
mod slices;

pub(in crate::cli) use batch::{job_id, logs_job, retry_job, status_job, submit_job};

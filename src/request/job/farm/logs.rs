//! Requests for the log of a job.

use super::submit::JobId;

/// A validated `logs` request.
#[derive(Clone, Debug)]
pub struct LogsJob {
    /// The job, or the child of an array.
    pub job: JobId,
    /// The number of the attempt, from 1; `None` for the last one.
    pub attempt: Option<u32>,
    /// Whether to go on until the job has ended.
    pub follow: bool,
}

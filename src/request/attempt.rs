//! The identity of this run of the worker, as its scheduler provides it.

use thiserror::Error;

/// One run of the worker. Without a scheduler every field is `None`, except for a given array index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// The scheduler that has started it.
    pub scheduler: Option<Scheduler>,
    /// The id of the job: `parent:index` in the child of an array on AWS Batch, `job_task` in a task
    /// of an array on Slurm. The other schedulers do not tell it.
    pub job_id: Option<String>,
    /// The number of the attempt, from 1, if the scheduler tells it.
    pub number: Option<u32>,
    /// The child's position, in an array job.
    pub array: Option<ArrayPosition>,
}

impl Attempt {
    /// Whether AWS Batch has started it.
    pub fn is_on_batch(&self) -> bool {
        self.scheduler == Some(Scheduler::AwsBatch)
    }

    /// Whether a scheduler has started it, or it is one of several: nobody watches it, and others may
    /// use the same folders.
    pub fn is_unattended(&self) -> bool {
        self.scheduler.is_some() || self.array.is_some()
    }
}

/// A scheduler that starts the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheduler {
    /// AWS Batch. Source: "Job environment variables" in its user guide.
    AwsBatch,
    /// An Indexed Job of Kubernetes. Source: "Job" in the documentation of its workloads.
    Kubernetes,
    /// Slurm. Source: "Job Array Support" in its documentation, and sbatch(1).
    Slurm,
    /// Batch of Google Cloud. Source: "Use environment variables" in its documentation.
    GoogleBatch,
}

impl Scheduler {
    /// All schedulers.
    pub const ALL: [Self; 4] = [Self::AwsBatch, Self::Kubernetes, Self::Slurm, Self::GoogleBatch];

    /// The variable that tells a child of an array which one it is.
    pub fn index_variable(self) -> &'static str {
        match self {
            Self::AwsBatch => "AWS_BATCH_JOB_ARRAY_INDEX",
            Self::Kubernetes => "JOB_COMPLETION_INDEX",
            Self::Slurm => "SLURM_ARRAY_TASK_ID",
            Self::GoogleBatch => "BATCH_TASK_INDEX",
        }
    }
}

/// The position of a child in its array job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArrayPosition {
    /// The index of the child, from 0.
    pub index: u32,
    /// The number of children, if the scheduler tells it.
    pub size: Option<u32>,
}

impl ArrayPosition {
    /// The position `index` in an array of `size` children, if the size is known.
    ///
    /// # Errors
    /// [`AttemptError`], if the index lies outside of the array.
    pub fn new(index: u32, size: Option<u32>) -> Result<Self, AttemptError> {
        match size {
            Some(size) if index >= size => Err(AttemptError { index, size }),
            _ => Ok(Self { index, size }),
        }
    }
}

/// An array index that its array does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "index {index} lies outside of an array of {size}, whose indices are 0 to {}",
    i64::from(*size) - 1
)]
pub struct AttemptError {
    index: u32,
    size: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_outside_of_its_array_is_rejected() {
        assert!(ArrayPosition::new(0, Some(2)).is_ok());
        assert!(ArrayPosition::new(1, Some(2)).is_ok());
        assert!(ArrayPosition::new(7, None).is_ok());
        assert!(ArrayPosition::new(2, Some(2)).is_err());
        assert!(ArrayPosition::new(0, Some(0)).is_err());
    }
}

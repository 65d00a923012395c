//! The identity of this run of the container, as AWS Batch provides it.

use thiserror::Error;

/// One run of the container. Outside of AWS Batch every field is `None`.
///
/// Source: "Job environment variables" in the AWS Batch user guide.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// `AWS_BATCH_JOB_ID`; `parent:index` in the child of an array.
    pub job_id: Option<String>,
    /// `AWS_BATCH_JOB_ATTEMPT`, from 1.
    pub number: Option<u32>,
    /// The child's position, in an array job.
    pub array: Option<ArrayPosition>,
}

/// The position of a child in its array job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArrayPosition {
    /// `AWS_BATCH_JOB_ARRAY_INDEX`, from 0.
    pub index: u32,
    /// `AWS_BATCH_JOB_ARRAY_SIZE`. Some runners set only the index.
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

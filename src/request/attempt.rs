//! Which run of the container this is, as AWS Batch tells it.

use std::error::Error;
use std::fmt;

/// One run of the container. All unset outside of AWS Batch.
///
/// Source: "Job environment variables" in the AWS Batch user guide.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// `AWS_BATCH_JOB_ID`; `parent:index` in the child of an array.
    pub job_id: Option<String>,
    /// `AWS_BATCH_JOB_ATTEMPT`, from 1.
    pub number: Option<u32>,
    /// Which child of an array job this is.
    pub array: Option<ArrayPosition>,
}

/// Where a child stands in its array job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArrayPosition {
    /// `AWS_BATCH_JOB_ARRAY_INDEX`, from 0.
    pub index: u32,
    /// `AWS_BATCH_JOB_ARRAY_SIZE`; not known to every runner that sets the index.
    pub size: Option<u32>,
}

impl ArrayPosition {
    /// A position in an array.
    ///
    /// # Errors
    /// If the index lies outside of the array.
    pub fn new(index: u32, size: Option<u32>) -> Result<Self, AttemptError> {
        match size {
            Some(size) if index >= size => Err(AttemptError { index, size }),
            _ => Ok(Self { index, size }),
        }
    }
}

/// An array index that its array does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptError {
    index: u32,
    size: u32,
}

impl fmt::Display for AttemptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, size } = self;
        write!(
            f,
            "index {index} lies outside of an array of {size}, whose indices are 0 to {}",
            i64::from(*size) - 1
        )
    }
}

impl Error for AttemptError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_lies_inside_of_its_array() {
        assert!(ArrayPosition::new(0, Some(2)).is_ok());
        assert!(ArrayPosition::new(1, Some(2)).is_ok());
        assert!(ArrayPosition::new(7, None).is_ok());
        assert!(ArrayPosition::new(2, Some(2)).is_err());
        assert!(ArrayPosition::new(0, Some(0)).is_err());
    }
}

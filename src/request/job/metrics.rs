//! Whether an attempt tells its numbers to CloudWatch, and what they are grouped by.

use std::str::FromStr;

use crate::request::ValueError;

/// Numbers that are told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// The job queue of AWS Batch.
    pub job_queue: Option<String>,
    /// The job definition of AWS Batch.
    pub job_definition: Option<String>,
}

/// How numbers are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsFormat {
    /// As a line in CloudWatch's Embedded Metric Format.
    Emf,
    /// Not at all.
    Off,
}

impl FromStr for MetricsFormat {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "emf" => Ok(Self::Emf),
            "off" => Ok(Self::Off),
            _ => Err(ValueError::new(text, "emf or off")),
        }
    }
}

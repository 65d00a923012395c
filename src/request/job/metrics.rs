//! Settings of the metrics that an attempt reports to CloudWatch.

use std::str::FromStr;

use crate::request::ValueError;

/// The dimensions of reported metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// The AWS Batch job queue.
    pub job_queue: Option<String>,
    /// The AWS Batch job definition.
    pub job_definition: Option<String>,
}

/// The format of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsFormat {
    /// A line in CloudWatch's Embedded Metric Format.
    Emf,
    /// No metrics.
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

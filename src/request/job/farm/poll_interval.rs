//! How often a job is looked up.

use std::str::FromStr;
use std::time::Duration;

use crate::request::ValueError;
use crate::request::limit::span::span;

/// The time between two look-ups of a job, 1 second to 1 hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollInterval(Duration);

impl PollInterval {
    const SHORTEST: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_hours(1);

    /// The time.
    pub fn get(self) -> Duration {
        self.0
    }
}

/// 10 seconds, as in the console of AWS Batch.
impl Default for PollInterval {
    fn default() -> Self {
        Self(Duration::from_secs(10))
    }
}

impl FromStr for PollInterval {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        span(text)
            .filter(|span| (Self::SHORTEST..=Self::LONGEST).contains(span))
            .map(Self)
            .ok_or_else(|| ValueError::new(text, "a time from 1s to 1h"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poll_intervals_are_parsed_within_limits() {
        for (text, seconds) in [("1s", 1), ("30", 30), ("1h", 3600)] {
            let interval: PollInterval = text.parse().unwrap();
            assert_eq!(interval.get(), Duration::from_secs(seconds));
        }
        for bad in ["", "0", "500ms", "2h", "-1", "soon"] {
            assert!(bad.parse::<PollInterval>().is_err(), "{bad}");
        }
    }
}

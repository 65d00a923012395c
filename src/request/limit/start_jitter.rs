//! A random delay that spreads the starts of an array job's children.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::span::span;
use crate::request::{ArrayPosition, ValueError};

/// The longest time that a worker waits before its first request to storage. It waits for a
/// random share of it. AWS Batch starts the children of an array job together. Without the delay,
/// all of them would send the same requests to the same bucket at once.
///
/// Text form: `2s`, `500ms`, `1m 30s` (the format of humantime), a bare number of seconds, or
/// `off`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StartJitter(Duration);

impl StartJitter {
    /// The delay for each child of an array, so that no more than a thousand start per second.
    /// Each sends a handful of requests at once, and S3 serves 5,500 reads per second and prefix
    /// (`docs/performance.md`).
    const PER_CHILD: Duration = Duration::from_millis(1);

    /// The delay for the largest array, of ten thousand children.
    const MAX_OF_ARRAY: Duration = Duration::from_secs(10);

    /// The longest delay that a user can set.
    const MAX: Duration = Duration::from_hours(24);

    /// The default: in proportion to the size of the array, or none outside of an array.
    pub fn of_array(array: Option<ArrayPosition>) -> Self {
        match array.and_then(|array| array.size) {
            Some(size @ 2..) => Self((Self::PER_CHILD * size).min(Self::MAX_OF_ARRAY)),
            Some(_) | None => Self::default(),
        }
    }

    /// The time to wait. `share` is a random number from 0 to 1.
    pub fn wait(self, share: f64) -> Duration {
        self.0.mul_f64(share.clamp(0.0, 1.0))
    }
}

impl fmt::Display for StartJitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl FromStr for StartJitter {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self::default());
        }
        span(text)
            .filter(|time| *time <= Self::MAX)
            .map(Self)
            .ok_or_else(|| ValueError::new(text, "a time up to 24h, such as 500ms or 10s, or off"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_a_millisecond_per_child_up_to_ten_seconds() {
        for (size, millis) in
            [(0, 0), (1, 0), (2, 2), (10, 10), (200, 200), (10_000, 10_000), (u32::MAX, 10_000)]
        {
            let jitter = StartJitter::of_array(Some(ArrayPosition { index: 0, size: Some(size) }));
            assert_eq!(jitter, StartJitter(Duration::from_millis(millis)), "{size}");
        }
        for alone in [None, Some(ArrayPosition { index: 7, size: None })] {
            assert_eq!(StartJitter::of_array(alone), StartJitter::default());
        }
    }

    #[test]
    fn a_worker_waits_for_a_share_of_the_jitter() {
        let jitter: StartJitter = "10s".parse().unwrap();
        for (share, millis) in [(0.0, 0), (0.25, 2500), (1.0, 10_000), (2.0, 10_000), (-1.0, 0)] {
            assert_eq!(jitter.wait(share), Duration::from_millis(millis), "{share}");
        }
        assert_eq!(StartJitter::default().wait(1.0), Duration::ZERO);
    }

    #[test]
    fn a_jitter_is_a_time_or_off() {
        for (text, millis) in [
            ("500ms", 500),
            ("2", 2000),
            ("1m 30s", 90_000),
            ("0", 0),
            ("off", 0),
            ("24h", 86_400_000),
        ] {
            let expected = StartJitter(Duration::from_millis(millis));
            assert_eq!(text.parse::<StartJitter>(), Ok(expected), "{text}");
        }
        for text in ["", "-1", "+1", "1.5", "soon", "OFF", "86401", "99999999999999999999"] {
            let error = text.parse::<StartJitter>().unwrap_err().to_string();
            assert!(error.contains("up to 24h"), "{text:?}: {error}");
        }
    }
}

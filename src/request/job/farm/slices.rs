//! How `submit` deals the frames among the children of an array job.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::poll_interval::PollInterval;
use crate::request::{FramesPerJob, ValueError, whole_number};

/// How the frames are dealt among children, and what is known of their cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slices {
    /// How many frames one child renders.
    pub per_child: PerChild,
    /// Whether a child may render more frames, if there would be too many children otherwise.
    pub auto: bool,
    /// How long a child takes, if it renders as many frames as fit.
    pub target: TargetTime,
    /// Whether frames are dealt one by one, so that stretches that take long spread over all children.
    pub stride: bool,
    /// The frames that are rendered first, to see how long they take.
    pub test_frames: Option<TestFrames>,
    /// What an hour of one container costs.
    pub price: Option<PricePerHour>,
    /// How often to look whether the test frames are rendered.
    pub interval: PollInterval,
}

/// How many frames one child renders: a number, or `auto` for as many as fit in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PerChild {
    /// So many.
    Frames(FramesPerJob),
    /// As many as fit in the target time.
    Fitting,
}

impl FromStr for PerChild {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "auto" {
            return Ok(Self::Fitting);
        }
        text.parse().map(Self::Frames).map_err(|error: ValueError| {
            ValueError::new(text, &format!("{}, or auto", error.wanted))
        })
    }
}

/// How long a child takes: 1 minute to 7 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetTime(Duration);

impl TargetTime {
    /// The most minutes: seven days.
    const LONGEST: u32 = 7 * 24 * 60;

    /// The time.
    pub fn get(self) -> Duration {
        self.0
    }
}

impl FromStr for TargetTime {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let minutes = whole_number(text, 1, Self::LONGEST)?;
        Ok(Self(Duration::from_mins(minutes.into())))
    }
}

/// How many frames are rendered first, to see how long they take: 2 to 100. One alone does not tell
/// rendering from starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TestFrames(u32);

impl TestFrames {
    /// The number.
    pub fn get(self) -> usize {
        self.0 as usize
    }
}

impl FromStr for TestFrames {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        whole_number(text, 2, 100).map(Self)
    }
}

/// What an hour of one container costs, in any currency; 0 or more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PricePerHour(f64);

impl PricePerHour {
    /// What so much time costs.
    pub fn cost(self, time: Duration) -> f64 {
        self.0 * time.as_secs_f64() / 3600.0
    }
}

impl fmt::Display for PricePerHour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for PricePerHour {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let price = text.parse().ok().filter(|price: &f64| plain && price.is_finite());
        price.map(Self).ok_or_else(|| ValueError::new(text, "a price of 0 or more, such as 0.34"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_a_child_are_a_number_or_fit() {
        assert_eq!("auto".parse(), Ok(PerChild::Fitting));
        assert_eq!("12".parse(), Ok(PerChild::Frames("12".parse().unwrap())));
        let error = "many".parse::<PerChild>().unwrap_err();
        assert!(error.to_string().ends_with("to 1048574, or auto"), "{error}");
    }

    #[test]
    fn times_numbers_and_prices_have_limits() {
        assert_eq!("15".parse::<TargetTime>().unwrap().get(), Duration::from_mins(15));
        for bad in ["0", "10081", "1.5", "15m"] {
            assert!(bad.parse::<TargetTime>().is_err(), "{bad}");
        }
        assert_eq!("3".parse::<TestFrames>().unwrap().get(), 3);
        for bad in ["1", "101"] {
            assert!(bad.parse::<TestFrames>().is_err(), "{bad}");
        }
        let price: PricePerHour = "0.34".parse().unwrap();
        assert!((price.cost(Duration::from_mins(90)) - 0.51).abs() < 1e-9);
        for bad in ["", "-1", "1e3", "NaN", "inf", "1,5", "."] {
            assert!(bad.parse::<PricePerHour>().is_err(), "{bad}");
        }
    }
}

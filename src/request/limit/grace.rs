//! The time between the signal to stop and the end of the process.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::span::span;
use crate::request::ValueError;

/// The time from SIGTERM or SIGINT to the end of the worker. In it the child ends, the worker
/// stores the saved frames and then the report, and cleans up. Time that one step leaves goes to
/// the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopGrace(Duration);

impl StopGrace {
    const SHORTEST: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_hours(2);

    /// The whole time.
    pub fn total(self) -> Duration {
        self.0
    }

    /// The child's time from SIGTERM to SIGKILL. Blender and FFmpeg end within milliseconds.
    pub fn child(self) -> Duration {
        (self.0 / 5).min(Duration::from_secs(5))
    }

    /// The time reserved for the report, if storing frames takes all the rest.
    pub fn report(self) -> Duration {
        (self.0 / 5).min(Duration::from_secs(4))
    }

    /// The time reserved for cleaning up: removing scratch, writing the last lines of the log.
    pub fn ending(self) -> Duration {
        (self.0 / 10).min(Duration::from_secs(2))
    }
}

/// 25 seconds: AWS Batch and ECS send SIGKILL 30 seconds after SIGTERM.
impl Default for StopGrace {
    fn default() -> Self {
        Self(Duration::from_secs(25))
    }
}

impl fmt::Display for StopGrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl FromStr for StopGrace {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        span(text)
            .filter(|time| (Self::SHORTEST..=Self::LONGEST).contains(time))
            .map(Self)
            .ok_or_else(|| ValueError::new(text, "a time from 1s to 2h, such as 25s or 10m"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grace_periods_are_parsed_within_limits() {
        for (text, seconds) in [("25", 25), ("1", 1), ("90s", 90), ("10m", 600), ("1m 50s", 110)] {
            let grace: StopGrace = text.parse().unwrap();
            assert_eq!(grace.total(), Duration::from_secs(seconds), "{text}");
        }
        assert_eq!("2h".parse::<StopGrace>().unwrap().to_string(), "2h");
        for text in ["", "0", "off", "999ms", "7201", "2h 1s", "-5", "5 s x", "1.5"] {
            let error = text.parse::<StopGrace>().unwrap_err().to_string();
            assert!(error.contains("1s to 2h"), "{text:?}: {error}");
        }
        assert!("99999999999999999999".parse::<StopGrace>().is_err());
    }

    #[test]
    fn most_of_the_time_is_for_storing_frames() {
        let share = |text: &str| {
            let grace: StopGrace = text.parse().unwrap();
            let kept = grace.report() + grace.ending();
            (grace.child().as_millis(), grace.total().as_millis() - kept.as_millis())
        };
        assert_eq!(share("25s"), (5000, 19_000));
        assert_eq!(share("110s"), (5000, 104_000));
        assert_eq!(share("10s"), (2000, 7000));
        assert_eq!(share("1s"), (200, 700));
    }
}

//! Limits of an attempt: timeouts, numbers of tries, sizes.

mod byte_size;
mod grace;
pub(super) mod span;
mod start_jitter;
mod transfers;

pub use byte_size::ByteSize;
pub use grace::StopGrace;
pub use start_jitter::StartJitter;
pub use transfers::{RequestPayer, Transfers, TransfersAtOnce};

use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use span::span;
use thiserror::Error;

/// The limits of an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// How often Blender may fail at one frame.
    pub blender_attempts: BlenderAttempts,
    /// How long a child may give no sign of life before it is stopped.
    pub stall: StallTimeout,
    /// How long one frame may take.
    pub frame: Timeout,
    /// How long the whole attempt may take.
    pub job: Timeout,
}

/// A time limit, or none.
///
/// Text form: `90s`, `10m`, `1h 30m` (the format of humantime), a bare number of seconds, or `off`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeout(Option<Duration>);

impl Timeout {
    /// The longest limit: far beyond any job, and short enough that no clock overflows.
    const MAX: Duration = Duration::from_hours(366 * 24);

    /// The time limit; `None` if it is off.
    pub fn get(self) -> Option<Duration> {
        self.0
    }
}

impl FromStr for Timeout {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self(None));
        }
        span(text)
            .filter(|span| !span.is_zero() && *span <= Self::MAX)
            .map(|span| Self(Some(span)))
            .ok_or_else(|| LimitError::Timeout(text.to_owned()))
    }
}

/// A [`Timeout`] of 10 minutes by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StallTimeout(Timeout);

impl StallTimeout {
    /// The time limit; `None` if it is off.
    pub fn get(self) -> Option<Duration> {
        self.0.get()
    }
}

impl Default for StallTimeout {
    fn default() -> Self {
        Self(Timeout(Some(Duration::from_mins(10))))
    }
}

impl FromStr for StallTimeout {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// How often Blender may fail at a frame before the worker skips the frame: 1 to 100, by default 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlenderAttempts(NonZeroU32);

impl BlenderAttempts {
    const MAX: u32 = 100;

    /// The number of attempts.
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

impl Default for BlenderAttempts {
    fn default() -> Self {
        Self(NonZeroU32::MIN.saturating_add(2))
    }
}

impl FromStr for BlenderAttempts {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        let number: Option<NonZeroU32> = text.parse().ok().filter(|_| digits);
        number
            .filter(|number| number.get() <= Self::MAX)
            .map(Self)
            .ok_or_else(|| LimitError::Attempts(text.to_owned()))
    }
}

/// Why a text is not a limit. Each variant holds the text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LimitError {
    /// It is neither a time in range nor `off`.
    #[error(
        "`{0}` is refused; give a time such as 90s, 10m or 1h (a bare number is seconds), up to \
         366 days, or off"
    )]
    Timeout(String),
    /// It is not a number of attempts in range.
    #[error("`{0}` is refused; give a whole number from 1 to 100")]
    Attempts(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_times_or_off() {
        let table = [
            ("90s", Some(90_000)),
            ("10m", Some(600_000)),
            ("1h 30m", Some(5_400_000)),
            ("1500ms", Some(1500)),
            ("45", Some(45_000)),
            ("off", None),
        ];
        for (text, millis) in table {
            let expected = Timeout(millis.map(Duration::from_millis));
            assert_eq!(text.parse::<Timeout>(), Ok(expected), "{text}");
        }
        for text in ["", "0", "0s", "-1", "+5", "1.5", "ten", "OFF", "367d", "99999999999999999999"]
        {
            let refused = Err(LimitError::Timeout(text.to_owned()));
            assert_eq!(text.parse::<Timeout>(), refused, "{text}");
        }
    }

    #[test]
    fn the_default_stall_timeout_is_ten_minutes() {
        assert_eq!(StallTimeout::default().get(), Some(Duration::from_mins(10)));
        assert_eq!("off".parse::<StallTimeout>().unwrap().get(), None);
    }

    #[test]
    fn attempts_are_a_number_from_one_to_a_hundred() {
        assert_eq!(BlenderAttempts::default().get(), 3);
        for (text, number) in [("1", 1), ("100", 100)] {
            assert_eq!(text.parse::<BlenderAttempts>().unwrap().get(), number);
        }
        for text in ["", "0", "101", "-1", "+1", "three", "1.0", "4294967296"] {
            let refused = Err(LimitError::Attempts(text.to_owned()));
            assert_eq!(text.parse::<BlenderAttempts>(), refused, "{text}");
        }
    }
}

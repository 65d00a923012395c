//! The settings, from environment variables.

use std::fmt;
use std::time::Duration;

/// The extent of the test.
#[derive(Clone, Copy)]
pub struct Settings {
    pub workers: usize,
    /// The frames of each worker.
    pub frames: usize,
    /// The time per frame.
    pub frame_time: Duration,
}

impl Settings {
    pub fn from_environment() -> Self {
        Self {
            workers: number("SCALE_WORKERS", 200),
            frames: number("SCALE_FRAMES_PER_JOB", 10),
            frame_time: Duration::from_millis(number("SCALE_FRAME_MILLISECONDS", 500)),
        }
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workers, frames, frame_time } = self;
        write!(f, "{workers} workers, {frames} frames each, {frame_time:?} per frame")
    }
}

/// Reads a number of 1 or more from a variable; empty counts as unset.
fn number<T: std::str::FromStr + Default + PartialEq>(name: &str, default: T) -> T {
    match std::env::var(name).unwrap_or_default().as_str() {
        "" => default,
        text => {
            let number = text.parse().ok().filter(|number| *number != T::default());
            number.unwrap_or_else(|| panic!("{name}={text} is not a number of 1 or more"))
        }
    }
}

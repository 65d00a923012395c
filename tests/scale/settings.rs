//! What the variables say.

use std::fmt;
use std::time::Duration;

/// How much is to be done.
#[derive(Clone, Copy)]
pub struct Settings {
    pub workers: usize,
    /// Of each worker.
    pub frames: usize,
    /// How long one takes.
    pub pace: Duration,
}

impl Settings {
    pub fn from_environment() -> Self {
        Self {
            workers: number("SCALE_WORKERS", 200),
            frames: number("SCALE_FRAMES_PER_JOB", 10),
            pace: Duration::from_millis(number("SCALE_FRAME_MILLISECONDS", 500)),
        }
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workers, frames, pace } = self;
        write!(f, "{workers} workers, {frames} frames each, {pace:?} a frame")
    }
}

/// A variable, 1 or more; empty counts as unset.
fn number<T: std::str::FromStr + Default + PartialEq>(name: &str, default: T) -> T {
    match std::env::var(name).unwrap_or_default().as_str() {
        "" => default,
        text => {
            let number = text.parse().ok().filter(|number| *number != T::default());
            number.unwrap_or_else(|| panic!("{name}={text} is not a number of 1 or more"))
        }
    }
}

//! How far a job is, in words: frame k of n, seconds a frame, time left.

use std::fmt;
use std::time::{Duration, Instant};

/// Counts frames and time.
#[derive(Debug)]
pub struct Progress {
    total: usize,
    done: usize,
    started: Instant,
    told: Option<Instant>,
}

impl Progress {
    /// Begins to count towards `total`.
    pub fn begin(total: usize) -> Self {
        Self { total, done: 0, started: Instant::now(), told: None }
    }

    /// Says that `done` frames are finished by now.
    pub fn reached(&mut self, done: usize) {
        self.done = done;
    }

    /// Whether it is time for another word: true at most once in `pause`, for things
    /// that happen more often than a person reads.
    pub fn is_due(&mut self, pause: Duration) -> bool {
        let due = self.told.unwrap_or(self.started).elapsed() >= pause;
        if due {
            self.told = Some(Instant::now());
        }
        due
    }

    /// Seconds a frame so far.
    fn seconds_a_frame(&self) -> Option<f64> {
        let done = u32::try_from(self.done).ok().filter(|&done| done > 0)?;
        Some(self.started.elapsed().as_secs_f64() / f64::from(done))
    }

    /// The time that the rest will take, if it goes on like this.
    fn left(&self) -> Option<Duration> {
        let rest = u32::try_from(self.total.saturating_sub(self.done)).ok()?;
        let seconds = self.seconds_a_frame()? * f64::from(rest);
        Some(Duration::from_secs(Duration::try_from_secs_f64(seconds).ok()?.as_secs()))
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.done, self.total)?;
        if let Some(seconds) = self.seconds_a_frame() {
            write!(f, ", {seconds:.2} s a frame")?;
        }
        match self.left() {
            Some(left) if self.done < self.total => {
                write!(f, ", about {} left", humantime::format_duration(left))
            }
            _ => Ok(()),
        }
    }
}

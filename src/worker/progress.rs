//! Tracks the progress of a job: frame k of n, seconds a frame, time left. Shown in the log, and
//! as a progress bar on a terminal.

use std::fmt;
use std::time::{Duration, Instant};

use crate::request::FrameNumber;
use crate::telemetry::progress;

/// The shortest time between two redraws of the bar.
const REDRAW: Duration = Duration::from_millis(100);

/// Counts finished frames and estimates the time left.
#[derive(Debug)]
pub struct Progress {
    /// The frames to finish.
    total: usize,
    /// Frames that were finished before this attempt.
    earlier: usize,
    /// Those of `total` that are finished.
    done: usize,
    /// The finished fraction of the current frame, from 0 to 1.
    part: f64,
    /// The frame that is being rendered, if known.
    current: Option<FrameNumber>,
    started: Instant,
    /// When progress was last logged.
    logged: Option<Instant>,
    /// When the bar was last drawn for part of a frame.
    drawn: Option<Instant>,
}

impl Progress {
    /// Starts counting towards `total` frames, and shows the bar.
    pub fn begin(total: usize) -> Self {
        Self::resume(total, 0)
    }

    /// Starts counting towards `total` more frames, where `earlier` frames of the job were finished
    /// before, and shows the bar.
    pub fn resume(total: usize, earlier: usize) -> Self {
        let progress = Self {
            total,
            earlier,
            done: 0,
            part: 0.0,
            current: None,
            started: Instant::now(),
            logged: None,
            drawn: None,
        };
        progress.draw();
        progress
    }

    /// Records that `done` frames are finished by now.
    pub fn set_done(&mut self, done: usize) {
        self.done = done;
        self.part = 0.0;
        self.current = None;
        self.draw();
    }

    /// Records that `part` of an unfinished frame is done, from 0 to 1.
    pub fn set_current(&mut self, frame: FrameNumber, part: f64) {
        self.part = part;
        self.current = Some(frame);
        if self.drawn.is_none_or(|drawn| drawn.elapsed() >= REDRAW) {
            self.drawn = Some(Instant::now());
            self.draw();
        }
    }

    /// Returns the finished fraction of the current frame, from 0 to 1; 0 if it is not known.
    pub fn part(&self) -> f64 {
        self.part
    }

    fn draw(&self) {
        let part = match self.earlier + self.total {
            0 => 0.0,
            all => (count(self.earlier) + self.finished()) / count(all),
        };
        let current =
            self.current.map(|frame| format!("; frame {frame}: {:.0} %", self.part * 100.0));
        progress::show(part, format_args!("{self}{}", current.unwrap_or_default()));
    }

    /// Returns the number of frames that this attempt has finished, with the fraction of the current
    /// frame.
    fn finished(&self) -> f64 {
        count(self.done) + self.part
    }

    /// Whether progress should be logged again: true at most once in `interval`.
    pub fn is_due(&mut self, interval: Duration) -> bool {
        let due = self.logged.unwrap_or(self.started).elapsed() >= interval;
        if due {
            self.logged = Some(Instant::now());
        }
        due
    }

    /// Returns the average seconds a frame so far. `None` before the first frame is finished: its
    /// time includes loading the scene.
    fn seconds_a_frame(&self) -> Option<f64> {
        (self.done > 0).then(|| self.started.elapsed().as_secs_f64() / self.finished())
    }

    /// Estimates the time left from the average so far.
    fn left(&self) -> Option<Duration> {
        let finished = self.finished();
        let seconds = self.started.elapsed().as_secs_f64() / finished;
        let left = Duration::try_from_secs_f64(seconds * (count(self.total) - finished));
        Some(Duration::from_secs(left.ok()?.as_secs()))
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.earlier + self.done, self.earlier + self.total)?;
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

impl Drop for Progress {
    fn drop(&mut self) {
        progress::clear();
    }
}

#[expect(clippy::cast_precision_loss, reason = "frame counts are small")]
fn count(frames: usize) -> f64 {
    frames as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_frame_counts_in_part() {
        let mut progress = Progress::begin(4);
        assert_eq!(progress.to_string(), "0 of 4");
        progress.started -= Duration::from_secs(10);
        progress.set_done(1);
        assert_eq!(progress.to_string(), "1 of 4, 10.00 s a frame, about 30s left");
        progress.started -= Duration::from_secs(5);
        progress.set_current(FrameNumber::new(2).unwrap(), 0.5);
        assert_eq!(progress.to_string(), "1 of 4, 10.00 s a frame, about 25s left");
        // The text is up to date even when the bar is not redrawn.
        progress.set_current(FrameNumber::new(2).unwrap(), 1.0);
        assert_eq!(progress.to_string(), "1 of 4, 7.50 s a frame, about 15s left");
    }

    #[test]
    fn frames_of_earlier_attempts_count_but_took_no_time() {
        let mut progress = Progress::resume(4, 6);
        progress.started -= Duration::from_secs(10);
        progress.set_done(1);
        assert_eq!(progress.to_string(), "7 of 10, 10.00 s a frame, about 30s left");
    }
}

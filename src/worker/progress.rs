//! How far a job is: frame k of n, seconds a frame, time left; in words, and as a bar
//! where somebody looks at a terminal.

use std::fmt;
use std::time::{Duration, Instant};

use crate::request::FrameNumber;
use crate::telemetry::progress;

/// How often the bar is drawn at most.
const REDRAW: Duration = Duration::from_millis(100);

/// Counts frames and time.
#[derive(Debug)]
pub struct Progress {
    total: usize,
    done: usize,
    /// How much of the next frame is done, from 0 to 1.
    part: f64,
    /// Which frame that is.
    at_work: Option<FrameNumber>,
    started: Instant,
    told: Option<Instant>,
    drawn: Option<Instant>,
}

impl Progress {
    /// Begins to count towards `total`.
    pub fn begin(total: usize) -> Self {
        let started = Instant::now();
        let begun =
            Self { total, done: 0, part: 0.0, at_work: None, started, told: None, drawn: None };
        begun.draw();
        begun
    }

    /// Says that `done` frames are finished by now.
    pub fn reached(&mut self, done: usize) {
        self.done = done;
        self.part = 0.0;
        self.at_work = None;
        self.draw();
    }

    /// Says that `part` of a frame that is not finished is done, from 0 to 1.
    pub fn at_work(&mut self, frame: FrameNumber, part: f64) {
        self.part = part;
        self.at_work = Some(frame);
        if self.drawn.is_none_or(|drawn| drawn.elapsed() >= REDRAW) {
            self.drawn = Some(Instant::now());
            self.draw();
        }
    }

    /// How much of the frame in hand is done, from 0 to 1, as far as that is known.
    pub fn part(&self) -> f64 {
        self.part
    }

    fn draw(&self) {
        let part = if self.total == 0 { 0.0 } else { self.finished() / count(self.total) };
        let in_hand =
            self.at_work.map(|frame| format!("; frame {frame}: {:.0} %", self.part * 100.0));
        progress::show(part, format_args!("{self}{}", in_hand.unwrap_or_default()));
    }

    /// Frames that are finished, and the part of the next one that is.
    fn finished(&self) -> f64 {
        count(self.done) + self.part
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

    /// Seconds a frame so far. Unknown before the first one: its time is that of loading
    /// the scene as well.
    fn seconds_a_frame(&self) -> Option<f64> {
        (self.done > 0).then(|| self.started.elapsed().as_secs_f64() / self.finished())
    }

    /// The time that the rest will take, if it goes on like this.
    fn left(&self) -> Option<Duration> {
        let finished = self.finished();
        let seconds = self.started.elapsed().as_secs_f64() / finished;
        let left = Duration::try_from_secs_f64(seconds * (count(self.total) - finished));
        Some(Duration::from_secs(left.ok()?.as_secs()))
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

impl Drop for Progress {
    fn drop(&mut self) {
        progress::clear();
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are not that many frames")]
fn count(frames: usize) -> f64 {
    frames as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_in_hand_counts_for_its_part() {
        let mut progress = Progress::begin(4);
        assert_eq!(progress.to_string(), "0 of 4");
        progress.started -= Duration::from_secs(10);
        progress.reached(1);
        assert_eq!(progress.to_string(), "1 of 4, 10.00 s a frame, about 30s left");
        progress.started -= Duration::from_secs(5);
        progress.at_work(FrameNumber::new(2).unwrap(), 0.5);
        assert_eq!(progress.to_string(), "1 of 4, 10.00 s a frame, about 25s left");
        // However soon after: the words are never one report late.
        progress.at_work(FrameNumber::new(2).unwrap(), 1.0);
        assert_eq!(progress.to_string(), "1 of 4, 7.50 s a frame, about 15s left");
    }
}

//! Tracks the progress of a job: frame k of n, seconds a frame, time left. Shown in the log, and
//! as a progress bar on a terminal.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::request::FrameNumber;
use crate::telemetry::progress;

/// The shortest time between two redraws of the bar.
const REDRAW: Duration = Duration::from_millis(100);

/// Counts finished frames and estimates the time left. The processes of a job share it: each has
/// a handle of its own.
#[derive(Debug)]
pub struct Progress {
    shared: Arc<Mutex<Shared>>,
    /// The number of the process.
    process: usize,
}

/// The progress of all processes.
#[derive(Debug)]
struct Shared {
    /// What is done with the frames.
    step: &'static str,
    /// The frames to finish.
    total: usize,
    /// Frames that were finished before this attempt.
    earlier: usize,
    processes: Vec<Part>,
    started: Instant,
    /// When progress was last logged.
    logged: Option<Instant>,
    /// When the bar was last drawn for part of a frame.
    drawn: Option<Instant>,
}

/// The part of a process in the progress.
#[derive(Debug, Default)]
struct Part {
    /// How many of its frames are finished.
    done: usize,
    /// The frame that it is rendering, if known.
    current: Option<FrameNumber>,
    /// The finished fraction of this frame, from 0 to 1.
    fraction: f64,
}

impl Progress {
    /// Starts counting encoded frames towards `total`, and shows the bar.
    pub fn of_encoding(total: usize) -> Self {
        Self::begin("encoding", total, 0)
    }

    /// Starts counting rendered frames towards `total` more, where `earlier` frames of the job were
    /// finished before, and shows the bar.
    pub fn of_rendering(total: usize, earlier: usize) -> Self {
        Self::begin("rendering", total, earlier)
    }

    fn begin(step: &'static str, total: usize, earlier: usize) -> Self {
        let shared = Shared {
            step,
            total,
            earlier,
            processes: vec![Part::default()],
            started: Instant::now(),
            logged: None,
            drawn: None,
        };
        shared.draw();
        Self { shared: Arc::new(Mutex::new(shared)), process: 0 }
    }

    /// A handle for another process, whose frames count as well.
    #[must_use]
    pub fn of_another_process(&self) -> Self {
        let processes = &mut self.lock().processes;
        processes.push(Part::default());
        Self { shared: Arc::clone(&self.shared), process: processes.len() - 1 }
    }

    /// Records that `done` frames of this process are finished by now.
    pub fn set_done(&mut self, done: usize) {
        let mut shared = self.lock();
        if let Some(part) = shared.processes.get_mut(self.process) {
            *part = Part { done, ..Part::default() };
        }
        shared.draw();
    }

    /// Records that a `fraction` of an unfinished frame is done, from 0 to 1.
    pub fn set_current(&mut self, frame: FrameNumber, fraction: f64) {
        let mut shared = self.lock();
        if let Some(part) = shared.processes.get_mut(self.process) {
            (part.current, part.fraction) = (Some(frame), fraction);
        }
        if shared.drawn.is_none_or(|drawn| drawn.elapsed() >= REDRAW) {
            shared.drawn = Some(Instant::now());
            shared.draw();
        }
    }

    /// Returns the finished fraction of the frame that this process is rendering, from 0 to 1; 0 if
    /// it is not known.
    pub fn fraction(&self) -> f64 {
        self.lock().processes.get(self.process).map_or(0.0, |part| part.fraction)
    }

    /// Whether progress should be logged again: true at most once in `interval`.
    pub fn is_due(&mut self, interval: Duration) -> bool {
        let mut shared = self.lock();
        let due = shared.logged.unwrap_or(shared.started).elapsed() >= interval;
        if due {
            shared.logged = Some(Instant::now());
        }
        due
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // What a panic left is only shown.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn draw(&self) {
        let fraction = match self.earlier + self.total {
            0 => 0.0,
            all => (count(self.earlier) + self.finished()) / count(all),
        };
        let current = self.processes.iter().filter_map(|part| {
            part.current.map(|frame| format!("; frame {frame}: {:.0} %", part.fraction * 100.0))
        });
        progress::show(fraction, format_args!("{self}{}", current.collect::<String>()));
        // For programs that show the progress.
        tracing::debug!(
            step = self.step,
            done = count(self.earlier) + self.finished(),
            total = self.earlier + self.total,
            left = self.left().map(|left| left.as_secs()),
            "{} so far",
            self.step
        );
    }

    /// Returns how many frames this attempt has finished.
    fn done(&self) -> usize {
        self.processes.iter().map(|part| part.done).sum()
    }

    /// Returns the same with the fractions of the current frames.
    fn finished(&self) -> f64 {
        count(self.done()) + self.processes.iter().map(|part| part.fraction).sum::<f64>()
    }

    /// Returns the average seconds a frame so far. `None` before the first frame is finished: its
    /// time includes loading the scene.
    fn seconds_a_frame(&self) -> Option<f64> {
        (self.done() > 0).then(|| self.started.elapsed().as_secs_f64() / self.finished())
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
        self.lock().fmt(f)
    }
}

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = self.done();
        write!(f, "{} of {}", self.earlier + done, self.earlier + self.total)?;
        if let Some(seconds) = self.seconds_a_frame() {
            write!(f, ", {seconds:.2} s a frame")?;
        }
        match self.left() {
            Some(left) if done < self.total => {
                write!(f, ", about {} left", humantime::format_duration(left))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Shared {
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

    fn pass(progress: &Progress, seconds: u64) {
        progress.lock().started -= Duration::from_secs(seconds);
    }

    #[test]
    fn the_frames_of_all_processes_count() {
        let mut first = Progress::of_rendering(4, 2);
        let mut second = first.of_another_process();
        pass(&first, 10);
        first.set_done(1);
        second.set_current(FrameNumber::new(2).unwrap(), 0.25);
        assert_eq!((first.fraction(), second.fraction()), (0.0, 0.25));
        assert_eq!(first.to_string(), "3 of 6, 8.00 s a frame, about 22s left");
        assert_eq!(second.to_string(), first.to_string());
        second.set_done(3);
        assert_eq!(first.to_string(), "6 of 6, 2.50 s a frame");
    }

    #[test]
    fn an_unfinished_frame_counts_in_part() {
        let mut progress = Progress::of_encoding(4);
        assert_eq!(progress.to_string(), "0 of 4");
        pass(&progress, 10);
        progress.set_done(1);
        assert_eq!(progress.to_string(), "1 of 4, 10.00 s a frame, about 30s left");
        pass(&progress, 5);
        progress.set_current(FrameNumber::new(2).unwrap(), 0.5);
        assert_eq!(progress.to_string(), "1 of 4, 10.00 s a frame, about 25s left");
        // The text is up to date even when the bar is not redrawn.
        progress.set_current(FrameNumber::new(2).unwrap(), 1.0);
        assert_eq!(progress.to_string(), "1 of 4, 7.50 s a frame, about 15s left");
    }

    #[test]
    fn frames_of_earlier_attempts_count_but_took_no_time() {
        let mut progress = Progress::of_rendering(4, 6);
        pass(&progress, 10);
        progress.set_done(1);
        assert_eq!(progress.to_string(), "7 of 10, 10.00 s a frame, about 30s left");
    }
}

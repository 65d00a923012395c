//! What a program prints is passed on to our log, but not without end.
//!
//! Blender says ten lines a frame; a scene with a script can say a gigabyte. All of it is
//! read and understood, so that nothing that counts is missed. This is about what is
//! *shown*: the log is paid for by the byte, and a person must find something in it.

use std::time::{Duration, Instant};

/// Lines that are passed on however fast they come: more than a scene with a thousand
/// missing textures says at once.
const BURST: u32 = 4000;

/// Lines a second that are passed on after that.
const RATE: u32 = 50;

/// What a line costs, and how much can be saved up.
const LINE: Duration = Duration::from_secs(1);
const FULL: Duration = Duration::from_secs(BURST as u64);

/// How often it is said how many were left out.
const NOTICE: Duration = Duration::from_secs(30);

/// Passes on the lines of one program.
#[derive(Debug)]
pub struct LogRateLimiter {
    program: &'static str,
    /// What may be passed on: a line costs [`LINE`], and each second earns [`RATE`] lines.
    credit: Duration,
    counted: Instant,
    left_out: u64,
    noticed: Option<Instant>,
}

impl LogRateLimiter {
    /// For a program that begins to speak.
    pub fn of(program: &'static str) -> Self {
        let now = Instant::now();
        Self { program, credit: FULL, counted: now, left_out: 0, noticed: None }
    }

    /// Passes a line on, if there is still room for it.
    pub fn pass(&mut self, say: impl FnOnce()) {
        let now = Instant::now();
        if self.has_room(now) {
            say();
        } else if self.noticed.is_none_or(|noticed| now - noticed >= NOTICE) {
            self.noticed = Some(now);
            self.notice();
        }
    }

    /// It has ended: says what was left out.
    pub fn end(&mut self) {
        if self.left_out > 0 {
            self.notice();
        }
    }

    fn has_room(&mut self, now: Instant) -> bool {
        let earned = now.saturating_duration_since(self.counted) * RATE;
        self.credit = (self.credit + earned).min(FULL);
        self.counted = now;
        let rest = self.credit.checked_sub(LINE);
        self.credit = rest.unwrap_or(self.credit);
        self.left_out += u64::from(rest.is_none());
        rest.is_some()
    }

    fn notice(&self) {
        tracing::warn!(
            program = self.program,
            "{} lines so far are left out: more than {RATE} a second",
            self.left_out
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_so_many_a_second() {
        let mut flood = LogRateLimiter::of("blender");
        let began = flood.counted;
        let mut passed = |after: Duration, lines: u32| {
            (0..lines).map(|_| u32::from(flood.has_room(began + after))).sum::<u32>()
        };
        let seconds = Duration::from_secs;
        assert_eq!(passed(seconds(0), 1_000_000), BURST);
        assert_eq!(passed(seconds(1), 1_000_000), RATE);
        assert_eq!(passed(seconds(1), 10), 0);
        assert_eq!(passed(seconds(3), 10), 10);
        // What is saved up is no more than at the beginning.
        assert_eq!(passed(seconds(1_000_000), 1_000_000), BURST);
        // And what came out of order in time costs nothing.
        assert_eq!(passed(seconds(5), 10), 0);
        assert_eq!(
            flood.left_out,
            1_000_000 - u64::from(BURST) + 1_000_000 - u64::from(RATE) + 10 + 1_000_000
                - u64::from(BURST)
                + 10
        );
    }
}

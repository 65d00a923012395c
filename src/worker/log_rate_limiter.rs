//! Limits how many lines of a program's output are copied to the log.
//!
//! Blender prints about ten lines a frame, but a scene with a script can print a gigabyte. The
//! worker still parses every line, so no event is missed. The limit applies only to the log,
//! which is paid for by the byte and must stay readable.

use std::time::{Duration, Instant};

/// Lines that pass at once, however fast they come: more than Blender prints for a scene with a
/// thousand missing textures.
const BURST: u32 = 4000;

/// Lines a second that pass after that.
const RATE: u32 = 50;

/// The credit that a line costs.
const LINE_COST: Duration = Duration::from_secs(1);

/// The most credit that can be saved up.
const MAX_CREDIT: Duration = Duration::from_secs(BURST as u64);

/// The shortest time between two warnings about omitted lines.
const WARNING_INTERVAL: Duration = Duration::from_secs(30);

/// Copies the lines of one program to the log, up to a rate limit (a token bucket).
#[derive(Debug)]
pub struct LogRateLimiter {
    program: String,
    /// A line costs [`LINE_COST`], and each second earns [`RATE`] lines.
    credit: Duration,
    updated: Instant,
    omitted: u64,
    warned: Option<Instant>,
}

impl LogRateLimiter {
    /// Creates a limiter with full credit; `program` is named in its warnings.
    pub fn new(program: String) -> Self {
        let now = Instant::now();
        Self { program, credit: MAX_CREDIT, updated: now, omitted: 0, warned: None }
    }

    /// Calls `log` for a line if the limit allows it; otherwise counts the line as omitted.
    pub fn pass(&mut self, log: impl FnOnce()) {
        let now = Instant::now();
        if self.admits(now) {
            log();
        } else if self.warned.is_none_or(|warned| now - warned >= WARNING_INTERVAL) {
            self.warned = Some(now);
            self.warn();
        }
    }

    /// Logs the number of omitted lines, if any, once the program has exited.
    pub fn end(&mut self) {
        if self.omitted > 0 {
            self.warn();
        }
    }

    fn admits(&mut self, now: Instant) -> bool {
        let earned = now.saturating_duration_since(self.updated) * RATE;
        self.credit = (self.credit + earned).min(MAX_CREDIT);
        self.updated = now;
        let rest = self.credit.checked_sub(LINE_COST);
        self.credit = rest.unwrap_or(self.credit);
        self.omitted += u64::from(rest.is_none());
        rest.is_some()
    }

    fn warn(&self) {
        tracing::warn!(
            program = self.program,
            "{} lines omitted so far: more than {RATE} a second",
            self.omitted
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_a_fixed_rate() {
        let mut limiter = LogRateLimiter::new("blender".to_owned());
        let began = limiter.updated;
        let mut passed = |after: Duration, lines: u32| {
            (0..lines).map(|_| u32::from(limiter.admits(began + after))).sum::<u32>()
        };
        let seconds = Duration::from_secs;
        assert_eq!(passed(seconds(0), 1_000_000), BURST);
        assert_eq!(passed(seconds(1), 1_000_000), RATE);
        assert_eq!(passed(seconds(1), 10), 0);
        assert_eq!(passed(seconds(3), 10), 10);
        // Credit never exceeds the initial burst.
        assert_eq!(passed(seconds(1_000_000), 1_000_000), BURST);
        // A time in the past earns nothing.
        assert_eq!(passed(seconds(5), 10), 0);
        assert_eq!(
            limiter.omitted,
            1_000_000 - u64::from(BURST) + 1_000_000 - u64::from(RATE) + 10 + 1_000_000
                - u64::from(BURST)
                + 10
        );
    }
}

//! How often a request is tried, and how long the pauses between attempts are.

use std::num::NonZeroU32;
use std::time::Duration;

/// Attempts at a request, the first one included and unless the user says otherwise. With
/// the pauses below the last one begins half a minute to a minute after the first, where
/// S3 answers at once.
const ATTEMPTS: u32 = 10;

/// The pause before the second attempt; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(15);

/// What an attempt may take of the budget, on average: no attempt begins later than this
/// times their number after the first failure, where S3 does not answer at all.
const SHARE: Duration = Duration::from_secs(15);

/// How often and for how long a request is tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetryPolicy {
    attempts: u32,
}

impl RetryPolicy {
    /// With so many attempts.
    pub(crate) fn new(attempts: Option<NonZeroU32>) -> Self {
        Self { attempts: attempts.map_or(ATTEMPTS, NonZeroU32::get) }
    }

    /// How long to wait after the attempt `number`, of 1, has failed, `failing` after the
    /// first one did; `None` is for ever.
    pub(crate) fn pause(
        self,
        number: u32,
        failing: Duration,
        asked: Option<Duration>,
    ) -> Option<Duration> {
        if number >= self.attempts || failing >= SHARE * self.attempts {
            return None;
        }
        let doubled = FIRST_PAUSE * 2u32.saturating_pow(number - 1);
        // Jitter, or all workers of a fleet that was throttled would come back at once.
        let pause = doubled.min(MAX_PAUSE).mul_f64(0.5 + fastrand::f64() / 2.0);
        Some(pause.max(asked.unwrap_or_default().min(MAX_PAUSE)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::ANSWER;

    /// The pauses of an operation whose every attempt takes `each` to fail.
    fn pauses(attempts: Option<NonZeroU32>, each: Duration) -> Vec<Duration> {
        let mut failing = Duration::ZERO;
        let mut pauses = Vec::new();
        for number in 1.. {
            let Some(pause) = RetryPolicy::new(attempts).pause(number, failing, None) else {
                break;
            };
            pauses.push(pause);
            failing += pause + each;
        }
        pauses
    }

    #[test]
    fn pauses_double_up_to_a_limit_and_are_never_the_same() {
        let pauses = pauses(None, Duration::ZERO);
        assert_eq!(pauses.len(), 9, "ten attempts");
        for (number, pause) in (0..).zip(&pauses) {
            let full = (FIRST_PAUSE * 2u32.pow(number)).min(MAX_PAUSE);
            assert!((full / 2..=full).contains(pause), "{number}: {pause:?}");
        }
        let total: Duration = pauses.iter().sum();
        assert!((30..=61).contains(&total.as_secs()), "{total:?}");
        assert_ne!(pauses, self::pauses(None, Duration::ZERO));
    }

    #[test]
    fn a_server_that_hangs_is_not_asked_for_ever() {
        let hanging = pauses(None, ANSWER);
        assert!((4..=6).contains(&hanging.len()), "{hanging:?}");
        assert_eq!(pauses(NonZeroU32::new(1), ANSWER).len(), 0);
        assert_eq!(pauses(NonZeroU32::new(3), Duration::ZERO).len(), 2);
    }

    #[test]
    fn a_server_that_says_how_long_to_wait_is_believed_within_reason() {
        let patience = RetryPolicy::new(None);
        for (asked, waited) in [(7, 7), (3600, 15)] {
            let asked = Some(Duration::from_secs(asked));
            let pause = patience.pause(1, Duration::ZERO, asked);
            assert_eq!(pause, Some(Duration::from_secs(waited)));
        }
    }
}

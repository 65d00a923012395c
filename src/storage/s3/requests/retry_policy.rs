//! How often a request is tried, and how long to wait between attempts.

use std::num::NonZeroU32;
use std::time::Duration;

/// The default number of attempts at a request, including the first. If S3 responds at once, the
/// last attempt begins half a minute to a minute after the first, given the pauses below.
const DEFAULT_ATTEMPTS: u32 = 10;

/// The pause before the second attempt. Each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(15);

/// The time budget for each attempt. No attempt begins later after the first failure than this
/// times the number of attempts. It matters if S3 does not respond at all.
const BUDGET_PER_ATTEMPT: Duration = Duration::from_secs(15);

/// How often and for how long a request is tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetryPolicy {
    attempts: u32,
}

impl RetryPolicy {
    /// A policy with `attempts` attempts, or the default number.
    pub(crate) fn new(attempts: Option<NonZeroU32>) -> Self {
        Self { attempts: attempts.map_or(DEFAULT_ATTEMPTS, NonZeroU32::get) }
    }

    /// How long to wait after attempt `number`, counted from 1, has failed; `None` if it was the
    /// last. `failing` is the time since the first failure, `retry_after` the pause that S3 asks
    /// for.
    pub(crate) fn pause(
        self,
        number: u32,
        failing: Duration,
        retry_after: Option<Duration>,
    ) -> Option<Duration> {
        if number >= self.attempts || failing >= BUDGET_PER_ATTEMPT * self.attempts {
            return None;
        }
        let doubled = FIRST_PAUSE * 2u32.saturating_pow(number - 1);
        // Jitter, or all workers of a throttled fleet would retry at the same time.
        let pause = doubled.min(MAX_PAUSE).mul_f64(0.5 + fastrand::f64() / 2.0);
        Some(pause.max(retry_after.unwrap_or_default().min(MAX_PAUSE)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::RESPONSE_TIMEOUT;

    /// The pauses of a request of which every attempt fails after `each`.
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
    fn pauses_double_up_to_a_maximum_and_have_jitter() {
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
    fn a_server_that_hangs_gets_fewer_attempts() {
        let hanging = pauses(None, RESPONSE_TIMEOUT);
        assert!((4..=6).contains(&hanging.len()), "{hanging:?}");
        assert_eq!(pauses(NonZeroU32::new(1), RESPONSE_TIMEOUT).len(), 0);
        assert_eq!(pauses(NonZeroU32::new(3), Duration::ZERO).len(), 2);
    }

    #[test]
    fn retry_after_is_respected_up_to_a_maximum() {
        let policy = RetryPolicy::new(None);
        for (retry_after, waited) in [(7, 7), (3600, 15)] {
            let retry_after = Some(Duration::from_secs(retry_after));
            let pause = policy.pause(1, Duration::ZERO, retry_after);
            assert_eq!(pause, Some(Duration::from_secs(waited)));
        }
    }
}

//! Trying again: one loop around every request and the body of its answer, within one
//! budget.
//!
//! The SDK's own retries are switched off. They know nothing of bodies that do not arrive
//! whole, of credentials that expire in the middle of a job, of 429 or of an upload that
//! was spoilt on its way; and a loop of ours around theirs would multiply both.
//!
//! What is not retried is what time does not cure: a missing object, a missing right.

use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;

use super::bucket::Bucket;
use super::classify::{Cure, Fault};
use crate::aws::{ANSWER, has_fixed_keys};
use crate::ending::Size;
use crate::error::chain;
use crate::http::Meter;
use crate::storage::Failure;

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

/// For how long a request fails before that is worth a line in the log.
const WORTH_TELLING: Duration = Duration::from_secs(5);

/// What is answered more slowly than this, in bytes a second, is taken for stalled.
const SLOWEST: u64 = 32 * 1024;

/// The same of the content of an object. It is seen to move, and when it stands still the SDK
/// notices; this is for servers that send a byte now and then.
const SLOWEST_CONTENT: u64 = 2 * 1024;

/// The same of what a connection has taken and S3 has not answered yet: it lies in buffers of
/// both machines, where nobody sees it move. Less, as all requests that are under way may wait
/// for one slow network.
const SLOWEST_UNSEEN: u64 = 16 * 1024;

/// How often and for how long a request is tried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    attempts: u32,
}

impl Patience {
    /// With so many attempts.
    pub(super) fn new(attempts: Option<NonZeroU32>) -> Self {
        Self { attempts: attempts.map_or(ATTEMPTS, NonZeroU32::get) }
    }

    /// How long to wait after the attempt `number`, of 1, has failed, `failing` after the
    /// first one did; `None` is for ever.
    fn pause(self, number: u32, failing: Duration, asked: Option<Duration>) -> Option<Duration> {
        if number >= self.attempts || failing >= SHARE * self.attempts {
            return None;
        }
        let doubled = FIRST_PAUSE * 2u32.saturating_pow(number - 1);
        // Jitter, or all workers of a fleet that was throttled would come back at once.
        let pause = doubled.min(MAX_PAUSE).mul_f64(0.5 + fastrand::f64() / 2.0);
        Some(pause.max(asked.unwrap_or_default().min(MAX_PAUSE)))
    }
}

impl Bucket {
    /// Does `attempt` until it succeeds, or fails in a way that time does not cure, or the
    /// patience is over. It is handed a client each time: that of an expired identity is
    /// replaced. Every attempt must end by itself; [`within`] sees to it.
    ///
    /// # Errors
    /// How the last attempt failed.
    pub(super) async fn persist<T, F>(
        &self,
        key: &str,
        attempt: impl Fn(Client) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        self.try_until(key, attempt).await.map_err(|fault| fault.failure)
    }

    /// The same, for whom the code matters that S3 has for the failure.
    ///
    /// # Errors
    /// How the last attempt failed.
    pub(super) async fn try_until<T, F>(
        &self,
        key: &str,
        attempt: impl Fn(Client) -> F,
    ) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let mut number = 1;
        let mut followed = false;
        let mut first_failure = None;
        let mut told = false;
        loop {
            let session = self.connection.session().await;
            // Boxed: futures of the SDK are deep, and there are several layers of ours.
            let fault = match Box::pin(attempt(session.client.clone())).await {
                Ok(result) => return Ok(result),
                Err(fault) => self.describe(fault),
            };
            if let Some(home) = fault.home.clone()
                && session.region() != Some(home.as_str())
                && !followed
            {
                followed = true;
                self.connection.move_to(&session, home).await;
                continue;
            }
            let failing = first_failure.get_or_insert_with(Instant::now).elapsed();
            let pause = match fault.cure {
                Cure::None => None,
                Cure::Time | Cure::Restraint | Cure::Credentials => {
                    self.patience.pause(number, failing, fault.retry_after)
                }
            };
            let Some(pause) = pause else { return Err(lasting(fault)) };
            self.retries.fetch_add(1, Relaxed);
            let text = chain(fault.failure.cause());
            if failing >= WORTH_TELLING && !told {
                told = true;
                tracing::warn!("s3://{}/{key}: {text}; trying again", self.name);
            } else {
                tracing::debug!(attempt = number, "s3://{}/{key}: {text}", self.name);
            }
            tokio::time::sleep(pause).await;
            if fault.cure == Cure::Credentials {
                self.connection.renew(&session, !fault.code.is_empty()).await;
            }
            number += 1;
        }
    }

    /// Says which bucket it is that is not there.
    fn describe(&self, fault: Fault) -> Fault {
        if fault.code != "NoSuchBucket" {
            return fault;
        }
        let text = format!(
            "there is no bucket {:?}; is its name right, and is it in this account's partition?",
            self.name
        );
        Fault { failure: Failure::Missing(text.into()), ..fault }
    }
}

/// A failure that the patience is over for. Keys that have expired, and that nobody renews,
/// are no better in another attempt of the job.
fn lasting(fault: Fault) -> Fault {
    match fault.failure {
        Failure::Transient(cause)
            if fault.cure == Cure::Credentials && !fault.code.is_empty() && has_fixed_keys() =>
        {
            Fault { failure: Failure::Unrecognised(cause), ..fault }
        }
        failure => Fault { failure, ..fault },
    }
}

/// How long an answer of so many bytes may take.
pub(super) fn limit(bytes: u64) -> Duration {
    ANSWER + Duration::from_secs(bytes / SLOWEST)
}

/// How long so many bytes of an object's content may take to arrive.
pub(super) fn arrival(bytes: u64) -> Duration {
    ANSWER + Duration::from_secs(bytes / SLOWEST_CONTENT)
}

/// Does `work`, unless it takes longer than that: a server that hangs, or that sends a byte
/// now and then, must not hang the worker.
///
/// # Errors
/// Those of `work`, or that it took too long.
pub(super) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result,
        Err(_) => Err(Fault::passing(format!("no whole answer within {} s", limit.as_secs()))),
    }
}

/// Does `work`, a request with a body, unless nothing more of it moves: the connection takes
/// no more, or has taken all and there is no answer. However slow it is, what moves goes on.
///
/// # Errors
/// Those of `work`, or that nothing moved.
pub(super) async fn while_moving<T>(
    meter: &Meter,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let (mut work, mut taken) = (pin!(work), meter.taken());
    loop {
        let bytes = *taken.borrow_and_update();
        let patience = ANSWER + Duration::from_secs(bytes / SLOWEST_UNSEEN);
        tokio::select! {
            result = &mut work => return result,
            // We hold the meter ourselves: it does not go away.
            _ = taken.changed() => {}
            () = tokio::time::sleep(patience) => {
                let (size, seconds) = (Size(bytes), patience.as_secs());
                let text = format!("{size} were sent, and then nothing moved for {seconds} s");
                // Perhaps fewer at once get through.
                return Err(Fault { cure: Cure::Restraint, ..Fault::passing(text) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pauses of an operation whose every attempt takes `each` to fail.
    fn pauses(attempts: Option<NonZeroU32>, each: Duration) -> Vec<Duration> {
        let mut failing = Duration::ZERO;
        let mut pauses = Vec::new();
        for number in 1.. {
            let Some(pause) = Patience::new(attempts).pause(number, failing, None) else { break };
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

    #[tokio::test(start_paused = true)]
    async fn what_moves_is_not_given_up_however_slow_it_is() {
        let meter = Meter::default();
        let slow = async {
            for _ in 0..1000 {
                tokio::time::sleep(ANSWER.mul_f64(0.9)).await;
                meter.add(1);
            }
            Ok(())
        };
        assert!(while_moving(&meter, slow).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_move_is_given_up_the_later_the_more_may_be_on_its_way() {
        for (bytes, seconds) in [(0, 30), (SLOWEST_UNSEEN * 100, 130)] {
            let (meter, began) = (Meter::default(), tokio::time::Instant::now());
            meter.add(bytes);
            let fault = while_moving(&meter, std::future::pending::<Result<(), _>>()).await;
            assert_eq!(fault.unwrap_err().cure, Cure::Restraint);
            assert_eq!(began.elapsed().as_secs(), seconds);
        }
    }

    #[test]
    fn a_server_that_says_how_long_to_wait_is_believed_within_reason() {
        let patience = Patience::new(None);
        for (asked, waited) in [(7, 7), (3600, 15)] {
            let asked = Some(Duration::from_secs(asked));
            let pause = patience.pause(1, Duration::ZERO, asked);
            assert_eq!(pause, Some(Duration::from_secs(waited)));
        }
    }
}

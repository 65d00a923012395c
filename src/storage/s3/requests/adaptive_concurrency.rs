//! How many transfers are under way at once: as many as make them faster.
//!
//! Far from S3 it is their number that limits, because each waits for its round trip;
//! near it, the network or this machine. No count of cores and no instance type tells
//! which, so it is measured: the number is doubled as long as that moves clearly more,
//! taken back where it does not, tried again now and then because networks change, and
//! halved when S3 asks for less ("Retry behavior" in the AWS SDKs and tools guide). What
//! is measured only counts while transfers wait for their turn: without a queue the number
//! is not what limits.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::classify::{AttemptError, RetryAction};

/// Transfers at once to begin with: what other tools take for small machines.
const FIRST: usize = 8;

/// The fewest.
const FEWEST: usize = 2;

/// The most: each has a connection, and buffers of its own.
pub(crate) const MOST: usize = 128;

/// How much more must be moved by twice as many.
const WORTH_IT: f64 = 1.15;

/// What a transfer costs beside its bytes, in bytes.
const REQUEST: u64 = 64 * 1024;

/// The shortest time that tells how fast it goes.
const SPAN: Duration = Duration::from_millis(50);

/// How long a number is kept before more is tried again.
const HOLD: Duration = Duration::from_secs(5);

/// Bounds the transfers of one bucket.
#[derive(Debug)]
pub(crate) struct ConcurrencyLimit {
    places: Semaphore,
    /// Transfers that wait for one.
    waiting: AtomicUsize,
    climb: Mutex<Climb>,
}

impl ConcurrencyLimit {
    /// With so many transfers at once; `None` finds out how many.
    pub(crate) fn new(pinned: Option<NonZeroUsize>) -> Self {
        let climb = Climb::new(pinned, Instant::now());
        Self {
            places: Semaphore::new(climb.limit),
            waiting: AtomicUsize::new(0),
            climb: Mutex::new(climb),
        }
    }

    /// Does `work`, an attempt at a transfer, when it is its turn. `bytes` says how much was
    /// moved.
    ///
    /// # Errors
    /// Those of `work`.
    pub(crate) async fn limited<T>(
        &self,
        bytes: impl FnOnce(&T) -> u64,
        work: impl Future<Output = Result<T, AttemptError>>,
    ) -> Result<T, AttemptError> {
        let turn = self.turn().await;
        let result = work.await;
        let now = Instant::now();
        match &result {
            Ok(done) => {
                let queued = self.waiting.load(Relaxed) > 0;
                self.climb().moved(bytes(done), queued, now);
            }
            Err(failed) if failed.action == RetryAction::Restraint => self.climb().throttled(now),
            Err(_) => {}
        }
        drop(turn);
        result
    }

    async fn turn(&self) -> Turn<'_> {
        let waiting = Waiting::begin(&self.waiting);
        // Never closed, so it is always had.
        let place = self.places.acquire().await.ok();
        drop(waiting);
        Turn { concurrency: self, place }
    }

    fn climb(&self) -> MutexGuard<'_, Climb> {
        self.climb.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that waits, also where it is given up.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// A place among those that are under way, given back with as many more or less as there
/// should be by then.
struct Turn<'a> {
    concurrency: &'a ConcurrencyLimit,
    place: Option<SemaphorePermit<'a>>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut climb = self.concurrency.climb();
        if climb.places > climb.limit {
            climb.places -= 1;
            if let Some(place) = self.place.take() {
                place.forget();
            }
        } else {
            self.concurrency.places.add_permits(climb.limit - climb.places);
            climb.places = climb.limit;
        }
    }
}

/// The way to the right number.
#[derive(Debug)]
struct Climb {
    pinned: bool,
    /// How many there should be, and how many places there are.
    limit: usize,
    places: usize,
    /// What was moved since then, in how many transfers.
    since: Instant,
    work: u64,
    transfers: usize,
    next: Step,
}

/// What the next measurement is for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    /// To be compared with: then there are twice as many.
    Compare,
    /// With half as many it was so much a second.
    Prove(f64),
    /// None, before then.
    Hold(Instant),
}

impl Climb {
    fn new(pinned: Option<NonZeroUsize>, now: Instant) -> Self {
        let limit = pinned.map_or(FIRST, NonZeroUsize::get);
        Self {
            pinned: pinned.is_some(),
            limit,
            places: limit,
            since: now,
            work: 0,
            transfers: 0,
            next: Step::Compare,
        }
    }

    /// A transfer of so many bytes is done; others are `queued` behind those that are under
    /// way.
    fn moved(&mut self, bytes: u64, queued: bool, now: Instant) {
        if let Step::Hold(until) = self.next {
            if now < until {
                return;
            }
            self.begin(Step::Compare, now);
        }
        if !queued {
            // Whatever is measured now says nothing of the number.
            self.begin(self.next, now);
            return;
        }
        self.work += bytes + REQUEST;
        self.transfers += 1;
        let elapsed = now.saturating_duration_since(self.since);
        // All who were under way when it began must have had their part in it.
        if self.transfers < 2 * self.limit || elapsed < SPAN {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "a speed needs no more")]
        let speed = self.work as f64 / elapsed.as_secs_f64();
        let (limit, next) = match self.next {
            Step::Prove(before) if speed < before * WORTH_IT => {
                (self.limit / 2, Step::Hold(now + HOLD))
            }
            _ if self.limit >= MOST => (MOST, Step::Hold(now + HOLD)),
            _ => (self.limit * 2, Step::Prove(speed)),
        };
        self.set(limit);
        self.begin(next, now);
    }

    /// S3 asks for less.
    fn throttled(&mut self, now: Instant) {
        // All that were under way are told so, and it is meant once.
        let told = matches!(self.next, Step::Hold(until) if now + HOLD / 2 < until);
        if !told {
            self.set(self.limit / 2);
            self.begin(Step::Hold(now + HOLD), now);
        }
    }

    fn set(&mut self, limit: usize) {
        if !self.pinned {
            self.limit = limit.clamp(FEWEST, MOST);
            tracing::trace!(at_once = self.limit, "transfers at once");
        }
    }

    fn begin(&mut self, next: Step, now: Instant) {
        (self.next, self.since, self.work, self.transfers) = (next, now, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many are under way at once, at the end of so many transfers of 300 kB, where each
    /// takes `latency` and all together move `bandwidth` bytes a second at most.
    fn after(transfers: usize, latency: Duration, bandwidth: f64) -> usize {
        const BYTES: u32 = 300_000;
        let mut now = Instant::now();
        let mut climb = Climb::new(None, now);
        for _ in 0..transfers {
            let by_latency = latency / u32::try_from(climb.limit).unwrap();
            let by_bandwidth = Duration::from_secs_f64(f64::from(BYTES) / bandwidth);
            now += by_latency.max(by_bandwidth);
            climb.moved(BYTES.into(), true, now);
        }
        climb.limit
    }

    #[test]
    fn where_each_waits_for_its_round_trip_there_are_many() {
        assert_eq!(after(2_000, Duration::from_millis(25), 1e10), MOST);
        // 100 MB a second take nine at once of 300 kB in 25 ms each: 16 are tried, and are
        // faster than eight.
        assert_eq!(after(2_000, Duration::from_millis(25), 1e8), 8);
        assert_eq!(after(2_000, Duration::from_millis(25), 4e8), 32);
    }

    #[test]
    fn where_more_are_no_faster_there_are_few() {
        for bandwidth in [1e7, 1e8, 1e9] {
            assert_eq!(after(5_000, Duration::from_micros(10), bandwidth), FIRST);
        }
    }

    #[test]
    fn who_is_told_to_slow_down_does_so_once_for_all_that_were_under_way() {
        let now = Instant::now();
        let mut climb = Climb::new(None, now);
        climb.set(64);
        (0..64).for_each(|_| climb.throttled(now));
        assert_eq!(climb.limit, 32);
        climb.throttled(now + HOLD);
        assert_eq!(climb.limit, 16);
        (0..100).for_each(|times| climb.throttled(now + HOLD * (times + 2)));
        assert_eq!(climb.limit, FEWEST);
    }

    #[test]
    fn without_a_queue_nothing_is_learnt() {
        let mut now = Instant::now();
        let mut climb = Climb::new(None, now);
        for _ in 0..1_000 {
            now += Duration::from_millis(10);
            climb.moved(300_000, false, now);
        }
        assert_eq!(climb.limit, FIRST);
    }

    #[test]
    fn a_number_that_is_given_stays() {
        let mut now = Instant::now();
        let mut climb = Climb::new(NonZeroUsize::new(1), now);
        for _ in 0..1_000 {
            now += Duration::from_millis(10);
            climb.moved(300_000, true, now);
        }
        climb.throttled(now);
        assert_eq!(climb.limit, 1);
    }

    #[tokio::test]
    async fn no_more_are_under_way_than_there_should_be() {
        let pace = ConcurrencyLimit::new(NonZeroUsize::new(2));
        let (one, two) = (pace.turn().await, pace.turn().await);
        assert_eq!(pace.places.available_permits(), 0);
        pace.climb().limit = 1;
        drop(one);
        assert_eq!(pace.places.available_permits(), 0, "there is one too many");
        pace.climb().limit = 5;
        drop(two);
        assert_eq!(pace.places.available_permits(), 5);
    }
}

//! An adaptive limit on concurrent transfers: as many as increase the throughput.
//!
//! Far from S3, round trips limit the throughput, so more concurrent transfers are faster. Near S3,
//! the network or this machine is the limit. Neither the number of cores nor the instance type
//! tells which, so the throughput is measured. The limit doubles while that clearly increases the
//! throughput, and is halved again when it does not. It is probed again from time to time because
//! networks change, and halved when S3 throttles ("Retry behavior" in the AWS SDKs and tools
//! guide). Measurements count only while transfers wait for a permit: without a queue, the limit
//! has no effect on the throughput.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::classify::{AttemptError, RetryAction};

/// The initial limit: the default of other tools on small machines.
const INITIAL: usize = 8;

/// The lowest limit.
const MIN_CONCURRENCY: usize = 2;

/// The highest limit: each transfer has its own connection and buffers.
pub(crate) const MAX_CONCURRENCY: usize = 128;

/// The increase in throughput that justifies a doubled limit.
const MIN_SPEEDUP: f64 = 1.15;

/// The fixed cost of a transfer, in bytes.
const OVERHEAD: u64 = 64 * 1024;

/// The shortest time over which throughput is measured.
const MIN_INTERVAL: Duration = Duration::from_millis(50);

/// How long a limit is kept before a higher one is tried again.
const HOLD: Duration = Duration::from_secs(5);

/// Limits the concurrent transfers of one bucket.
#[derive(Debug)]
pub(crate) struct ConcurrencyLimit {
    permits: Semaphore,
    /// The number of transfers that wait for a permit.
    waiting: AtomicUsize,
    adaptive: Mutex<AdaptiveLimit>,
}

impl ConcurrencyLimit {
    /// A limit of `fixed` transfers, or an adaptive one.
    pub(crate) fn new(fixed: Option<NonZeroUsize>) -> Self {
        let adaptive = AdaptiveLimit::new(fixed, Instant::now());
        Self {
            permits: Semaphore::new(adaptive.limit),
            waiting: AtomicUsize::new(0),
            adaptive: Mutex::new(adaptive),
        }
    }

    /// Runs `work`, an attempt at a transfer, as soon as a permit is free. `bytes` returns the size
    /// of the transfer.
    ///
    /// # Errors
    /// Those of `work`.
    pub(crate) async fn limited<T>(
        &self,
        bytes: impl FnOnce(&T) -> u64,
        work: impl Future<Output = Result<T, AttemptError>>,
    ) -> Result<T, AttemptError> {
        let permit = self.acquire().await;
        let result = work.await;
        let now = Instant::now();
        match &result {
            Ok(done) => {
                let queued = self.waiting.load(Relaxed) > 0;
                self.adaptive().completed(bytes(done), queued, now);
            }
            Err(failed) if failed.action == RetryAction::SlowDown => self.adaptive().throttled(now),
            Err(_) => {}
        }
        drop(permit);
        result
    }

    async fn acquire(&self) -> Permit<'_> {
        let waiting = Waiting::begin(&self.waiting);
        // Cannot fail: the semaphore is never closed.
        let permit = self.permits.acquire().await.ok();
        drop(waiting);
        Permit { concurrency: self, permit }
    }

    fn adaptive(&self) -> MutexGuard<'_, AdaptiveLimit> {
        self.adaptive.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a transfer as waiting until this is dropped, even if the transfer is cancelled.
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

/// A permit for one transfer. Dropping it also adjusts the number of permits to the current limit.
struct Permit<'a> {
    concurrency: &'a ConcurrencyLimit,
    permit: Option<SemaphorePermit<'a>>,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut adaptive = self.concurrency.adaptive();
        if adaptive.permits > adaptive.limit {
            adaptive.permits -= 1;
            if let Some(permit) = self.permit.take() {
                permit.forget();
            }
        } else {
            self.concurrency.permits.add_permits(adaptive.limit - adaptive.permits);
            adaptive.permits = adaptive.limit;
        }
    }
}

/// Finds the limit by measuring the throughput.
#[derive(Debug)]
struct AdaptiveLimit {
    /// Whether the limit never changes.
    fixed: bool,
    limit: usize,
    /// The number of permits that exist, free or in use. It follows `limit` as permits are dropped.
    permits: usize,
    /// The start of the current measurement.
    since: Instant,
    /// The bytes moved since then, including overhead.
    bytes: u64,
    /// The transfers completed since then.
    transfers: usize,
    phase: Phase,
}

/// The purpose of the current measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// Measures the current limit, before it is doubled.
    Baseline,
    /// Measures a doubled limit. The throughput with half as many was this, in bytes a second.
    Probe(f64),
    /// Nothing is measured before this time.
    Hold(Instant),
}

impl AdaptiveLimit {
    fn new(fixed: Option<NonZeroUsize>, now: Instant) -> Self {
        let limit = fixed.map_or(INITIAL, NonZeroUsize::get);
        Self {
            fixed: fixed.is_some(),
            limit,
            permits: limit,
            since: now,
            bytes: 0,
            transfers: 0,
            phase: Phase::Baseline,
        }
    }

    /// Records a completed transfer of `bytes` bytes. `queued` is whether others wait for a permit.
    fn completed(&mut self, bytes: u64, queued: bool, now: Instant) {
        if let Phase::Hold(until) = self.phase {
            if now < until {
                return;
            }
            self.begin(Phase::Baseline, now);
        }
        if !queued {
            // Without a queue, the limit has no effect: start the measurement over.
            self.begin(self.phase, now);
            return;
        }
        self.bytes += bytes + OVERHEAD;
        self.transfers += 1;
        let elapsed = now.saturating_duration_since(self.since);
        // Two rounds, so that all concurrent transfers contribute.
        if self.transfers < 2 * self.limit || elapsed < MIN_INTERVAL {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "a throughput needs no more")]
        let throughput = self.bytes as f64 / elapsed.as_secs_f64();
        let (limit, next) = match self.phase {
            Phase::Probe(before) if throughput < before * MIN_SPEEDUP => {
                (self.limit / 2, Phase::Hold(now + HOLD))
            }
            _ if self.limit >= MAX_CONCURRENCY => (MAX_CONCURRENCY, Phase::Hold(now + HOLD)),
            _ => (self.limit * 2, Phase::Probe(throughput)),
        };
        self.set(limit);
        self.begin(next, now);
    }

    /// Halves the limit because S3 throttles.
    fn throttled(&mut self, now: Instant) {
        // S3 throttles all transfers that are in flight. Only the first response counts.
        let already = matches!(self.phase, Phase::Hold(until) if now + HOLD / 2 < until);
        if !already {
            self.set(self.limit / 2);
            self.begin(Phase::Hold(now + HOLD), now);
        }
    }

    fn set(&mut self, limit: usize) {
        if !self.fixed {
            self.limit = limit.clamp(MIN_CONCURRENCY, MAX_CONCURRENCY);
            tracing::trace!(limit = self.limit, "new limit on concurrent transfers");
        }
    }

    fn begin(&mut self, phase: Phase, now: Instant) {
        (self.phase, self.since, self.bytes, self.transfers) = (phase, now, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The limit after so many transfers of 300 kB, if each takes `latency` and all together move
    /// `bandwidth` bytes a second at most.
    fn limit_after(transfers: usize, latency: Duration, bandwidth: f64) -> usize {
        const BYTES: u32 = 300_000;
        let mut now = Instant::now();
        let mut adaptive = AdaptiveLimit::new(None, now);
        for _ in 0..transfers {
            let by_latency = latency / u32::try_from(adaptive.limit).unwrap();
            let by_bandwidth = Duration::from_secs_f64(f64::from(BYTES) / bandwidth);
            now += by_latency.max(by_bandwidth);
            adaptive.completed(BYTES.into(), true, now);
        }
        adaptive.limit
    }

    #[test]
    fn the_limit_rises_where_round_trips_bound_the_throughput() {
        assert_eq!(limit_after(2_000, Duration::from_millis(25), 1e10), MAX_CONCURRENCY);
        // Nine transfers of 300 kB in 25 ms each make 100 MB a second: 16 at once are tried, but
        // are hardly faster than eight.
        assert_eq!(limit_after(2_000, Duration::from_millis(25), 1e8), 8);
        assert_eq!(limit_after(2_000, Duration::from_millis(25), 4e8), 32);
    }

    #[test]
    fn the_limit_stays_low_where_more_transfers_are_no_faster() {
        for bandwidth in [1e7, 1e8, 1e9] {
            assert_eq!(limit_after(5_000, Duration::from_micros(10), bandwidth), INITIAL);
        }
    }

    #[test]
    fn throttling_of_all_transfers_in_flight_halves_the_limit_once() {
        let now = Instant::now();
        let mut adaptive = AdaptiveLimit::new(None, now);
        adaptive.set(64);
        (0..64).for_each(|_| adaptive.throttled(now));
        assert_eq!(adaptive.limit, 32);
        adaptive.throttled(now + HOLD);
        assert_eq!(adaptive.limit, 16);
        (0..100).for_each(|times| adaptive.throttled(now + HOLD * (times + 2)));
        assert_eq!(adaptive.limit, MIN_CONCURRENCY);
    }

    #[test]
    fn without_a_queue_the_limit_stays() {
        let mut now = Instant::now();
        let mut adaptive = AdaptiveLimit::new(None, now);
        for _ in 0..1_000 {
            now += Duration::from_millis(10);
            adaptive.completed(300_000, false, now);
        }
        assert_eq!(adaptive.limit, INITIAL);
    }

    #[test]
    fn a_fixed_limit_stays() {
        let mut now = Instant::now();
        let mut adaptive = AdaptiveLimit::new(NonZeroUsize::new(1), now);
        for _ in 0..1_000 {
            now += Duration::from_millis(10);
            adaptive.completed(300_000, true, now);
        }
        adaptive.throttled(now);
        assert_eq!(adaptive.limit, 1);
    }

    #[tokio::test]
    async fn a_dropped_permit_adjusts_the_number_of_permits_to_the_limit() {
        let concurrency = ConcurrencyLimit::new(NonZeroUsize::new(2));
        let (one, two) = (concurrency.acquire().await, concurrency.acquire().await);
        assert_eq!(concurrency.permits.available_permits(), 0);
        concurrency.adaptive().limit = 1;
        drop(one);
        let available = concurrency.permits.available_permits();
        assert_eq!(available, 0, "one permit more than the limit existed");
        concurrency.adaptive().limit = 5;
        drop(two);
        assert_eq!(concurrency.permits.available_permits(), 5);
    }
}

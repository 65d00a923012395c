//! What is saved and not stored: how much that is, what waits to be tried again, and
//! when. Knows frames, sizes and times, and does nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

use crate::render::reuse::fingerprint_task::Awaited;
use crate::request::{ByteSize, FrameNumber, FrameSet};
use crate::storage::TransferProgress;

/// The pause before frames that could not be stored are tried again, all attempts at a
/// request being over; it doubles each time that none gets through.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// The longest such pause.
const MAX_PAUSE: Duration = Duration::from_mins(1);

/// How often a frame is tried, no further than before each time, until it does not count any
/// more that it is being tried again.
const TRIES: u32 = 3;

/// A frame that is saved.
#[derive(Clone, Debug)]
pub struct Saved {
    /// The frame.
    pub frame: FrameNumber,
    /// Its file.
    pub file: PathBuf,
    /// What it is stored with, as soon as that is known.
    pub fingerprint: Awaited,
    /// How far it has come.
    pub progress: TransferProgress,
}

/// The frames that are saved and not stored.
#[derive(Debug)]
pub struct Backlog {
    limit: ByteSize,
    /// For how long nothing gets through before there is no hope.
    hope: Duration,
    frames: BTreeMap<FrameNumber, Held>,
    /// Since when none gets through that is tried.
    failing: Option<Instant>,
    /// How often they were tried again since then.
    tries: u32,
    next_try: Option<Instant>,
}

#[derive(Debug)]
struct Held {
    saved: Saved,
    bytes: u64,
    /// It could not be stored, and lies in scratch.
    waits: bool,
    /// How far it had come when it could not be stored, and how often it came no further.
    reached: u64,
    failures: u32,
}

impl Held {
    /// Whether it makes progress, as far as is known.
    fn moves(&self) -> bool {
        !self.waits && self.failures < TRIES
    }
}

impl Backlog {
    /// An empty one, which is full above `limit`, and is given up when nothing gets through
    /// for `hope`.
    pub fn new(limit: ByteSize, hope: Duration) -> Self {
        let (frames, failing, next_try) = (BTreeMap::new(), None, None);
        Self { limit, hope, frames, failing, tries: 0, next_try }
    }

    /// A frame is on its way; false if it was already.
    pub fn send(&mut self, saved: Saved, bytes: u64) -> bool {
        let known = self.frames.get(&saved.frame);
        if known.is_some_and(|held| !held.waits) {
            return false;
        }
        let failures = known.map_or(0, |held| held.failures);
        let held = Held { bytes, waits: false, reached: 0, failures, saved };
        self.frames.insert(held.saved.frame, held);
        true
    }

    /// A frame is stored, or is none to be stored. The rest may get through as well: these
    /// are to be tried again.
    pub fn arrived(&mut self, frame: FrameNumber, stored: bool) -> Vec<Saved> {
        self.frames.remove(&frame);
        if !stored {
            return Vec::new();
        }
        (self.failing, self.tries, self.next_try) = (None, 0, None);
        self.resend()
    }

    /// A frame could not be stored for now.
    pub fn failed(&mut self, frame: FrameNumber, now: Instant) {
        if let Some(held) = self.frames.get_mut(&frame) {
            held.waits = true;
            held.failures = held.failures.saturating_add(1);
            let reached = held.saved.progress.bytes();
            if reached > held.reached {
                // It moved, if not to the end.
                (held.reached, held.failures, self.failing) = (reached, 1, None);
            }
        }
        self.failing.get_or_insert(now);
        if self.next_try.is_none() {
            let pause = (FIRST_PAUSE * 2u32.saturating_pow(self.tries)).min(MAX_PAUSE);
            // Jitter, lest a fleet that was throttled comes back at once.
            self.next_try = Some(now + pause.mul_f64(0.5 + fastrand::f64() / 2.0));
        }
    }

    /// When those that wait are to be tried again.
    pub fn next_try(&self) -> Option<Instant> {
        self.next_try
    }

    /// It is time: these are to be tried again.
    pub fn due(&mut self) -> Vec<Saved> {
        self.tries = self.tries.saturating_add(1);
        self.next_try = None;
        self.resend()
    }

    fn resend(&mut self) -> Vec<Saved> {
        let waiting = self.frames.values_mut().filter(|held| held.waits);
        waiting
            .map(|held| {
                held.waits = false;
                held.saved.clone()
            })
            .collect()
    }

    /// How many are on their way.
    pub fn under_way(&self) -> usize {
        self.frames.values().filter(|held| !held.waits).count()
    }

    /// The frames.
    pub fn frames(&self) -> FrameSet {
        self.frames.keys().copied().collect()
    }

    /// How much that is.
    pub fn size(&self) -> ByteSize {
        self.frames.values().map(|held| held.bytes).sum::<u64>().into()
    }

    /// Whether that is more than there may be.
    pub fn is_full(&self) -> bool {
        self.size() > self.limit
    }

    /// Whether there is room again: a quarter, lest Blender is paused once a frame.
    pub fn has_room(&self) -> bool {
        self.size().bytes() <= self.limit.bytes() / 4 * 3
    }

    /// When nothing more is expected of any frame, unless something gets through before. A
    /// frame whose storing moves, however slowly, is never given up.
    pub fn lost_at(&self) -> Option<Instant> {
        let since = self.failing.filter(|_| !self.frames.values().any(Held::moves))?;
        Some(since + self.hope)
    }

    /// Whether it is full, and nothing says that it will ever be less.
    pub fn is_hopeless(&self, now: Instant) -> bool {
        let none_under_way = self.failing.is_some() && self.under_way() == 0;
        self.is_full() && (none_under_way || self.lost_at().is_some_and(|at| now >= at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOPE: Duration = Duration::from_mins(3);

    fn frame(number: i64) -> FrameNumber {
        FrameNumber::new(number).unwrap()
    }

    fn saved(number: i64) -> Saved {
        let (frame, file) = (frame(number), PathBuf::from(number.to_string()));
        Saved {
            frame,
            file,
            fingerprint: Awaited::never(frame),
            progress: TransferProgress::default(),
        }
    }

    /// With frames 1 to 4 of 10 bytes each on their way.
    fn backlog(limit: u64) -> Backlog {
        let mut backlog = Backlog::new(limit.into(), HOPE);
        for number in 1..=4 {
            assert!(backlog.send(saved(number), 10));
        }
        backlog
    }

    fn numbers(frames: &[Saved]) -> Vec<i32> {
        frames.iter().map(|saved| saved.frame.get()).collect()
    }

    #[test]
    fn what_is_not_stored_counts_wherever_it_is() {
        let now = Instant::now();
        let mut backlog = backlog(35);
        assert!(backlog.is_full());
        backlog.failed(frame(1), now);
        assert_eq!((backlog.size().bytes(), backlog.under_way()), (40, 3));
        backlog.arrived(frame(2), true);
        assert!(!backlog.is_full() && !backlog.has_room(), "it was paused and stays so");
        backlog.arrived(frame(3), false);
        assert!(backlog.has_room());
        assert_eq!(backlog.frames().to_string(), "1,4");
    }

    #[test]
    fn a_frame_is_sent_once_at_a_time() {
        let mut backlog = backlog(100);
        assert!(!backlog.send(saved(1), 10));
        backlog.failed(frame(1), Instant::now());
        assert!(backlog.send(saved(1), 10));
        assert_eq!(backlog.under_way(), 4);
    }

    #[test]
    fn when_one_gets_through_all_that_wait_are_tried_again() {
        let now = Instant::now();
        let mut backlog = backlog(100);
        backlog.failed(frame(1), now);
        backlog.failed(frame(3), now);
        assert_eq!(numbers(&backlog.arrived(frame(4), false)), [0; 0], "damaged: says nothing");
        assert_eq!(numbers(&backlog.arrived(frame(2), true)), [1, 3]);
        assert_eq!((backlog.under_way(), backlog.next_try()), (2, None));
    }

    #[test]
    fn what_fails_is_tried_again_later_and_later() {
        let mut now = Instant::now();
        let mut backlog = backlog(100);
        for (tries, seconds) in [(0, 5), (1, 10), (2, 20), (3, 40), (4, 60), (5, 60)] {
            backlog.failed(frame(1), now);
            let pause = backlog.next_try().unwrap() - now;
            let full = Duration::from_secs(seconds);
            assert!((full / 2..=full).contains(&pause), "{tries}: {pause:?}");
            backlog.failed(frame(2), now + Duration::from_secs(1));
            assert_eq!(backlog.next_try(), Some(now + pause), "one timer for all");
            now += pause;
            assert_eq!(numbers(&backlog.due()), [1, 2]);
        }
    }

    #[test]
    fn there_is_no_hope_when_everything_failed_and_nothing_gets_through() {
        let now = Instant::now();
        let mut backlog = backlog(35);
        assert!(!backlog.is_hopeless(now + HOPE), "slow, and nothing has failed");
        for number in 1..=3 {
            backlog.failed(frame(number), now);
            assert!(!backlog.is_hopeless(now), "others are on their way");
        }
        assert!(!backlog.is_hopeless(now + HOPE * 100), "the last one is still being stored");
        backlog.failed(frame(4), now);
        assert!(backlog.is_hopeless(now));
        backlog.arrived(frame(4), true);
        assert!(!backlog.is_hopeless(now + HOPE), "no longer full");

        let mut roomy = self::backlog(1000);
        (1..=4).for_each(|number| roomy.failed(frame(number), now));
        assert!(!roomy.is_hopeless(now + HOPE), "there is room to wait");
    }

    #[test]
    fn what_is_tried_again_and_again_is_given_up_when_none_gets_through() {
        let now = Instant::now();
        let mut backlog = backlog(35);
        for tries in 1..=TRIES {
            (1..=4).for_each(|number| backlog.failed(frame(number), now));
            assert_eq!(backlog.lost_at(), Some(now + HOPE));
            assert_eq!(backlog.due().len(), 4);
            assert_eq!(backlog.lost_at().is_some(), tries == TRIES, "{tries}: all are tried again");
        }
        assert!(!backlog.is_hopeless(now) && backlog.is_hopeless(now + HOPE));
    }

    #[test]
    fn a_frame_that_came_further_than_before_has_not_failed_as_often() {
        let mut now = Instant::now();
        let mut backlog = Backlog::new(5.into(), HOPE);
        let saved = saved(1);
        assert!(backlog.send(saved.clone(), 10));
        for bytes in 1..=10 {
            saved.progress.reached(bytes);
            backlog.failed(frame(1), now);
            assert_eq!(backlog.lost_at(), Some(now + HOPE), "from now on, not from the first time");
            backlog.due();
            assert_eq!(backlog.lost_at(), None, "it is tried again");
            now += HOPE;
        }
        (1..=TRIES).for_each(|_| backlog.failed(frame(1), now));
        assert_eq!(backlog.lost_at(), Some(now), "since it came no further");
    }
}

//! The backlog: frames that are saved but not stored, their size, and when to retry them.
//!
//! It only keeps track; [`Delivery`](super::Delivery) does the work.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

use super::side_files::SideFiles;
use crate::render::reuse::fingerprint_task::PendingFingerprint;
use crate::request::{ByteSize, FrameNumber, FrameSet, ImageFormat};
use crate::storage::TransferProgress;

/// The pause before the first retry, after all attempts at a request have failed. It doubles with
/// each round of retries in which no frame is stored.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// The longest such pause.
const MAX_PAUSE: Duration = Duration::from_mins(1);

/// A frame that has failed this often, each time without further progress, no longer counts as
/// making progress while it is retried.
const MAX_FAILURES: u32 = 3;

/// A frame that Blender has saved.
#[derive(Clone, Debug)]
pub struct Saved {
    /// The frame.
    pub frame: FrameNumber,
    /// Its file in scratch.
    pub file: PathBuf,
    /// The format of the file.
    pub format: ImageFormat,
    /// The files that belong to it.
    pub sides: SideFiles,
    /// The fingerprint to store it with.
    pub fingerprint: PendingFingerprint,
    /// How much of all files has been uploaded.
    pub progress: TransferProgress,
}

/// The frames that are saved but not stored.
#[derive(Debug)]
pub struct Backlog {
    limit: ByteSize,
    /// How long to go on without storing any frame.
    patience: Duration,
    frames: BTreeMap<FrameNumber, Item>,
    /// The time of the first failure since a frame was stored or made progress.
    failing_since: Option<Instant>,
    /// Rounds of retries since a frame was stored.
    retries: u32,
    next_retry: Option<Instant>,
}

#[derive(Debug)]
struct Item {
    saved: Saved,
    /// The size of all files.
    bytes: u64,
    /// The frame could not be stored, and waits in scratch for a retry.
    waiting: bool,
    /// The most bytes that were uploaded before a failure.
    reached: u64,
    /// Failures since an attempt reached further than all attempts before.
    failures: u32,
}

impl Item {
    /// Whether the frame is under way and may be making progress.
    fn may_progress(&self) -> bool {
        !self.waiting && self.failures < MAX_FAILURES
    }
}

impl Backlog {
    /// An empty backlog, which is full above `limit`, and is given up if no frame makes progress
    /// for `patience`.
    pub fn new(limit: ByteSize, patience: Duration) -> Self {
        let (frames, failing_since, next_retry) = (BTreeMap::new(), None, None);
        Self { limit, patience, frames, failing_since, retries: 0, next_retry }
    }

    /// Records that a frame is under way; false if it already was.
    pub fn start(&mut self, saved: Saved, bytes: u64) -> bool {
        let known = self.frames.get(&saved.frame);
        if known.is_some_and(|item| !item.waiting) {
            return false;
        }
        let failures = known.map_or(0, |item| item.failures);
        let item = Item { bytes, waiting: false, reached: 0, failures, saved };
        self.frames.insert(item.saved.frame, item);
        true
    }

    /// Records that a frame is stored, or never will be. The result is the frames to retry: if
    /// storage accepts one frame again, it may accept the others.
    pub fn finish(&mut self, frame: FrameNumber, stored: bool) -> Vec<Saved> {
        self.frames.remove(&frame);
        if !stored {
            return Vec::new();
        }
        (self.failing_since, self.retries, self.next_retry) = (None, 0, None);
        self.take_waiting()
    }

    /// Records that a frame could not be stored for now.
    pub fn fail(&mut self, frame: FrameNumber, now: Instant) {
        if let Some(item) = self.frames.get_mut(&frame) {
            item.waiting = true;
            item.failures = item.failures.saturating_add(1);
            let reached = item.saved.progress.bytes();
            if reached > item.reached {
                // It made progress, if not to the end.
                (item.reached, item.failures, self.failing_since) = (reached, 1, None);
            }
        }
        self.failing_since.get_or_insert(now);
        if self.next_retry.is_none() {
            let pause = (FIRST_PAUSE * 2u32.saturating_pow(self.retries)).min(MAX_PAUSE);
            // Jitter keeps the workers of a throttled fleet from retrying at the same time.
            self.next_retry = Some(now + pause.mul_f64(0.5 + fastrand::f64() / 2.0));
        }
    }

    /// When to retry the frames that wait.
    pub fn next_retry(&self) -> Option<Instant> {
        self.next_retry
    }

    /// Starts a round of retries. The result is the frames to retry.
    pub fn retry(&mut self) -> Vec<Saved> {
        self.retries = self.retries.saturating_add(1);
        self.next_retry = None;
        self.take_waiting()
    }

    fn take_waiting(&mut self) -> Vec<Saved> {
        let waiting = self.frames.values_mut().filter(|item| item.waiting);
        waiting
            .map(|item| {
                item.waiting = false;
                item.saved.clone()
            })
            .collect()
    }

    /// How many frames are under way.
    pub fn under_way(&self) -> usize {
        self.frames.values().filter(|item| !item.waiting).count()
    }

    /// All frames of the backlog.
    pub fn frames(&self) -> FrameSet {
        self.frames.keys().copied().collect()
    }

    /// The size of all frames.
    pub fn size(&self) -> ByteSize {
        self.frames.values().map(|item| item.bytes).sum::<u64>().into()
    }

    /// Whether the size exceeds the limit.
    pub fn is_full(&self) -> bool {
        self.size() > self.limit
    }

    /// Whether a quarter of the limit is free again. With less, Blender would be paused after every
    /// frame.
    pub fn has_room(&self) -> bool {
        self.size().bytes() <= self.limit.bytes() / 4 * 3
    }

    /// When to give up all frames, unless one makes progress before. `None` while nothing has
    /// failed, or a frame may be making progress, however slowly.
    pub fn give_up_at(&self) -> Option<Instant> {
        let since = self.failing_since.filter(|_| !self.frames.values().any(Item::may_progress))?;
        Some(since + self.patience)
    }

    /// Whether the backlog is full and not expected to shrink.
    pub fn is_hopeless(&self, now: Instant) -> bool {
        let none_under_way = self.failing_since.is_some() && self.under_way() == 0;
        self.is_full() && (none_under_way || self.give_up_at().is_some_and(|at| now >= at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_mins(3);

    fn frame(number: i64) -> FrameNumber {
        FrameNumber::new(number).unwrap()
    }

    fn saved(number: i64) -> Saved {
        let (frame, file) = (frame(number), PathBuf::from(number.to_string()));
        Saved {
            frame,
            file,
            format: ImageFormat::Png,
            sides: SideFiles::default(),
            fingerprint: PendingFingerprint::never(frame),
            progress: TransferProgress::default(),
        }
    }

    /// A backlog with frames 1 to 4 under way, of 10 bytes each.
    fn backlog(limit: u64) -> Backlog {
        let mut backlog = Backlog::new(limit.into(), PATIENCE);
        for number in 1..=4 {
            assert!(backlog.start(saved(number), 10));
        }
        backlog
    }

    fn numbers(frames: &[Saved]) -> Vec<i32> {
        frames.iter().map(|saved| saved.frame.get()).collect()
    }

    #[test]
    fn frames_under_way_and_frames_that_wait_count_towards_the_size() {
        let now = Instant::now();
        let mut backlog = backlog(35);
        assert!(backlog.is_full());
        backlog.fail(frame(1), now);
        assert_eq!((backlog.size().bytes(), backlog.under_way()), (40, 3));
        backlog.finish(frame(2), true);
        assert!(!backlog.is_full() && !backlog.has_room(), "less than a quarter is free");
        backlog.finish(frame(3), false);
        assert!(backlog.has_room());
        assert_eq!(backlog.frames().to_string(), "1,4");
    }

    #[test]
    fn a_frame_under_way_is_not_started_again() {
        let mut backlog = backlog(100);
        assert!(!backlog.start(saved(1), 10));
        backlog.fail(frame(1), Instant::now());
        assert!(backlog.start(saved(1), 10));
        assert_eq!(backlog.under_way(), 4);
    }

    #[test]
    fn when_a_frame_is_stored_all_that_wait_are_retried() {
        let now = Instant::now();
        let mut backlog = backlog(100);
        backlog.fail(frame(1), now);
        backlog.fail(frame(3), now);
        assert_eq!(numbers(&backlog.finish(frame(4), false)), [0; 0], "damaged: proves nothing");
        assert_eq!(numbers(&backlog.finish(frame(2), true)), [1, 3]);
        assert_eq!((backlog.under_way(), backlog.next_retry()), (2, None));
    }

    #[test]
    fn the_pause_before_a_retry_doubles_up_to_a_minute() {
        let mut now = Instant::now();
        let mut backlog = backlog(100);
        for (retries, seconds) in [(0, 5), (1, 10), (2, 20), (3, 40), (4, 60), (5, 60)] {
            backlog.fail(frame(1), now);
            let pause = backlog.next_retry().unwrap() - now;
            let full = Duration::from_secs(seconds);
            assert!((full / 2..=full).contains(&pause), "{retries}: {pause:?}");
            backlog.fail(frame(2), now + Duration::from_secs(1));
            assert_eq!(backlog.next_retry(), Some(now + pause), "one timer for all");
            now += pause;
            assert_eq!(numbers(&backlog.retry()), [1, 2]);
        }
    }

    #[test]
    fn a_full_backlog_is_hopeless_once_every_frame_has_failed() {
        let now = Instant::now();
        let mut backlog = backlog(35);
        assert!(!backlog.is_hopeless(now + PATIENCE), "slow, and nothing has failed");
        for number in 1..=3 {
            backlog.fail(frame(number), now);
            assert!(!backlog.is_hopeless(now), "others are under way");
        }
        assert!(!backlog.is_hopeless(now + PATIENCE * 100), "the last one is still being stored");
        backlog.fail(frame(4), now);
        assert!(backlog.is_hopeless(now));
        backlog.finish(frame(4), true);
        assert!(!backlog.is_hopeless(now + PATIENCE), "no longer full");

        let mut roomy = self::backlog(1000);
        (1..=4).for_each(|number| roomy.fail(frame(number), now));
        assert!(!roomy.is_hopeless(now + PATIENCE), "there is room to wait");
    }

    #[test]
    fn frames_that_fail_again_and_again_are_given_up() {
        let now = Instant::now();
        let mut backlog = backlog(35);
        for round in 1..=MAX_FAILURES {
            (1..=4).for_each(|number| backlog.fail(frame(number), now));
            assert_eq!(backlog.give_up_at(), Some(now + PATIENCE));
            assert_eq!(backlog.retry().len(), 4);
            assert_eq!(
                backlog.give_up_at().is_some(),
                round == MAX_FAILURES,
                "{round}: all are retried"
            );
        }
        assert!(!backlog.is_hopeless(now) && backlog.is_hopeless(now + PATIENCE));
    }

    #[test]
    fn progress_resets_the_failures_of_a_frame() {
        let mut now = Instant::now();
        let mut backlog = Backlog::new(5.into(), PATIENCE);
        let saved = saved(1);
        assert!(backlog.start(saved.clone(), 10));
        for bytes in 1..=10 {
            saved.progress.reached(bytes);
            backlog.fail(frame(1), now);
            assert_eq!(
                backlog.give_up_at(),
                Some(now + PATIENCE),
                "from now on, not from the first failure"
            );
            backlog.retry();
            assert_eq!(backlog.give_up_at(), None, "it is being retried");
            now += PATIENCE;
        }
        (1..=MAX_FAILURES).for_each(|_| backlog.fail(frame(1), now));
        assert_eq!(backlog.give_up_at(), Some(now), "it made no progress since");
    }
}

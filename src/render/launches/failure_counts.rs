//! Counts Blender's failures, per frame and overall, and decides when to stop trying.

use std::collections::BTreeMap;

use crate::blender::{Cause, SkippedFrame};
use crate::request::FrameNumber;

/// How many frames may be skipped while no frame is stored. After that, the frames may not be to
/// blame: each further frame is tried, but only once.
const MAX_SKIPPED_UNPROVEN: usize = 3;

/// How many launches in a row must fail in the same way, while no frame is stored, until the frames
/// are not to blame and no further launch is tried.
const MIN_SAME_FAILURES: usize = 3;

/// Counts of failed launches.
#[derive(Debug)]
pub(crate) struct FailureCounts {
    /// How many failures at a frame, or before the scene is open, are too many.
    limit: u32,
    by_frame: BTreeMap<FrameNumber, u32>,
    /// The cause of the last failure, and how many launches in a row failed in that way.
    streak: Option<(Cause, usize)>,
    /// Failures before the scene was open.
    before_open: u32,
    skipped: Vec<SkippedFrame>,
}

impl FailureCounts {
    /// No failures yet. A frame is skipped after `limit` failures.
    pub fn new(limit: u32) -> Self {
        Self { limit, by_frame: BTreeMap::new(), streak: None, before_open: 0, skipped: Vec::new() }
    }

    /// How many failures at a frame, or before the scene is open, are too many.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// Counts a launch that failed before Blender had opened the scene. The result is how many did.
    pub fn record_before_open(&mut self) -> u32 {
        self.before_open += 1;
        self.before_open
    }

    /// Whether too many launches failed before Blender had opened the scene.
    pub fn is_unopenable(&self) -> bool {
        self.before_open >= self.limit
    }

    /// Counts a failure at `frame`, and skips the frame after too many. `some_stored` is whether
    /// any frame of the job is stored. The result is how often Blender has failed at the frame.
    pub fn record_at_frame(&mut self, frame: FrameNumber, cause: Cause, some_stored: bool) -> u32 {
        let doubtful = !some_stored && self.skipped.len() >= MAX_SKIPPED_UNPROVEN;
        let times = self.by_frame.entry(frame).or_default();
        *times += 1;
        if doubtful || *times >= self.limit {
            self.skipped.push(SkippedFrame { frame, cause, times: *times });
        }
        *times
    }

    /// Records the cause of a launch that failed at a frame.
    pub fn record_cause(&mut self, cause: &Cause) {
        let before = self.streak.take().filter(|(known, _)| known.is_same_kind(cause));
        let times = before.map_or(0, |(_, times)| times);
        self.streak = Some((cause.clone(), times + 1));
    }

    /// Whether enough launches failed in the same way, at enough different frames of `frame_count`,
    /// to conclude that the frames are not to blame. It is only valid while no frame of the job is
    /// stored.
    pub fn fails_everywhere(&self, frame_count: usize) -> bool {
        let launches = if frame_count < MIN_SAME_FAILURES {
            MIN_SAME_FAILURES.max(self.limit as usize)
        } else {
            MIN_SAME_FAILURES
        };
        self.streak.as_ref().is_some_and(|(_, times)| *times >= launches)
            && self.by_frame.len() >= frame_count.min(MIN_SAME_FAILURES)
    }

    /// How many frames Blender has failed at.
    pub fn frame_count(&self) -> usize {
        self.by_frame.len()
    }

    /// Whether Blender has failed at a frame.
    pub fn has_failed_at(&self, frame: FrameNumber) -> bool {
        self.by_frame.contains_key(&frame)
    }

    /// Skips all frames that Blender has failed at, with the cause of the last failure, because no
    /// further launch is tried.
    pub fn skip_failed(&mut self) {
        let Some((cause, _)) = self.streak.clone() else { return };
        let failed = self.by_frame.iter().filter(|(frame, _)| !self.is_skipped(**frame));
        let skipped: Vec<_> = failed
            .map(|(&frame, &times)| SkippedFrame { frame, cause: cause.clone(), times })
            .collect();
        self.skipped.extend(skipped);
    }

    /// Whether a frame is skipped.
    pub fn is_skipped(&self, frame: FrameNumber) -> bool {
        self.skipped.iter().any(|skipped| skipped.frame == frame)
    }

    /// The skipped frames.
    pub fn skipped(&self) -> &[SkippedFrame] {
        &self.skipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blender::Failure;
    use std::time::Duration;

    fn frame(number: i64) -> FrameNumber {
        FrameNumber::new(number).unwrap()
    }

    fn crash() -> Cause {
        Failure::Crashed(11).into()
    }

    #[test]
    fn a_frame_is_skipped_after_too_many_failures() {
        let mut counts = FailureCounts::new(3);
        for times in 1..=2 {
            assert_eq!(counts.record_at_frame(frame(7), crash(), true), times);
            assert_eq!(counts.record_at_frame(frame(9), crash(), true), times);
            assert!(!counts.is_skipped(frame(7)));
        }
        assert_eq!(counts.record_at_frame(frame(7), crash(), true), 3);
        assert!(counts.is_skipped(frame(7)) && !counts.is_skipped(frame(9)));
        assert_eq!(counts.skipped(), [SkippedFrame { frame: frame(7), cause: crash(), times: 3 }]);
    }

    #[test]
    fn while_no_frame_is_stored_one_failure_skips_the_fourth_frame() {
        for some_stored in [false, true] {
            let mut counts = FailureCounts::new(2);
            for number in 1..=3 {
                counts.record_at_frame(frame(number), crash(), some_stored);
                assert!(!counts.is_skipped(frame(number)));
                counts.record_at_frame(frame(number), crash(), some_stored);
                assert!(counts.is_skipped(frame(number)));
            }
            counts.record_at_frame(frame(4), crash(), some_stored);
            assert_eq!(counts.is_skipped(frame(4)), !some_stored);
        }
    }

    #[test]
    fn three_launches_that_fail_alike_at_three_frames_end_the_job() {
        let stalled = || Cause::from(Failure::Stalled(Duration::from_mins(10)));
        let fails_everywhere = |causes: &[(i64, Cause)], frame_count| {
            let mut counts = FailureCounts::new(3);
            for (number, cause) in causes {
                counts.record_cause(cause);
                counts.record_at_frame(frame(*number), cause.clone(), false);
            }
            counts.fails_everywhere(frame_count)
        };
        let crashes = |numbers: [i64; 3]| numbers.map(|number| (number, crash()));
        assert!(fails_everywhere(&crashes([1, 2, 3]), 100));
        assert!(!fails_everywhere(&crashes([1, 2, 3])[..2], 100));
        assert!(!fails_everywhere(&crashes([1, 1, 1]), 100), "the frame may be to blame");
        assert!(!fails_everywhere(&[(1, crash()), (2, stalled()), (3, crash())], 100));
        assert!(fails_everywhere(&crashes([1, 2, 1]), 2));
        assert!(fails_everywhere(&crashes([1, 1, 1]), 1));
    }

    #[test]
    fn failures_before_the_scene_is_open_skip_no_frame() {
        let mut counts = FailureCounts::new(2);
        assert_eq!(counts.record_before_open(), 1);
        assert!(!counts.is_unopenable());
        assert_eq!(counts.record_before_open(), 2);
        assert!(counts.is_unopenable());
        assert!(counts.skipped().is_empty());
    }
}

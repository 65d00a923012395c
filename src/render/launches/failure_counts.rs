//! Which frames keep Blender from ending well, and when that is enough.

use std::collections::BTreeMap;

use crate::blender::{Cause, SkippedFrame};
use crate::request::FrameNumber;

/// Frames that are set aside before any frame is stored. Then it may not be the frames,
/// and one failure is enough for each further one: all are tried, and none at length.
const DOUBTFUL: usize = 3;

/// Launches that fail in the same way, none having stored a frame, before no other is tried: then
/// it is not the frames.
const ALIKE: usize = 3;

/// Counts failed launches by the frame that was in hand.
#[derive(Debug)]
pub(crate) struct FailureCounts {
    /// How many are too many.
    limit: u32,
    against: BTreeMap<FrameNumber, u32>,
    /// Why launches failed in the same way, and how many did so in a row.
    alike: Option<(Cause, usize)>,
    /// Failures before the scene was open.
    before_any: u32,
    skipped: Vec<SkippedFrame>,
}

impl FailureCounts {
    pub fn new(limit: u32) -> Self {
        Self { limit, against: BTreeMap::new(), alike: None, before_any: 0, skipped: Vec::new() }
    }

    /// How many failed launches are too many for a frame.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// A launch failed before Blender had opened the scene: how often by now.
    pub fn failed_before_any(&mut self) -> u32 {
        self.before_any += 1;
        self.before_any
    }

    /// Whether Blender has failed too often to open the scene for another try.
    pub fn is_hopeless(&self) -> bool {
        self.before_any >= self.limit
    }

    /// A launch failed with `frame` in hand, when some frames were stored, or none ever
    /// was: how often by now. A frame at which it failed too often is set aside.
    pub fn failed_at(&mut self, frame: FrameNumber, cause: Cause, some_stored: bool) -> u32 {
        let doubtful = !some_stored && self.skipped.len() >= DOUBTFUL;
        let times = self.against.entry(frame).or_default();
        *times += 1;
        if doubtful || *times >= self.limit {
            self.skipped.push(SkippedFrame { frame, cause, times: *times });
        }
        *times
    }

    /// A launch failed with a frame in hand, and why.
    pub fn launch_failed(&mut self, cause: &Cause) {
        let before = self.alike.take().filter(|(known, _)| known.is_like(cause));
        let times = before.map_or(0, |(_, times)| times);
        self.alike = Some((cause.clone(), times + 1));
    }

    /// Whether every launch failed in the same way, at as many of the `asked` frames as it takes
    /// to say that it is not the frames. Only to be asked while no frame was ever stored.
    pub fn is_alike_everywhere(&self, asked: usize) -> bool {
        let limit = if asked < ALIKE { ALIKE.max(self.limit as usize) } else { ALIKE };
        self.alike.as_ref().is_some_and(|(_, times)| *times >= limit)
            && self.against.len() >= asked.min(ALIKE)
    }

    /// How many frames Blender has failed at.
    pub fn frames(&self) -> usize {
        self.against.len()
    }

    /// Whether Blender has failed at a frame.
    pub fn has_failed_at(&self, frame: FrameNumber) -> bool {
        self.against.contains_key(&frame)
    }

    /// Frames that Blender failed at, each once, and why the last one failed: to be told where
    /// nothing more is tried because all launches failed alike.
    pub fn give_up(&mut self) {
        let Some((cause, _)) = self.alike.clone() else { return };
        let open = self.against.iter().filter(|(frame, _)| !self.is_skipped(**frame));
        let skipped: Vec<_> = open
            .map(|(&frame, &times)| SkippedFrame { frame, cause: cause.clone(), times })
            .collect();
        self.skipped.extend(skipped);
    }

    /// Whether a frame is set aside.
    pub fn is_skipped(&self, frame: FrameNumber) -> bool {
        self.skipped.iter().any(|skipped| skipped.frame == frame)
    }

    /// The frames that are set aside.
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
    fn a_frame_is_set_aside_when_it_has_failed_too_often() {
        let mut strikes = FailureCounts::new(3);
        for times in 1..=2 {
            assert_eq!(strikes.failed_at(frame(7), crash(), true), times);
            assert_eq!(strikes.failed_at(frame(9), crash(), true), times);
            assert!(!strikes.is_skipped(frame(7)));
        }
        assert_eq!(strikes.failed_at(frame(7), crash(), true), 3);
        assert!(strikes.is_skipped(frame(7)) && !strikes.is_skipped(frame(9)));
        assert_eq!(strikes.skipped(), [SkippedFrame { frame: frame(7), cause: crash(), times: 3 }]);
    }

    #[test]
    fn when_nothing_is_ever_stored_one_failure_is_enough_for_the_fourth_frame() {
        for some_stored in [false, true] {
            let mut strikes = FailureCounts::new(2);
            for number in 1..=3 {
                strikes.failed_at(frame(number), crash(), some_stored);
                assert!(!strikes.is_skipped(frame(number)));
                strikes.failed_at(frame(number), crash(), some_stored);
                assert!(strikes.is_skipped(frame(number)));
            }
            strikes.failed_at(frame(4), crash(), some_stored);
            assert_eq!(strikes.is_skipped(frame(4)), !some_stored);
        }
    }

    #[test]
    fn three_launches_that_fail_alike_at_three_frames_are_enough() {
        let stalled = || Cause::from(Failure::Stalled(Duration::from_mins(10)));
        let fail = |causes: &[(i64, Cause)], asked| {
            let mut strikes = FailureCounts::new(3);
            for (number, cause) in causes {
                strikes.launch_failed(cause);
                strikes.failed_at(frame(*number), cause.clone(), false);
            }
            strikes.is_alike_everywhere(asked)
        };
        let at = |numbers: [i64; 3]| numbers.map(|number| (number, crash()));
        assert!(fail(&at([1, 2, 3]), 100));
        assert!(!fail(&at([1, 2, 3])[..2], 100));
        assert!(!fail(&at([1, 1, 1]), 100), "one frame may be the cause of it");
        assert!(!fail(&[(1, crash()), (2, stalled()), (3, crash())], 100));
        assert!(fail(&at([1, 2, 1]), 2));
        assert!(fail(&at([1, 1, 1]), 1));
    }

    #[test]
    fn failures_before_the_scene_is_open_count_for_the_job() {
        let mut strikes = FailureCounts::new(2);
        assert_eq!(strikes.failed_before_any(), 1);
        assert!(!strikes.is_hopeless());
        assert_eq!(strikes.failed_before_any(), 2);
        assert!(strikes.is_hopeless());
        assert!(strikes.skipped().is_empty());
    }
}

//! Frames that the worker gave up on.

use super::Cause;
use crate::request::{FrameNumber, FrameSet};

/// A frame that the worker does not try again in this attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedFrame {
    /// The frame.
    pub frame: FrameNumber,
    /// The cause of the last failure.
    pub cause: Cause,
    /// How often Blender failed at the frame.
    pub times: u32,
}

impl SkippedFrame {
    /// How often Blender failed at these frames: `once`, `3 times`, or `up to 3 times`.
    pub fn how_often(skipped: &[Self]) -> String {
        let times = || skipped.iter().map(|skipped| skipped.times);
        let most = times().max().unwrap_or_default();
        match (times().all(|times| times == most), most) {
            (true, 1) => "once".to_owned(),
            (true, _) => format!("{most} times"),
            (false, _) => format!("up to {most} times"),
        }
    }

    /// The skipped frames, grouped by the cause of their failures: `each of frames 1-3 (CAUSE)
    /// and frame 7 (CAUSE)`.
    pub fn reasons(skipped: &[Self]) -> String {
        let mut groups: Vec<(&Cause, Vec<FrameNumber>)> = Vec::new();
        for Self { frame, cause, .. } in skipped {
            match groups.iter_mut().find(|(known, _)| *known == cause) {
                Some((_, frames)) => frames.push(*frame),
                None => groups.push((cause, vec![*frame])),
            }
        }
        let reasons = groups.into_iter().map(|(cause, frames)| {
            let each = if frames.len() == 1 { "" } else { "each of " };
            let frames: FrameSet = frames.into_iter().collect();
            format!("{each}{} ({cause})", frames.named())
        });
        reasons.collect::<Vec<_>>().join(" and ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blender::Failure;

    fn skipped(frame: i64, why: &str, times: u32) -> SkippedFrame {
        let cause = Failure::NotWhole(why.to_owned()).into();
        SkippedFrame { frame: FrameNumber::new(frame).unwrap(), cause, times }
    }

    #[test]
    fn each_cause_is_named_once() {
        let all = [skipped(1, "is empty", 3), skipped(7, "is cut", 3), skipped(2, "is empty", 3)];
        let reasons = "each of frames 1-2 (not whole after Blender saved it: its file is empty) \
                     and frame 7 (not whole after Blender saved it: its file is cut)";
        assert_eq!(SkippedFrame::reasons(&all), reasons);
    }

    #[test]
    fn the_number_of_failures_covers_all_frames() {
        let how_often = |times: &[u32]| {
            let all: Vec<_> = times.iter().map(|&times| skipped(1, "is empty", times)).collect();
            SkippedFrame::how_often(&all)
        };
        assert_eq!(how_often(&[1, 1]), "once");
        assert_eq!(how_often(&[3, 3]), "3 times");
        assert_eq!(how_often(&[3, 1]), "up to 3 times");
    }
}

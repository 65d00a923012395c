//! Frames that Blender was given up on.

use super::Cause;
use crate::request::{FrameNumber, FrameSet};

/// A frame that is not tried any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedFrame {
    /// The frame.
    pub frame: FrameNumber,
    /// What happened the last time.
    pub cause: Cause,
    /// How often Blender failed at it.
    pub times: u32,
}

impl SkippedFrame {
    /// How often Blender failed at them: `once`, `3 times`, or `up to 3 times`.
    pub fn how_often(skipped: &[Self]) -> String {
        let times = || skipped.iter().map(|skipped| skipped.times);
        let most = times().max().unwrap_or_default();
        match (times().all(|times| times == most), most) {
            (true, 1) => "once".to_owned(),
            (true, _) => format!("{most} times"),
            (false, _) => format!("up to {most} times"),
        }
    }

    /// Which frames are skipped and why, each reason once: `each of frames 1-3 (why)
    /// and frame 7 (why)`.
    pub fn reasons(skipped: &[Self]) -> String {
        let mut reasons: Vec<(&Cause, Vec<FrameNumber>)> = Vec::new();
        for Self { frame, cause, .. } in skipped {
            match reasons.iter_mut().find(|(known, _)| *known == cause) {
                Some((_, frames)) => frames.push(*frame),
                None => reasons.push((cause, vec![*frame])),
            }
        }
        let words = reasons.into_iter().map(|(cause, frames)| {
            let each = if frames.len() == 1 { "" } else { "each of " };
            let frames: FrameSet = frames.into_iter().collect();
            format!("{each}{} ({cause})", frames.named())
        });
        words.collect::<Vec<_>>().join(" and ")
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
    fn each_reason_is_told_once() {
        let all = [skipped(1, "is empty", 3), skipped(7, "is cut", 3), skipped(2, "is empty", 3)];
        let words = "each of frames 1-2 (not whole after Blender saved it: its file is empty) \
                     and frame 7 (not whole after Blender saved it: its file is cut)";
        assert_eq!(SkippedFrame::reasons(&all), words);
    }

    #[test]
    fn how_often_it_failed_is_told_for_all() {
        let how_often = |times: &[u32]| {
            let all: Vec<_> = times.iter().map(|&times| skipped(1, "is empty", times)).collect();
            SkippedFrame::how_often(&all)
        };
        assert_eq!(how_often(&[1, 1]), "once");
        assert_eq!(how_often(&[3, 3]), "3 times");
        assert_eq!(how_often(&[3, 1]), "up to 3 times");
    }
}

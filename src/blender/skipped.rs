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
    pub fn how_often(aside: &[Self]) -> String {
        let times = || aside.iter().map(|aside| aside.times);
        let most = times().max().unwrap_or_default();
        match (times().all(|times| times == most), most) {
            (true, 1) => "once".to_owned(),
            (true, _) => format!("{most} times"),
            (false, _) => format!("up to {most} times"),
        }
    }

    /// Which frames were set aside and why, each reason once: `each of frames 1-3 (why)
    /// and frame 7 (why)`.
    pub fn reasons(aside: &[Self]) -> String {
        let mut reasons: Vec<(&Cause, Vec<FrameNumber>)> = Vec::new();
        for Self { frame, cause, .. } in aside {
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

    fn aside(frame: i64, why: &str, times: u32) -> SkippedFrame {
        let cause = Failure::NotWhole(why.to_owned()).into();
        SkippedFrame { frame: FrameNumber::new(frame).unwrap(), cause, times }
    }

    #[test]
    fn each_reason_is_told_once() {
        let all = [aside(1, "is empty", 3), aside(7, "is cut", 3), aside(2, "is empty", 3)];
        let words = "each of frames 1-2 (not whole after Blender saved it: its file is empty) \
                     and frame 7 (not whole after Blender saved it: its file is cut)";
        assert_eq!(SkippedFrame::reasons(&all), words);
    }

    #[test]
    fn how_often_it_failed_is_told_for_all() {
        let how_often = |times: &[u32]| {
            let all: Vec<_> = times.iter().map(|&times| aside(1, "is empty", times)).collect();
            SkippedFrame::how_often(&all)
        };
        assert_eq!(how_often(&[1, 1]), "once");
        assert_eq!(how_often(&[3, 3]), "3 times");
        assert_eq!(how_often(&[3, 1]), "up to 3 times");
    }
}

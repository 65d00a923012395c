//! Frames that Blender was given up on.

use super::Cause;
use crate::request::{FrameNumber, FrameSet};

/// A frame that is not tried any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// The frame.
    pub frame: FrameNumber,
    /// What happened the last time.
    pub cause: Cause,
}

impl SetAside {
    /// Which frames were set aside and why, each reason once: `each of frames 1-3 (why)
    /// and frame 7 (why)`.
    pub fn reasons(aside: &[Self]) -> String {
        let mut reasons: Vec<(&Cause, Vec<FrameNumber>)> = Vec::new();
        for Self { frame, cause } in aside {
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

    #[test]
    fn each_reason_is_told_once() {
        let aside = |frame, why: &str| SetAside {
            frame: FrameNumber::new(frame).unwrap(),
            cause: Cause::Failed(why.to_owned()),
        };
        let all = [aside(1, "it crashed"), aside(7, "it stalled"), aside(2, "it crashed")];
        let words = "each of frames 1-2 (it crashed) and frame 7 (it stalled)";
        assert_eq!(SetAside::reasons(&all), words);
    }
}

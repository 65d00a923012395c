//! A whole animation: consecutive frames that depend on the scene's own range where they are not
//! given.

use std::str::FromStr;

use thiserror::Error;

use super::set::{FrameNumber, FrameRange};
use crate::request::value::{ValueError, whole_number};

/// The keyword for the value in the scene file.
const SCENE: &str = "scene";

/// Consecutive frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AnimationRange {
    /// The first frame. The default is 1 if `total` is a number, or else the scene's own.
    pub first: Option<FirstFrame>,
    /// The number of frames. The default is all up to the scene's last frame.
    pub total: Option<TotalFrames>,
}

impl AnimationRange {
    /// Whether [`AnimationRange::resolve`] needs the scene's own range.
    pub fn needs_scene_range(self) -> bool {
        self.first == Some(FirstFrame::Scene) || !matches!(self.total, Some(TotalFrames::Count(_)))
    }

    /// The frames, given the scene's own range.
    ///
    /// # Errors
    /// - [`SelectionError::PastTheEnd`], if there are no frames.
    /// - [`SelectionError::OutOfRange`], if a frame number is out of Blender's range.
    /// - [`SelectionError::SceneRangeUnknown`], if the scene's range is needed (see
    ///   [`AnimationRange::needs_scene_range`]) and `scene` is `None`.
    pub fn resolve(self, scene: Option<FrameRange>) -> Result<FrameRange, SelectionError> {
        let scene = || scene.ok_or(SelectionError::SceneRangeUnknown);
        let first = match (self.first, self.total) {
            (Some(FirstFrame::Number(first)), _) => first,
            (None, Some(TotalFrames::Count(_))) => FrameNumber::ONE,
            (Some(FirstFrame::Scene) | None, _) => scene()?.first,
        };
        let last = match self.total {
            None => i64::from(scene()?.last.get()),
            Some(TotalFrames::Scene) => i64::from(first.get()) + i64::from(scene()?.len()) - 1,
            Some(TotalFrames::Count(count)) => i64::from(first.get()) + i64::from(count) - 1,
        };
        let beyond = SelectionError::OutOfRange { first: first.get().into(), last };
        let last = FrameNumber::new(last).ok_or(beyond)?;
        if last < first {
            return Err(SelectionError::PastTheEnd { first, last });
        }
        Ok(FrameRange { first, last })
    }
}

/// The first frame of the animation, with which array index 0 starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstFrame {
    /// This frame.
    Number(FrameNumber),
    /// The scene's own first frame.
    Scene,
}

impl FirstFrame {
    /// Frame 1, as in the reference script.
    pub const DEFAULT: Self = Self::Number(FrameNumber::ONE);
}

impl FromStr for FirstFrame {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == SCENE {
            return Ok(Self::Scene);
        }
        text.parse().map(Self::Number).map_err(|_| ValueError {
            given: text.to_owned(),
            wanted: format!(
                "a whole number from {} to {}, or `{SCENE}`",
                FrameNumber::MIN,
                FrameNumber::MAX
            ),
        })
    }
}

/// The number of frames in the animation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TotalFrames {
    /// This many, 1 or more.
    Count(u32),
    /// As many as in the scene's own range.
    Scene,
}

impl TotalFrames {
    /// The number of frames, given the scene's own range; `None` if that range is needed and
    /// `scene` is `None`.
    pub fn count(self, scene: Option<FrameRange>) -> Option<i64> {
        match self {
            Self::Count(count) => Some(i64::from(count)),
            Self::Scene => scene.map(|range| i64::from(range.len())),
        }
    }
}

impl FromStr for TotalFrames {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == SCENE {
            return Ok(Self::Scene);
        }
        whole_number(text, 1, FrameNumber::MAX as u32).map(Self::Count).map_err(|error| {
            ValueError { wanted: format!("{}, or `{SCENE}`", error.wanted), ..error }
        })
    }
}

/// Why a selection cannot be resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SelectionError {
    /// The selection contains frame numbers that Blender does not support.
    #[error(
        "frames {first} to {last} were requested, but Blender's last frame is {max}; lower \
         --frames-per-job (F_PER_JOB) or the array size, or set --total-frames (TOTAL_FRAMES) to \
         the number of frames in the animation",
        max = FrameNumber::MAX
    )]
    OutOfRange {
        /// The first frame of the selection.
        first: i64,
        /// The last frame of the selection.
        last: i64,
    },
    /// The scene ends before the first frame that was requested.
    #[error(
        "frames from {first} on were requested, but the scene's last frame is {last}; set \
         --total-frames (TOTAL_FRAMES) to the number of frames"
    )]
    PastTheEnd {
        /// The first frame that was requested.
        first: FrameNumber,
        /// The scene's last frame.
        last: FrameNumber,
    },
    /// The selection depends on the scene's own range, which is not known.
    #[error("the scene's own frame range is needed and not known")]
    SceneRangeUnknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_of_an_animation_come_from_the_scene() {
        let number = |number| FrameNumber::new(number).unwrap();
        let range = |first, last| FrameRange { first: number(first), last: number(last) };
        let from = |first| Some(FirstFrame::Number(number(first)));
        let (scene, count) = (Some(FirstFrame::Scene), |count| Some(TotalFrames::Count(count)));
        for (first, total, expected) in [
            (None, None, range(101, 299)),
            (scene, Some(TotalFrames::Scene), range(101, 299)),
            (None, Some(TotalFrames::Scene), range(101, 299)),
            (None, count(10), range(1, 10)),
            (scene, count(10), range(101, 110)),
            (from(-5), count(3), range(-5, -3)),
            (from(250), None, range(250, 299)),
            (from(1), Some(TotalFrames::Scene), range(1, 199)),
        ] {
            let frames = AnimationRange { first, total };
            assert_eq!(frames.resolve(Some(range(101, 299))), Ok(expected), "{frames:?}");
            let needed = frames.resolve(None) == Err(SelectionError::SceneRangeUnknown);
            assert_eq!(frames.needs_scene_range(), needed, "{frames:?}");
        }
        let past = AnimationRange { first: from(300), total: None };
        let past = past.resolve(Some(range(101, 299)));
        assert!(matches!(past, Err(SelectionError::PastTheEnd { .. })), "{past:?}");
        let beyond = AnimationRange { first: from(1_000_000), total: count(1_000_000) };
        assert!(matches!(beyond.resolve(None), Err(SelectionError::OutOfRange { .. })));
    }
}

//! The frames that one container of an array job renders: array index → frame set.

use std::str::FromStr;

use super::animation::{AnimationRange, FirstFrame, SelectionError, TotalFrames};
use super::set::{FrameNumber, FrameRange, FrameSet};
use crate::request::ArrayPosition;
use crate::request::value::{ValueError, whole_number};

/// The most children that an array job can have. The fewest are 2 ("Array jobs" in the AWS Batch
/// user guide).
pub const LARGEST_ARRAY: u32 = 10_000;

/// The number of frames that one container renders, 1 or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FramesPerJob(u32);

impl FramesPerJob {
    /// One frame, the minimum.
    pub const ONE: Self = Self(1);

    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }

    /// The smallest number with which one array job covers `frames` frames.
    pub fn fitting(frames: u32) -> Self {
        Self(frames.div_ceil(LARGEST_ARRAY).max(1))
    }

    /// The smallest number with which `children` jobs render `frames` frames.
    pub fn among(frames: u32, children: u32) -> Self {
        Self(frames.div_ceil(children.max(1)).max(1))
    }

    /// The number of jobs that render `frames` frames.
    pub fn jobs(self, frames: u32) -> u32 {
        frames.div_ceil(self.0)
    }
}

impl FromStr for FramesPerJob {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        whole_number(text, 1, FrameNumber::MAX as u32).map(Self)
    }
}

/// The number of children among which frames are dealt one by one, 1 or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stride(u32);

impl Stride {
    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl FromStr for Stride {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        whole_number(text, 1, FrameNumber::MAX as u32).map(Self)
    }
}

/// The frames that a container must render. Some selections depend on the scene's own range, so
/// [`FrameSelection::resolve`] turns them into frames once that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameSelection {
    /// Exactly these frames.
    Exactly(FrameSet),
    /// The whole animation.
    Animation(AnimationRange),
    /// Array index i renders the i-th `per_job` frames of this set.
    PartOf {
        /// The frames of all children together.
        frames: FrameSet,
        /// How many of them one child renders.
        per_job: FramesPerJob,
        /// The position of this child.
        array: ArrayPosition,
    },
    /// Array index i renders every `stride`-th of these frames, beginning with the i-th.
    Dealt {
        /// The frames of all children together.
        all: Box<Self>,
        /// The number of children.
        stride: Stride,
        /// The index of this child, below the number of children.
        index: u32,
    },
    /// Array index i renders frames `first + i*per_job ..= first + i*per_job + per_job - 1`.
    /// Without an index, the container renders the frames of index 0.
    Slice {
        /// How many frames one child renders.
        per_job: FramesPerJob,
        /// The position of this child, in an array job.
        array: Option<ArrayPosition>,
        /// The first frame of index 0.
        first: FirstFrame,
        /// The length of the animation, past which frames are left out; `None` for no limit.
        total: Option<TotalFrames>,
    },
}

impl FrameSelection {
    /// Whether first and last frame say which frames these are, and not a set that names them.
    pub fn is_by_range(&self) -> bool {
        match self {
            Self::Animation(_) | Self::Slice { .. } => true,
            Self::Exactly(_) | Self::PartOf { .. } => false,
            Self::Dealt { all, .. } => all.is_by_range(),
        }
    }

    /// Whether [`FrameSelection::resolve`] needs the scene's own range.
    pub fn needs_scene_range(&self) -> bool {
        match self {
            Self::Exactly(_) | Self::PartOf { .. } => false,
            Self::Animation(range) => range.needs_scene_range(),
            Self::Dealt { all, .. } => all.needs_scene_range(),
            Self::Slice { first, total, .. } => {
                *first == FirstFrame::Scene || *total == Some(TotalFrames::Scene)
            }
        }
    }

    /// The frames to render; empty for a child past the end of the animation.
    ///
    /// # Errors
    /// - [`SelectionError::PastTheEnd`], if a whole animation has no frames.
    /// - [`SelectionError::OutOfRange`], if a frame number is out of Blender's range.
    /// - [`SelectionError::SceneRangeUnknown`], if the scene's range is needed (see
    ///   [`FrameSelection::needs_scene_range`]) and `scene` is `None`.
    pub fn resolve(&self, scene: Option<FrameRange>) -> Result<FrameSet, SelectionError> {
        match self {
            Self::Exactly(frames) => Ok(frames.clone()),
            Self::Animation(range) => range.resolve(scene).map(FrameSet::from),
            Self::PartOf { frames, per_job, array } => {
                let size = per_job.0 as usize;
                Ok(frames.chunk((array.index as usize).saturating_mul(size), size))
            }
            Self::Dealt { all, stride, index } => {
                Ok(all.resolve(scene)?.every(stride.0 as usize, *index as usize))
            }
            Self::Slice { per_job, array, first, total } => {
                let first = match first {
                    FirstFrame::Number(number) => Some(i64::from(number.get())),
                    FirstFrame::Scene => scene.map(|s| i64::from(s.first.get())),
                };
                let first = first.ok_or(SelectionError::SceneRangeUnknown)?;
                let end = match total {
                    None => i64::MAX,
                    Some(total) => {
                        first + total.count(scene).ok_or(SelectionError::SceneRangeUnknown)? - 1
                    }
                };
                let index = array.map_or(0, |a| i64::from(a.index));
                let per_job = i64::from(per_job.0);
                let begin = first + index * per_job;
                bounds(begin, (begin + per_job - 1).min(end))
            }
        }
    }
}

/// The frames from `first` to `last`, including both.
fn bounds(first: i64, last: i64) -> Result<FrameSet, SelectionError> {
    if last < first {
        return Ok(FrameSet::default());
    }
    match (FrameNumber::new(first), FrameNumber::new(last)) {
        (Some(first), Some(last)) => Ok(FrameSet::from_bounds(first, last)),
        _ => Err(SelectionError::OutOfRange { first, last }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slice(per_job: u32, index: Option<u32>, first: i64, total: Option<u32>) -> FrameSelection {
        FrameSelection::Slice {
            per_job: FramesPerJob(per_job),
            array: index.map(|index| ArrayPosition { index, size: None }),
            first: FirstFrame::Number(FrameNumber::new(first).unwrap()),
            total: total.map(TotalFrames::Count),
        }
    }

    fn range(first: i64, last: i64) -> FrameRange {
        FrameRange {
            first: FrameNumber::new(first).unwrap(),
            last: FrameNumber::new(last).unwrap(),
        }
    }

    #[test]
    fn a_child_renders_its_slice() {
        let table = [
            // As in the reference script: frames 1..=F without an index, else from index*F+1 on.
            (slice(10, None, 1, None), "1-10"),
            (slice(10, Some(0), 1, None), "1-10"),
            (slice(10, Some(3), 1, None), "31-40"),
            (slice(1, Some(9999), 1, None), "10000"),
            // The first frame shifts the slice.
            (slice(5, Some(0), -5, None), "-5--1"),
            (slice(5, Some(1), 0, None), "5-9"),
            // The total shortens the slice, or leaves nothing past the end.
            (slice(10, Some(1), 1, Some(15)), "11-15"),
            (slice(10, Some(2), 1, Some(15)), ""),
            (slice(10, Some(0), -5, Some(3)), "-5--3"),
            (slice(10, Some(4_000_000), 1, Some(15)), ""),
        ];
        for (selection, expected) in table {
            let frames = selection.resolve(None).unwrap();
            assert_eq!(frames.to_string(), expected, "{selection:?}");
        }
    }

    #[test]
    fn the_scenes_own_range_is_used_if_requested() {
        let selection = FrameSelection::Slice {
            per_job: FramesPerJob(10),
            array: Some(ArrayPosition { index: 1, size: None }),
            first: FirstFrame::Scene,
            total: Some(TotalFrames::Scene),
        };
        assert!(selection.needs_scene_range());
        let frames = selection.resolve(Some(range(101, 115))).unwrap();
        assert_eq!(frames.to_string(), "111-115");
        assert_eq!(selection.resolve(None), Err(SelectionError::SceneRangeUnknown));
    }

    #[test]
    fn a_child_renders_its_part_of_a_frame_set() {
        let part = |index| FrameSelection::PartOf {
            frames: "1-9x2,100".parse().unwrap(),
            per_job: FramesPerJob(4),
            array: ArrayPosition { index, size: None },
        };
        let resolved = |index| part(index).resolve(None).unwrap().to_string();
        assert_eq!(resolved(0), "1,3,5,7");
        assert_eq!(resolved(1), "9,100");
        assert_eq!(resolved(2), "");
        assert_eq!(resolved(u32::MAX), "");
    }

    #[test]
    fn a_child_renders_every_nth_frame() {
        let dealt = |all, index| {
            let dealt = FrameSelection::Dealt { all: Box::new(all), stride: Stride(4), index };
            dealt.resolve(Some(range(101, 110))).unwrap().to_string()
        };
        let animation = || FrameSelection::Animation(AnimationRange::default());
        assert_eq!(dealt(animation(), 0), "101,105,109");
        assert_eq!(dealt(animation(), 3), "104,108");
        let named = || FrameSelection::Exactly("1-9x2,100,200".parse().unwrap());
        assert_eq!(dealt(named(), 1), "3,100");
        assert_eq!(dealt(FrameSelection::Exactly("5".parse().unwrap()), 3), "");
    }

    #[test]
    fn a_slice_past_blenders_last_frame_is_refused() {
        assert!(matches!(
            slice(1_000_000, Some(u32::MAX), 1, None).resolve(None),
            Err(SelectionError::OutOfRange { .. })
        ));
    }

    proptest! {
        #[test]
        fn the_children_of_an_array_cover_every_frame_exactly_once(
            per_job in 1u32..50, total in 1u32..2000, first in -500i64..500
        ) {
            let size = total.div_ceil(per_job);
            let mut all = Vec::new();
            for index in 0..size + 2 {
                all.extend(slice(per_job, Some(index), first, Some(total)).resolve(None).unwrap().iter());
            }
            let expected: Vec<_> = (first..first + i64::from(total))
                .filter_map(FrameNumber::new)
                .collect();
            prop_assert_eq!(all, expected);
        }
    }
}

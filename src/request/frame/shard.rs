//! Which frames of the animation are this container's: array index → frame set.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use crate::request::value::{ValueError, whole_number};
use crate::request::{ArrayPosition, FrameNumber, FrameRange, FrameSet};

/// The keyword that stands for what the scene file itself says.
const SCENE: &str = "scene";

/// How many children an array job has at most; at least it has 2 ("Array jobs" in the AWS
/// Batch user guide).
pub const LARGEST_ARRAY: u32 = 10_000;

/// How many frames one container renders: 1 and up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FramesPerJob(u32);

impl FramesPerJob {
    /// One, the fewest.
    pub const ONE: Self = Self(1);

    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }

    /// The fewest with which one array is large enough for so many frames.
    pub fn fitting(frames: u32) -> Self {
        Self(frames.div_ceil(LARGEST_ARRAY).max(1))
    }

    /// How many jobs render so many frames.
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

/// Where the animation begins: with which frame array index 0 starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstFrame {
    /// With this one.
    Number(FrameNumber),
    /// With the scene's own first frame.
    Scene,
}

impl FirstFrame {
    /// Where the reference script begins.
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

/// How many frames the animation has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TotalFrames {
    /// This many, 1 and up.
    Count(u32),
    /// As many as the scene's own range has.
    Scene,
}

impl TotalFrames {
    /// The number of frames, given the scene's own range.
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

/// The frames a container was asked to render. [`FrameSelection::resolve`] turns
/// it into frames as soon as the scene's own range is known, if it is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameSelection {
    /// These and no others.
    Exactly(FrameSet),
    /// Array index i renders the i-th `per_job` frames of this set.
    PartOf {
        /// The frames of all children together.
        frames: FrameSet,
        /// How many of them a child takes.
        per_job: FramesPerJob,
        /// Which child this is.
        array: ArrayPosition,
    },
    /// Array index i renders frames `first + i*per_job ..= first + i*per_job + per_job - 1`;
    /// without an index, those of index 0.
    Slice {
        /// How many frames a child takes.
        per_job: FramesPerJob,
        /// Which child this is, if there is an array.
        array: Option<ArrayPosition>,
        /// Where index 0 begins.
        first: FirstFrame,
        /// Where the animation ends; `None` does not clamp.
        total: Option<TotalFrames>,
    },
}

impl FrameSelection {
    /// Whether the scene's own range must be known to resolve this.
    pub fn needs_scene_range(&self) -> bool {
        match self {
            Self::Exactly(_) | Self::PartOf { .. } => false,
            Self::Slice { first, total, .. } => {
                *first == FirstFrame::Scene || *total == Some(TotalFrames::Scene)
            }
        }
    }

    /// The frames to render; empty for a child that lies wholly past the end.
    ///
    /// # Errors
    /// If a frame would lie outside of what Blender has, or if the scene's range is
    /// needed (see [`FrameSelection::needs_scene_range`]) and `scene` is `None`.
    pub fn resolve(&self, scene: Option<FrameRange>) -> Result<FrameSet, SelectionError> {
        match self {
            Self::Exactly(frames) => Ok(frames.clone()),
            Self::PartOf { frames, per_job, array } => {
                let size = per_job.0 as usize;
                Ok(frames.chunk((array.index as usize).saturating_mul(size), size))
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

fn bounds(first: i64, last: i64) -> Result<FrameSet, SelectionError> {
    if last < first {
        return Ok(FrameSet::default());
    }
    match (FrameNumber::new(first), FrameNumber::new(last)) {
        (Some(first), Some(last)) => Ok(FrameSet::from_bounds(first, last)),
        _ => Err(SelectionError::OutOfRange { first, last }),
    }
}

/// Why a selection gives no frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectionError {
    /// The slice reaches past what Blender can count.
    OutOfRange {
        /// The slice's first frame.
        first: i64,
        /// The slice's last frame.
        last: i64,
    },
    /// The scene ends before the first frame that was asked for.
    PastTheEnd {
        /// The first frame.
        first: FrameNumber,
        /// The scene's last one.
        last: FrameNumber,
    },
    /// `scene` was asked for, and the scene's range could not be had.
    SceneRangeUnknown,
}

impl fmt::Display for SelectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { first, last } => write!(
                f,
                "frames {first} to {last} are asked for, but Blender's last frame is {}; lower \
                 --frames-per-job (F_PER_JOB) or the array size, or say with --total-frames \
                 (TOTAL_FRAMES) where the animation ends",
                FrameNumber::MAX
            ),
            Self::PastTheEnd { first, last } => write!(
                f,
                "frames from {first} on are asked for, but the scene's last frame is {last}; say \
                 with --total-frames (TOTAL_FRAMES) how many there are"
            ),
            Self::SceneRangeUnknown => {
                f.write_str("the scene's own frame range is needed and not known")
            }
        }
    }
}

impl Error for SelectionError {}

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
            // As the reference script: frames 1..=F without an index, else index*F+1 ...
            (slice(10, None, 1, None), "1-10"),
            (slice(10, Some(0), 1, None), "1-10"),
            (slice(10, Some(3), 1, None), "31-40"),
            (slice(1, Some(9999), 1, None), "10000"),
            // Shifted by the first frame.
            (slice(5, Some(0), -5, None), "-5--1"),
            (slice(5, Some(1), 0, None), "5-9"),
            // Clamped by the total; wholly past the end: nothing.
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
    fn the_scene_says_where_it_begins_and_ends() {
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
    fn a_part_of_a_set_is_counted_in_its_own_frames() {
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

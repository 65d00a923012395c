//! A request to stitch.

use crate::request::{ByteSize, FirstFrame, FrameSet, Location, TotalFrames, VideoSettings};

/// Everything that was asked of `stitch`.
#[derive(Clone, Debug)]
pub struct StitchJob {
    /// The frames lie in `frames/` below it, the reports of `render` in `reports/`.
    pub input: Location,
    /// The video goes here, its report to `reports/` below it.
    pub output: Location,
    /// Which frames must be there.
    pub frames: SequenceSelection,
    /// Whether a frame that is missing or damaged is bridged by holding the one
    /// before it, instead of stopping the job.
    pub allow_gaps: bool,
    /// How much of the frames is fetched ahead of the one that FFmpeg is given. That one is
    /// not counted, and a next one is fetched however large it is: 0 means that one alone.
    pub max_prefetch: ByteSize,
    /// How the frames become a video.
    pub video: VideoSettings,
}

/// The frames a video is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SequenceSelection {
    /// These and no others.
    Exactly(FrameSet),
    /// Consecutive frames.
    Range {
        /// The first one; `None` is the first frame that is there, or 1 where
        /// `total` says how many there must be.
        first: Option<FirstFrame>,
        /// How many there must be; `None` goes up to the last that is there.
        total: Option<TotalFrames>,
    },
}

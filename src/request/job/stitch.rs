//! A request to `stitch` frames to a video.

use crate::request::{ByteSize, FirstFrame, FrameSet, Location, TotalFrames, VideoSettings};

/// A validated `stitch` request.
#[derive(Clone, Debug)]
pub struct StitchJob {
    /// The location with the frames in `frames/` and the reports of `render` in `reports/`.
    pub input: Location,
    /// The location for the video, and for its report in `reports/`.
    pub output: Location,
    /// The frames that the video is made of. All of them must exist.
    pub frames: SequenceSelection,
    /// Whether the previous frame is held in place of one that is missing or damaged. Otherwise
    /// the job fails.
    pub allow_gaps: bool,
    /// The size of frames to fetch ahead of the current one, which is not counted. The next frame
    /// is always fetched, whatever its size: 0 means that frame alone.
    pub max_prefetch: ByteSize,
    /// The settings of the video.
    pub video: VideoSettings,
}

/// The frames that a video is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SequenceSelection {
    /// Exactly these frames.
    Exactly(FrameSet),
    /// Consecutive frames.
    Range {
        /// The first frame. `None` stands for the first that exists, or for frame 1 if `total` is
        /// given.
        first: Option<FirstFrame>,
        /// The number of frames. `None` stands for all up to the last that exists.
        total: Option<TotalFrames>,
    },
}

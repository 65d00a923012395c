//! A request to `run`: to render a scene on this machine, and to make the video.

use super::render::RenderJob;
use super::stitch::{SequenceSelection, StitchJob};
use crate::request::{ByteSize, FrameSet, VideoSettings};

/// A validated `run` request.
#[derive(Clone, Debug)]
pub struct RunJob {
    /// The frames, and how to render them.
    pub render: RenderJob,
    /// Whether the previous frame is held in place of one that is damaged. Otherwise the job fails.
    pub allow_gaps: bool,
    /// The size of frames to fetch ahead of the current one, as in [`StitchJob`].
    pub max_prefetch: ByteSize,
    /// The settings of the video.
    pub video: VideoSettings,
    /// Whether a page shows the output meanwhile.
    pub watch: bool,
}

impl RunJob {
    /// The request to stitch `frames`, which are rendered by now.
    pub fn stitch(&self, frames: FrameSet) -> StitchJob {
        let output = &self.render.output;
        StitchJob {
            input: output.clone(),
            images: None,
            output: output.clone(),
            frames: SequenceSelection::Exactly(frames),
            is_any_folder: false,
            order: None,
            allow_gaps: self.allow_gaps,
            max_prefetch: self.max_prefetch,
            // `render` has made them, and the contact sheet.
            previews: false,
            video: self.video.clone(),
        }
    }
}

//! A request to `stitch` frames to a video.

use std::str::FromStr;

use crate::request::value::ValueError;
use crate::request::{
    ByteSize, FirstFrame, FrameSet, Location, NamePattern, OUTPUTS_DIR, TotalFrames, VideoSettings,
};

/// A validated `stitch` request.
#[derive(Clone, Debug)]
pub struct StitchJob {
    /// The location with the frames in `frames/` and the reports of `render` in `reports/`.
    pub input: Location,
    /// The names of the images, directly in the input; `None` for those of its only sequence.
    pub images: Option<NamePattern>,
    /// The location for the video, and for its report in `reports/`.
    pub output: Location,
    /// The frames that the video is made of. All of them must exist.
    pub frames: SequenceSelection,
    /// Whether the input was given as any folder of pictures. What the job leaves open then suits a
    /// slide show, unless the folder turns out to be an output of `render`.
    pub is_any_folder: bool,
    /// The order of the pictures; `None` leaves it open.
    pub order: Option<PictureOrder>,
    /// Whether the previous frame is held in place of one that is missing or damaged. Otherwise
    /// the job fails.
    pub allow_gaps: bool,
    /// The size of frames to fetch ahead of the current one, which is not counted. The next frame
    /// is always fetched, whatever its size: 0 means that frame alone.
    pub max_prefetch: ByteSize,
    /// Whether a contact sheet of the frames is stored, in `previews/`.
    pub previews: bool,
    /// The settings of the video.
    pub video: VideoSettings,
}

impl StitchJob {
    /// The output of `render` whose scene made the images besides its frames; `None` if the input
    /// is in no folder `outputs/`.
    pub fn output_of_scene(&self) -> Option<Location> {
        let mut folder = self.input.clone();
        loop {
            let (parent, name) = folder.split()?;
            if name == OUTPUTS_DIR {
                return Some(parent);
            }
            folder = parent;
        }
    }
}

#[cfg(test)]
impl StitchJob {
    /// All numbered images of `/in` to `/out/output.mp4`, with the default settings.
    pub fn example() -> Self {
        Self {
            input: Location::Local("/in".into()),
            images: None,
            output: Location::Local("/out".into()),
            frames: SequenceSelection::EVERYTHING,
            is_any_folder: false,
            order: None,
            allow_gaps: false,
            max_prefetch: ByteSize::gib(1),
            previews: true,
            video: VideoSettings::example(),
        }
    }
}

/// The order of the pictures of a video.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureOrder {
    /// By the numbers in their names, which must be those of one sequence without gaps.
    Number,
    /// By their names, whatever these are; numbers in names count as numbers.
    Name,
    /// By the time of their last change.
    Time,
}

impl FromStr for PictureOrder {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "number" => Ok(Self::Number),
            "name" => Ok(Self::Name),
            "time" => Ok(Self::Time),
            _ => Err(ValueError::new(text, "number, name or time")),
        }
    }
}

impl SequenceSelection {
    /// Every frame that exists.
    pub const EVERYTHING: Self = Self::Range { first: None, total: None };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_scene_makes_besides_its_frames_is_below_its_output() {
        for (input, output) in [
            ("s3://bucket/shot/outputs/Passes", Some("s3://bucket/shot")),
            ("/shot/outputs/Passes/light", Some("/shot")),
            ("/outputs/shot/outputs/right", Some("/outputs/shot")),
            ("outputs/right", Some(".")),
            ("/shot/frames", None),
            ("s3://bucket", None),
        ] {
            let job = StitchJob { input: input.parse().unwrap(), ..StitchJob::example() };
            let found = job.output_of_scene().map(|output| output.to_string());
            assert_eq!(found.as_deref(), output, "{input}");
        }
    }
}

//! The parts of a report: what an attempt did, frame by frame, start by start.

use serde::{Deserialize, Serialize};

use crate::blender::BakedSimulation;

/// Where a stored frame came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FrameState {
    /// This attempt rendered and stored it.
    Rendered,
    /// An earlier attempt stored it, rendered from the same inputs.
    AlreadyThere,
}

/// A stored frame.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FrameReport {
    /// Where it came from.
    pub state: FrameState,
    /// The file name in `frames/`.
    pub file: String,
    /// The size in bytes.
    pub bytes: u64,
    /// The rendering time in seconds, from the end of the previous frame, or from Blender's start;
    /// absent if the frame was already there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

/// What a File Output node saves for each frame, or the frames of a further view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OutputReport {
    /// The label of the node, or else its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The name of the view.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view: Option<String>,
    /// The folder of its files, as a path below the output: `outputs/Passes`.
    pub folder: String,
    /// The files that it saves for each frame.
    pub files: Vec<OutputFileReport>,
}

/// A file that is saved for each frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OutputFileReport {
    /// The names of the files, with a `#` for each digit that the number of the frame has at least:
    /// `beauty_####.exr`.
    pub file: String,
    /// The requested frames whose files are stored.
    pub frames: String,
    /// The size of these files in bytes.
    pub bytes: u64,
}

/// One launch of Blender, from its start until the frames that it saved are stored.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LaunchReport {
    /// The frames that it was started for.
    pub frames: String,
    /// The duration in whole seconds.
    pub seconds: f64,
    /// What was simulated, because it is not baked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub simulation: Option<SimulationReport>,
    /// The exit status or signal, or why Blender was stopped.
    pub ended: String,
    /// The frame that Blender was rendering, if the launch failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_in_hand: Option<i32>,
    /// The cause, if the launch failed and the attempt went on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The name of Blender's crash file, stored beside the report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crash_file: Option<String>,
}

/// The cost of the simulations in one launch of Blender.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SimulationReport {
    /// The number of frames that were simulated, including those that were not rendered.
    pub frames: usize,
    /// The seconds that this took. They are not part of the rendering times of frames.
    pub seconds: f64,
}

/// The stored scene with baked simulations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BakeReport {
    /// The URI or path of the file.
    pub file: String,
    /// The size in bytes.
    pub bytes: u64,
    /// The version of Blender.
    pub blender: String,
    /// The duration in whole seconds.
    pub seconds: u64,
    /// The simulations that were baked.
    pub simulations: Vec<BakedSimulation>,
}

/// The stored video.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct VideoReport {
    /// The file name.
    pub file: String,
    /// The size in bytes.
    pub bytes: u64,
    /// The number of frames, counted in the file.
    pub frames: u64,
    /// The frame rate in frames per second: `24`, `30000/1001`.
    pub fps: String,
    /// FFmpeg's name for the codec.
    pub codec: String,
    /// The width in pixels.
    pub width: u32,
    /// The height in pixels.
    pub height: u32,
    /// The version of FFmpeg.
    pub ffmpeg: String,
}

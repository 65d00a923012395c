//! What is in a scene file, as Blender sees it and before anything is replaced.

use serde::{Deserialize, Serialize};

use crate::request::FrameRate;

/// A scene of the file, with its own settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SceneContents {
    /// The name.
    pub name: String,
    /// Whether it is rendered unless another one is named.
    pub is_active: bool,
    /// The render engine that it is set to.
    pub engine: String,
    /// The number of samples; absent for engines other than Cycles and EEVEE.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<u32>,
    /// Width of a frame in pixels.
    pub width: u32,
    /// Height of a frame in pixels.
    pub height: u32,
    /// The number of frames in `fps_base` seconds.
    pub fps: u32,
    /// The seconds that `fps` frames take: 1.0, or 1.001 for NTSC rates.
    pub fps_base: f64,
    /// The first frame.
    pub frame_start: i32,
    /// The last frame.
    pub frame_end: i32,
    /// The step from frame to frame.
    pub frame_step: i32,
    /// The format of the frames; empty if this Blender does not have it.
    pub format: String,
    /// The channels of the frames: `BW`, `RGB` or `RGBA`.
    pub color_mode: String,
    /// The bits of a channel.
    pub color_depth: String,
    /// Where the scene itself would store its frames.
    pub output_path: String,
    /// The camera; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera: Option<String>,
    /// All cameras.
    pub cameras: Vec<String>,
    /// The view layers.
    pub view_layers: Vec<ViewLayerContents>,
    /// Whether the compositor makes the pictures.
    pub uses_compositor: bool,
    /// Whether the sequencer makes the pictures.
    pub uses_sequencer: bool,
}

/// A view layer of a scene.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ViewLayerContents {
    /// The name.
    pub name: String,
    /// Whether it is rendered.
    pub is_rendered: bool,
}

impl SceneContents {
    /// The frame rate, if it is usable.
    pub fn frame_rate(&self) -> Option<FrameRate> {
        FrameRate::from_scene(self.fps, self.fps_base)
    }
}

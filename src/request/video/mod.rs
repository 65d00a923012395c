//! What a video is made like: codec, quality, frame rate, name, look and sound.

mod burn_in;
mod codec;
mod frame_rate;
mod look;
mod output_name;
mod pixel_format;
mod sound;

pub use burn_in::{BurnIn, BurnInItem, Corner};
pub use codec::{Codec, Crf, Preset};
pub use frame_rate::FrameRate;
pub use look::{Colour, LayerName, Look, VideoSize, ViewTransform};
pub use output_name::OutputName;
pub use pixel_format::{BitDepth, PixelFormat};
pub use sound::{Sound, SoundOffset};

/// The settings of a video.
#[derive(Clone, Debug)]
pub struct VideoSettings {
    /// The codec, which determines the encoder.
    pub codec: Codec,
    /// The pixels that the encoder gets.
    pub pixels: PixelFormat,
    /// The constant rate factor; `None` for the encoder's default.
    pub crf: Option<Crf>,
    /// The encoder's trade-off between speed and size; `None` for its default.
    pub preset: Option<Preset>,
    /// The frame rate; `None` for the scene's own, from the reports of `render`.
    pub fps: Option<FrameRate>,
    /// The file name of the video, below the output location.
    pub name: OutputName,
    /// How the pictures look.
    pub look: Look,
    /// The sound.
    pub sound: Sound,
}

#[cfg(test)]
impl VideoSettings {
    /// The settings that apply where none are given.
    pub fn example() -> Self {
        let codec = Codec::H264;
        Self {
            codec,
            pixels: PixelFormat::Yuv420p,
            crf: None,
            preset: None,
            fps: None,
            name: OutputName::default_for(codec),
            look: Look::default(),
            sound: Sound::default(),
        }
    }
}

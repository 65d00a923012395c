//! The pixels that an encoder gets.

use std::str::FromStr;

use crate::request::value::ValueError;

/// The layout of raw pixels, by FFmpeg's names. Samples of more than 8 bits are little-endian words
/// of 16 bits. The planes follow each other: Y, U, V, and alpha if there is any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PixelFormat {
    /// 8 bits, chroma of half the width and height.
    Yuv420p,
    /// The same, with alpha.
    Yuva420p,
    /// 10 bits, chroma of half the width and height.
    Yuv420p10,
    /// 8 bits, chroma of half the width.
    Yuv422p,
    /// 10 bits, chroma of half the width.
    Yuv422p10,
    /// 10 bits, chroma of the full size.
    Yuv444p10,
    /// The same, with alpha.
    Yuva444p10,
    /// Red, green and blue of each pixel, 8 bits each.
    Rgb,
    /// The same, with alpha.
    Rgba,
}

impl PixelFormat {
    /// FFmpeg's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Yuv420p => "yuv420p",
            Self::Yuva420p => "yuva420p",
            Self::Yuv420p10 => "yuv420p10le",
            Self::Yuv422p => "yuv422p",
            Self::Yuv422p10 => "yuv422p10le",
            Self::Yuv444p10 => "yuv444p10le",
            Self::Yuva444p10 => "yuva444p10le",
            Self::Rgb => "rgb24",
            Self::Rgba => "rgba",
        }
    }

    /// Whether it has alpha.
    pub fn has_alpha(self) -> bool {
        match self {
            Self::Yuva420p | Self::Yuva444p10 | Self::Rgba => true,
            Self::Yuv420p
            | Self::Yuv420p10
            | Self::Yuv422p
            | Self::Yuv422p10
            | Self::Yuv444p10
            | Self::Rgb => false,
        }
    }

    /// The bits of a sample.
    pub fn depth(self) -> BitDepth {
        match self {
            Self::Yuv420p | Self::Yuva420p | Self::Yuv422p | Self::Rgb | Self::Rgba => {
                BitDepth::Eight
            }
            Self::Yuv420p10 | Self::Yuv422p10 | Self::Yuv444p10 | Self::Yuva444p10 => BitDepth::Ten,
        }
    }

    /// The width and height of a picture in such pixels must be multiples of these.
    pub fn granularity(self) -> (u32, u32) {
        match self {
            Self::Yuv420p | Self::Yuva420p | Self::Yuv420p10 => (2, 2),
            Self::Yuv422p | Self::Yuv422p10 => (2, 1),
            Self::Yuv444p10 | Self::Yuva444p10 | Self::Rgb | Self::Rgba => (1, 1),
        }
    }
}

/// The bits of a sample of a video.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitDepth {
    /// 8 bits.
    Eight,
    /// 10 bits.
    Ten,
}

impl FromStr for BitDepth {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "8" => Ok(Self::Eight),
            "10" => Ok(Self::Ten),
            _ => Err(ValueError::new(text, "8 or 10")),
        }
    }
}

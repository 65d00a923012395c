//! Video codecs, and the settings of their encoders.

use std::fmt;
use std::str::FromStr;

use super::pixel_format::{BitDepth, PixelFormat};
use crate::request::value::{ValueError, whole_number};

/// A video codec.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Codec {
    /// H.264, 4:2:0. Plays everywhere in 8 bits.
    #[default]
    H264,
    /// H.265, 4:2:0. About half the size; most players support it.
    H265,
    /// AV1, 4:2:0. Smaller still; browsers support it.
    Av1,
    /// VP9, 4:2:0. Browsers support it, also with alpha.
    Vp9,
    /// Apple `ProRes` 422 HQ, 10 bits. For editing.
    ProRes,
    /// Apple `ProRes` 4444, 10 bits, with alpha if wanted. For editing and compositing.
    ProRes4444,
    /// Avid `DNxHR`: HQ in 8 bits, HQX in 10. For editing.
    DnxHr,
    /// Animated GIF, of at most 256 colours a frame.
    Gif,
}

impl Codec {
    /// All codecs.
    pub const ALL: [Self; 8] = [
        Self::H264,
        Self::H265,
        Self::Av1,
        Self::Vp9,
        Self::ProRes,
        Self::ProRes4444,
        Self::DnxHr,
        Self::Gif,
    ];

    /// The file name extensions of the containers that players support with this codec. The first
    /// one is the default.
    pub(super) fn containers(self) -> &'static [&'static str] {
        match self {
            Self::H264 | Self::H265 => &["mp4", "mov", "mkv"],
            Self::Av1 => &["mp4", "webm", "mkv"],
            Self::Vp9 => &["webm", "mkv", "mp4"],
            Self::ProRes | Self::ProRes4444 => &["mov", "mkv"],
            Self::DnxHr => &["mov", "mkv", "mxf"],
            Self::Gif => &["gif"],
        }
    }

    /// The default codec of a file with this extension: H.264, unless its container cannot hold it.
    /// `None` if no container has this extension.
    pub fn of_container(extension: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| match codec {
            // AV1 needs a newer player than VP9.
            Self::Av1 => false,
            _ => codec.containers().contains(&extension),
        })
    }

    /// The largest constant rate factor of its encoder; `None` if the encoder has none.
    fn largest_rate_factor(self) -> Option<u32> {
        match self {
            Self::H264 | Self::H265 => Some(51),
            Self::Av1 | Self::Vp9 => Some(63),
            Self::ProRes | Self::ProRes4444 | Self::DnxHr | Self::Gif => None,
        }
    }

    /// The presets of its encoder, from the fastest to the slowest.
    fn presets(self) -> &'static [&'static str] {
        match self {
            Self::H264 | Self::H265 => &[
                "ultrafast",
                "superfast",
                "veryfast",
                "faster",
                "fast",
                "medium",
                "slow",
                "slower",
                "veryslow",
                "placebo",
            ],
            // SVT-AV1's presets 11 to 13 are not in all of its versions.
            Self::Av1 => &["10", "9", "8", "7", "6", "5", "4", "3", "2", "1", "0"],
            Self::Vp9 | Self::ProRes | Self::ProRes4444 | Self::DnxHr | Self::Gif => &[],
        }
    }

    /// Whether a video of this codec can keep the alpha of the pictures.
    pub fn keeps_alpha(self) -> bool {
        match self {
            Self::Vp9 | Self::ProRes4444 | Self::Gif => true,
            Self::H264 | Self::H265 | Self::Av1 | Self::ProRes | Self::DnxHr => false,
        }
    }

    /// The smallest width and height in pixels that its encoder takes.
    pub fn smallest_size(self) -> (u32, u32) {
        match self {
            // `libx265_encode_init` in FFmpeg.
            Self::H265 => (16, 16),
            // `svt_av1_verify_settings` in SVT-AV1.
            Self::Av1 => (64, 64),
            // `dnxhd_init_hr` and the profiles of `libavcodec/dnxhddata.c` in FFmpeg.
            Self::DnxHr => (256, 120),
            Self::H264 | Self::Vp9 | Self::ProRes | Self::ProRes4444 | Self::Gif => (1, 1),
        }
    }

    /// The largest width and height in pixels that its encoder takes.
    pub fn largest_size(self) -> (u32, u32) {
        match self {
            // `validate_parameters` in x264; `--size-limit` of Debian's libvpx.
            Self::H264 | Self::Vp9 => (16_384, 16_384),
            // `svt_av1_verify_settings` in SVT-AV1.
            Self::Av1 => (16_384, 8_704),
            // The fields of the containers have 16 bits.
            Self::H265 | Self::ProRes | Self::ProRes4444 | Self::DnxHr | Self::Gif => {
                (65_535, 65_535)
            }
        }
    }

    /// Whether a video of this codec can have sound.
    pub fn has_sound(self) -> bool {
        self != Self::Gif
    }

    /// The pixels that its encoder gets: of this depth or else of its default depth, with or without
    /// alpha. `None` if it has no such pixels.
    pub fn pixel_format(self, depth: Option<BitDepth>, alpha: bool) -> Option<PixelFormat> {
        use BitDepth::{Eight, Ten};
        match (self, depth, alpha) {
            (Self::H264 | Self::H265 | Self::Av1 | Self::Vp9, None | Some(Eight), false) => {
                Some(PixelFormat::Yuv420p)
            }
            (Self::H264 | Self::H265 | Self::Av1 | Self::Vp9, Some(Ten), false) => {
                Some(PixelFormat::Yuv420p10)
            }
            (Self::Vp9, None | Some(Eight), true) => Some(PixelFormat::Yuva420p),
            (Self::ProRes, None | Some(Ten), false) | (Self::DnxHr, Some(Ten), false) => {
                Some(PixelFormat::Yuv422p10)
            }
            (Self::ProRes4444, None | Some(Ten), false) => Some(PixelFormat::Yuv444p10),
            (Self::ProRes4444, None | Some(Ten), true) => Some(PixelFormat::Yuva444p10),
            (Self::DnxHr, None | Some(Eight), false) => Some(PixelFormat::Yuv422p),
            (Self::Gif, None | Some(Eight), false) => Some(PixelFormat::Rgb),
            (Self::Gif, None | Some(Eight), true) => Some(PixelFormat::Rgba),
            (Self::H264 | Self::H265 | Self::Av1 | Self::ProRes | Self::DnxHr, _, true)
            | (Self::Vp9, Some(Ten), true)
            | (Self::ProRes | Self::ProRes4444, Some(Eight), _)
            | (Self::Gif, Some(Ten), _) => None,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::H264 => "h264",
            Self::H265 => "h265",
            Self::Av1 => "av1",
            Self::Vp9 => "vp9",
            Self::ProRes => "prores",
            Self::ProRes4444 => "prores4444",
            Self::DnxHr => "dnxhr",
            Self::Gif => "gif",
        })
    }
}

impl FromStr for Codec {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|codec| codec.to_string() == text).ok_or_else(|| {
            ValueError::new(text, "h264, h265, av1, vp9, prores, prores4444, dnxhr or gif")
        })
    }
}

/// The constant rate factor of an encoder, from 0 (best) to 51 or 63 (worst).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crf(u32);

impl Crf {
    /// Parses the factor for the encoder of `codec`.
    ///
    /// # Errors
    /// [`ValueError`], if it is out of range; `None` if the encoder takes none.
    pub fn new(text: &str, codec: Codec) -> Result<Self, Option<ValueError>> {
        let largest = codec.largest_rate_factor().ok_or(None)?;
        whole_number(text, 0, largest).map(Self).map_err(Some)
    }

    /// The factor.
    pub fn get(self) -> u32 {
        self.0
    }
}

/// A preset of an encoder: its trade-off between speed and size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset(&'static str);

impl Preset {
    /// Parses the preset for the encoder of `codec`.
    ///
    /// # Errors
    /// [`ValueError`], if there is none of this name; `None` if the encoder has no presets.
    pub fn new(text: &str, codec: Codec) -> Result<Self, Option<ValueError>> {
        let presets = codec.presets();
        if presets.is_empty() {
            return Err(None);
        }
        let known = presets.iter().find(|&&name| name == text);
        known.copied().map(Self).ok_or_else(|| {
            let wanted = format!("one of {} (the codec is {codec})", presets.join(", "));
            Some(ValueError::new(text, &wanted))
        })
    }

    /// The preset's name.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_have_names() {
        for codec in Codec::ALL {
            assert_eq!(codec.to_string().parse(), Ok(codec));
        }
        for unknown in ["H264", "h.264", ""] {
            assert!(unknown.parse::<Codec>().is_err(), "{unknown}");
        }
    }

    #[test]
    fn settings_of_the_encoders_are_validated() {
        assert_eq!(Crf::new("51", Codec::H264).unwrap().get(), 51);
        assert_eq!(Crf::new("63", Codec::Vp9).unwrap().get(), 63);
        assert!(matches!(Crf::new("52", Codec::H265), Err(Some(_))));
        assert!(matches!(Crf::new("5", Codec::ProRes), Err(None)));
        assert_eq!(Preset::new("slow", Codec::H264).unwrap().as_str(), "slow");
        assert_eq!(Preset::new("6", Codec::Av1).unwrap().as_str(), "6");
        for (text, codec) in [("Slow", Codec::H264), ("slow", Codec::Av1), ("6", Codec::H265)] {
            assert!(matches!(Preset::new(text, codec), Err(Some(_))), "{text}");
        }
        assert!(matches!(Preset::new("slow", Codec::Gif), Err(None)));
    }

    #[test]
    fn alpha_is_kept_by_the_codecs_that_can_keep_it() {
        for codec in Codec::ALL {
            let kept = codec.pixel_format(None, true);
            assert_eq!(kept.is_some_and(PixelFormat::has_alpha), codec.keeps_alpha(), "{codec}");
            assert!(codec.pixel_format(None, false).is_some(), "{codec}");
        }
    }

    #[test]
    fn a_container_has_a_default_codec() {
        let table = [
            ("mp4", Some(Codec::H264)),
            ("mkv", Some(Codec::H264)),
            ("webm", Some(Codec::Vp9)),
            ("gif", Some(Codec::Gif)),
            ("mxf", Some(Codec::DnxHr)),
            ("avi", None),
        ];
        for (extension, codec) in table {
            assert_eq!(Codec::of_container(extension), codec, "{extension}");
        }
    }
}

//! How the pictures of a video look: their size, background and view transform.

use std::fmt;
use std::str::FromStr;

use super::burn_in::BurnIn;
use crate::request::value::{ValueError, whole_number};

/// How the pictures of a video look.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// The size that all pictures are fitted into; `None` if they must have the same size.
    pub size: Option<VideoSize>,
    /// The colour behind transparent pictures, and beside pictures of another shape.
    pub background: Colour,
    /// The view transform of linear pictures.
    pub view: ViewTransform,
    /// The layer of OpenEXR files that holds the picture; `None` for the rendered picture.
    pub layer: Option<LayerName>,
    /// What is written into the pictures.
    pub burn_in: Option<BurnIn>,
}

/// The size that pictures are fitted into, each with its own shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VideoSize {
    /// This size in pixels.
    Exactly {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// The size of the first picture.
    First,
    /// The largest width and the largest height of all pictures.
    Largest,
}

impl VideoSize {
    /// The limit of H.264 and H.265 is near this side.
    const LARGEST_SIDE: u32 = 16_384;
}

impl FromStr for VideoSize {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let side = |side| whole_number(side, 2, Self::LARGEST_SIDE).ok();
        match text {
            "first" => Ok(Self::First),
            "largest" => Ok(Self::Largest),
            _ => text
                .split_once('x')
                .and_then(|(width, height)| side(width).zip(side(height)))
                .map(|(width, height)| Self::Exactly { width, height })
                .ok_or_else(|| {
                    ValueError::new(text, "a size such as 1920x1080, or first or largest")
                }),
        }
    }
}

/// A colour of a display: red, green and blue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Colour(pub [u8; 3]);

impl FromStr for Colour {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6);
        match (text, digits.and_then(|digits| u32::from_str_radix(digits, 16).ok())) {
            ("black", _) => Ok(Self([0; 3])),
            ("white", _) => Ok(Self([255; 3])),
            (_, Some(number)) if !text.contains('+') => {
                let [_, red, green, blue] = number.to_be_bytes();
                Ok(Self([red, green, blue]))
            }
            _ => Err(ValueError::new(text, "black, white, or a colour such as #80a0c0")),
        }
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self([0, 0, 0]) => f.write_str("black"),
            Self([255, 255, 255]) => f.write_str("white"),
            Self([red, green, blue]) => write!(f, "#{red:02x}{green:02x}{blue:02x}"),
        }
    }
}

/// How linear pictures (OpenEXR, HDR) are shown. Other pictures are values for a display already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ViewTransform {
    /// As Blender shows the scene, if `render` left its view transform with the frames; otherwise
    /// like [`ViewTransform::Standard`].
    #[default]
    Scene,
    /// With the curve of sRGB alone.
    Standard,
    /// As they are: the values are data.
    None,
}

impl FromStr for ViewTransform {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "scene" => Ok(Self::Scene),
            "standard" => Ok(Self::Standard),
            "none" => Ok(Self::None),
            _ => Err(ValueError::new(text, "scene, standard or none")),
        }
    }
}

/// The name of a layer: of a view layer, a pass, or an eye.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerName(String);

impl LayerName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LayerName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // OpenEXR limits names to 255 bytes.
        if text.is_empty() || text.len() > 255 || text.chars().any(char::is_control) {
            return Err(ValueError::new(text, "the name of a layer such as ViewLayer"));
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_video_has_a_size_or_that_of_its_pictures() {
        let exactly = VideoSize::Exactly { width: 1920, height: 1080 };
        assert_eq!("1920x1080".parse(), Ok(exactly));
        assert_eq!("first".parse(), Ok(VideoSize::First));
        assert_eq!("largest".parse(), Ok(VideoSize::Largest));
        for bad in ["", "1920", "1920x", "1x1", "0x9", "1920x1080x3", "50%", "16385x2", "First"] {
            assert!(bad.parse::<VideoSize>().is_err(), "{bad}");
        }
    }

    #[test]
    fn colours_are_names_or_digits() {
        for (text, colour) in [("black", [0; 3]), ("white", [255; 3]), ("#80a0C0", [128, 160, 192])]
        {
            assert_eq!(text.parse(), Ok(Colour(colour)));
        }
        assert_eq!(Colour([128, 160, 5]).to_string(), "#80a005");
        for bad in ["", "#", "#80a0c", "#80a0c0f", "80a0c0", "#+0a0c0", "#80a0cg", "red"] {
            assert!(bad.parse::<Colour>().is_err(), "{bad}");
        }
    }

    #[test]
    fn views_and_layers_have_names() {
        assert_eq!("none".parse(), Ok(ViewTransform::None));
        assert!("AgX".parse::<ViewTransform>().is_err());
        assert_eq!("View Layer.Depth".parse::<LayerName>().unwrap().as_str(), "View Layer.Depth");
        assert!("".parse::<LayerName>().is_err() && "a\nb".parse::<LayerName>().is_err());
    }
}

//! The size of the pictures, and the part of them that is rendered.

use std::str::FromStr;

use serde::Serialize;

use crate::request::{ValueError, whole_number};

/// The size of the pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Resolution {
    /// A percentage of the scene's own width and height, in place of the scene's own percentage.
    Percentage(u32),
    /// The size in pixels.
    Size {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
    },
}

impl Resolution {
    // Source: resolution_percentage, resolution_x and resolution_y in
    // source/blender/makesrna/intern/rna_scene.cc in Blender.
    const LARGEST_PERCENTAGE: u32 = 32_767;
    const SMALLEST_SIDE: u32 = 4;
    const LARGEST_SIDE: u32 = 65_536;
}

impl FromStr for Resolution {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let side = |side| whole_number(side, Self::SMALLEST_SIDE, Self::LARGEST_SIDE).ok();
        let parsed = match (text.strip_suffix('%'), text.split_once('x')) {
            (Some(percentage), _) => {
                whole_number(percentage, 1, Self::LARGEST_PERCENTAGE).ok().map(Self::Percentage)
            }
            (None, Some((width, height))) => {
                side(width).zip(side(height)).map(|(width, height)| Self::Size { width, height })
            }
            (None, None) => None,
        };
        parsed.ok_or_else(|| {
            ValueError::new(text, "a percentage such as 50%, or a size such as 1920x1080")
        })
    }
}

/// The part of the picture that is rendered: Blender's Render Region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Border {
    /// The rectangle; absent for the whole picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
}

/// A rectangle, as fractions of the picture. The origin is at the bottom left.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Region {
    /// The left side.
    min_x: f64,
    /// The bottom.
    min_y: f64,
    /// The right side.
    max_x: f64,
    /// The top.
    max_y: f64,
    /// Whether the picture is cut to the rectangle: Blender's Crop to Render Region.
    crop: bool,
}

/// The fractions are numbers from 0 to 1.
impl Eq for Region {}

impl FromStr for Border {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self { region: None });
        }
        let (sides, crop) = match text.strip_suffix(",crop") {
            Some(sides) => (sides, true),
            None => (text, false),
        };
        let sides: Vec<_> = sides.split(',').map(fraction).collect();
        match sides[..] {
            [Some(min_x), Some(min_y), Some(max_x), Some(max_y)]
                if min_x < max_x && min_y < max_y =>
            {
                Ok(Self { region: Some(Region { min_x, min_y, max_x, max_y, crop }) })
            }
            _ => Err(ValueError::new(
                text,
                "the left, bottom, right and top side as fractions from 0 to 1, such as \
                 0.25,0,0.75,1, with `,crop` appended to cut the picture, or off",
            )),
        }
    }
}

/// A number from 0 to 1, in plain digits.
fn fraction(text: &str) -> Option<f64> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    text.parse().ok().filter(|number| plain && (0.0..=1.0).contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolution_is_a_percentage_or_a_size() {
        assert_eq!("50%".parse(), Ok(Resolution::Percentage(50)));
        assert_eq!("1920x1080".parse(), Ok(Resolution::Size { width: 1920, height: 1080 }));
        for bad in ["", "50", "0%", "50 %", "32768%", "3x9", "1920x", "x1080", "1x2x3", "65537x9"] {
            assert!(bad.parse::<Resolution>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_border_has_four_sides_in_order() {
        let region = |crop| {
            let region = Region { min_x: 0.0, min_y: 0.25, max_x: 0.5, max_y: 1.0, crop };
            Border { region: Some(region) }
        };
        assert_eq!("0,.25,0.5,1".parse(), Ok(region(false)));
        assert_eq!("0,.25,0.5,1,crop".parse(), Ok(region(true)));
        assert_eq!("off".parse(), Ok(Border { region: None }));
        for bad in ["", "crop", "0,0,1", "0,0,1,1,1", "0,0,1,1.1", "0,0,nan,1", "-0,0,1,1"] {
            assert!(bad.parse::<Border>().is_err(), "{bad}");
        }
        for empty in ["0.5,0,0.5,1", "0.6,0,0.5,1", "0,1,1,0"] {
            assert!(empty.parse::<Border>().is_err(), "{empty}");
        }
    }
}

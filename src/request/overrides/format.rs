//! The format of the frames. Blender itself knows which depths and channels a format has.

use std::str::FromStr;

use serde::Serialize;

use crate::request::ValueError;

/// A format that Blender renders to and that the worker verifies. `STILLS` in the setup script
/// has the same names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "these are the names of the formats")]
pub enum PictureFormat {
    Png,
    Jpeg,
    OpenExr,
    OpenExrMultilayer,
    Tiff,
    Webp,
    Bmp,
    Targa,
    Hdr,
}

/// The names of the formats in Python.
const FORMATS: [(&str, PictureFormat); 9] = [
    ("PNG", PictureFormat::Png),
    ("JPEG", PictureFormat::Jpeg),
    ("OPEN_EXR", PictureFormat::OpenExr),
    ("OPEN_EXR_MULTILAYER", PictureFormat::OpenExrMultilayer),
    ("TIFF", PictureFormat::Tiff),
    ("WEBP", PictureFormat::Webp),
    ("BMP", PictureFormat::Bmp),
    ("TARGA", PictureFormat::Targa),
    ("HDR", PictureFormat::Hdr),
];

impl FromStr for PictureFormat {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = FORMATS.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        found.map(|(_, format)| format).ok_or_else(|| {
            let names = FORMATS.map(|(name, _)| name).join(", ");
            ValueError::new(text, &format!("one of {names}"))
        })
    }
}

/// The bits of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ColorDepth(u8);

impl FromStr for ColorDepth {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Source: rna_enum_image_color_depth_items in Blender's rna_scene.cc.
        let known = ["8", "10", "12", "16", "32"];
        let depth = text.parse().ok().filter(|_| known.contains(&text));
        depth.map(Self).ok_or_else(|| ValueError::new(text, "8, 10, 12, 16 or 32"))
    }
}

/// The channels of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum ColorMode {
    /// Grey.
    Bw,
    /// Colours.
    Rgb,
    /// Colours and alpha.
    Rgba,
}

impl FromStr for ColorMode {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_uppercase().as_str() {
            "BW" => Ok(Self::Bw),
            "RGB" => Ok(Self::Rgb),
            "RGBA" => Ok(Self::Rgba),
            _ => Err(ValueError::new(text, "BW, RGB or RGBA")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_has_its_name_in_python() {
        for (name, format) in FORMATS {
            assert_eq!(name.parse(), Ok(format));
            assert_eq!(name.to_ascii_lowercase().parse(), Ok(format));
            assert_eq!(serde_json::to_string(&format).unwrap(), format!("{name:?}"));
        }
        for bad in ["", "EXR ", "FFMPEG", "DPX"] {
            assert!(bad.parse::<PictureFormat>().is_err(), "{bad}");
        }
    }

    #[test]
    fn depths_and_modes_are_those_of_blender() {
        assert_eq!("16".parse(), Ok(ColorDepth(16)));
        for bad in ["", "08", "9", "64", "16 bit"] {
            assert!(bad.parse::<ColorDepth>().is_err(), "{bad}");
        }
        assert_eq!("rgb".parse(), Ok(ColorMode::Rgb));
        for bad in ["", "RGBX", "grey"] {
            assert!(bad.parse::<ColorMode>().is_err(), "{bad}");
        }
    }
}

//! Settings of a scene that a job replaces.

use std::str::FromStr;

use serde::Serialize;

use super::value::{ValueError, whole_number};

/// The settings that a job replaces in the scene, as the setup script reads them. Two jobs whose
/// overrides serialise to the same text render the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RenderOverrides {
    /// The render engine.
    pub engine: Engine,
    /// Whether pictures are denoised.
    pub denoise: Denoise,
    /// The number of samples; absent for the scene's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<Samples>,
    /// The size of the pictures; absent for the scene's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    /// Whether size and samples are reduced for a quick look, where they are not given.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub preview: bool,
}

/// The engine to render with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Engine {
    /// The engine that Blender knows by this name: `CYCLES`, `BLENDER_EEVEE_NEXT`, …. The names
    /// depend on Blender's version and add-ons, so Blender itself validates them.
    Named(String),
    /// The engine that the scene is set to.
    #[default]
    Scene,
}

impl FromStr for Engine {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "scene" {
            return Ok(Self::Scene);
        }
        let name = !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !text.starts_with(|c: char| c.is_ascii_digit());
        if name {
            Ok(Self::Named(text.to_owned()))
        } else {
            Err(ValueError::new(
                text,
                "the name of a render engine such as CYCLES, BLENDER_EEVEE_NEXT or \
                 BLENDER_WORKBENCH, or `scene`",
            ))
        }
    }
}

/// Whether pictures are denoised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Denoise {
    /// As the scene is set.
    #[default]
    Scene,
    /// Neither by Cycles nor in the compositor.
    Off,
}

impl FromStr for Denoise {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "scene" => Ok(Self::Scene),
            "off" => Ok(Self::Off),
            _ => Err(ValueError::new(text, "scene or off")),
        }
    }
}

/// The number of samples of a pixel, 1 to 2²⁴.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Samples(u32);

impl Samples {
    /// The limit of Cycles (`samples` in intern/cycles/blender/addon/properties.py in Blender).
    const MAX: u32 = 1 << 24;
}

impl FromStr for Samples {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        whole_number(text, 1, Self::MAX).map(Self)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_are_identifiers() {
        assert_eq!("CYCLES".parse(), Ok(Engine::Named("CYCLES".into())));
        assert_eq!("scene".parse(), Ok(Engine::Scene));
        for bad in ["", "-a", "a b", "CYCLES;rm", "7"] {
            assert!(bad.parse::<Engine>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_resolution_is_a_percentage_or_a_size() {
        assert_eq!("50%".parse(), Ok(Resolution::Percentage(50)));
        assert_eq!("1920x1080".parse(), Ok(Resolution::Size { width: 1920, height: 1080 }));
        for bad in ["", "50", "0%", "50 %", "32768%", "3x9", "1920x", "x1080", "1x2x3", "65537x9"] {
            assert!(bad.parse::<Resolution>().is_err(), "{bad}");
        }
    }

    #[test]
    fn samples_have_the_range_of_cycles() {
        assert_eq!("16777216".parse(), Ok(Samples(1 << 24)));
        for bad in ["", "0", "16777217", "-1", "1.5"] {
            assert!(bad.parse::<Samples>().is_err(), "{bad}");
        }
    }

    #[test]
    fn overrides_serialise_as_the_setup_script_reads_them() {
        let json = |overrides: &RenderOverrides| serde_json::to_string(overrides).unwrap();
        let mut overrides = RenderOverrides::default();
        assert_eq!(json(&overrides), r#"{"engine":null,"denoise":"scene"}"#);
        overrides.engine = Engine::Named("CYCLES".into());
        overrides.samples = "16".parse().ok();
        overrides.resolution = "50%".parse().ok();
        overrides.preview = true;
        assert_eq!(
            json(&overrides),
            r#"{"engine":"CYCLES","denoise":"scene","samples":16,"resolution":50,"preview":true}"#
        );
        overrides.resolution = "64x48".parse().ok();
        assert!(json(&overrides).contains(r#""resolution":{"width":64,"height":48}"#));
    }
}

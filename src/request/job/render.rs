//! A request to render.

use std::str::FromStr;

use crate::request::value::ValueError;

use crate::request::{AllowMissing, ByteSize, Denoise, FrameSelection, Location, StartJitter};

/// Everything that was asked of `render`.
#[derive(Clone, Debug)]
pub struct RenderJob {
    /// The scene file.
    pub scene: Location,
    /// The frames go to `frames/` below it, the report to `reports/`.
    pub output: Location,
    /// Which frames.
    pub frames: FrameSelection,
    /// Which render engine.
    pub engine: Engine,
    /// On what Cycles renders; `None` leaves it to the scene.
    pub cycles_device: Option<CyclesDevice>,
    /// Whether pictures are denoised.
    pub denoise: Denoise,
    /// What the scene needs and the picture may do without, where this Blender lacks it.
    pub allow_missing: AllowMissing,
    /// Whether Python inside of the scene file may run by itself.
    pub enable_autoexec: bool,
    /// How much may lie in scratch that is saved and not stored; above it Blender waits.
    pub max_backlog: ByteSize,
    /// Whether frames that are there already, made from the same, are left as they are.
    pub resume: bool,
    /// How long to wait at most before the first request to storage.
    pub start_jitter: StartJitter,
}

#[cfg(test)]
#[expect(clippy::missing_panics_doc, reason = "for tests")]
impl RenderJob {
    /// Frames 1 to 3 of `/in/a.blend` to `/out`, with every setting as by default.
    pub fn example() -> Self {
        Self {
            scene: Location::Local("/in/a.blend".into()),
            output: Location::Local("/out".into()),
            frames: FrameSelection::Exactly("1-3".parse().expect("a frame set")),
            engine: Engine::Named("CYCLES".into()),
            cycles_device: None,
            denoise: Denoise::Scene,
            allow_missing: AllowMissing::default(),
            enable_autoexec: false,
            max_backlog: ByteSize::gib(1),
            resume: true,
            start_jitter: StartJitter::default(),
        }
    }
}

/// The render engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Engine {
    /// By the name Blender knows it under: `CYCLES`, `BLENDER_EEVEE_NEXT`, ….
    /// Which names there are depends on Blender's version and its add-ons, so
    /// Blender itself is the judge.
    Named(String),
    /// The one the scene file is set to.
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

/// What Cycles computes on, as Blender's `--cycles-device` takes it: `CUDA`,
/// `OPTIX+CPU`, ….
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CyclesDevice(String);

impl CyclesDevice {
    /// The device as Blender takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CyclesDevice {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The list is that of intern/cycles/blender/addon/engine.py.
        let known = ["CPU", "CUDA", "OPTIX", "HIP", "ONEAPI", "METAL"];
        let device = text.strip_suffix("+CPU").unwrap_or(text);
        if known.contains(&device) && text != "CPU+CPU" {
            Ok(Self(text.to_owned()))
        } else {
            Err(ValueError::new(
                text,
                "CPU, CUDA, OPTIX, HIP, ONEAPI or METAL, with +CPU behind it to use both",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_are_names() {
        assert_eq!("CYCLES".parse(), Ok(Engine::Named("CYCLES".into())));
        assert_eq!("scene".parse(), Ok(Engine::Scene));
        for bad in ["", "-a", "a b", "CYCLES;rm", "7"] {
            assert!(bad.parse::<Engine>().is_err(), "{bad}");
        }
    }

    #[test]
    fn devices_are_those_of_cycles() {
        for good in ["CPU", "CUDA", "OPTIX+CPU"] {
            assert_eq!(good.parse::<CyclesDevice>().unwrap().as_str(), good);
        }
        for bad in ["", "cuda", "CUDA+OPTIX", "CPU+CPU", "+CPU", "GPU"] {
            assert!(bad.parse::<CyclesDevice>().is_err(), "{bad}");
        }
    }
}

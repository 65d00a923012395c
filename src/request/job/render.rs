//! A request to `render` frames.

use std::str::FromStr;

use crate::request::value::ValueError;
use crate::request::{
    AllowMissing, ByteSize, FrameSelection, Location, MissingFiles, RenderOverrides, StartJitter,
    Unbaked, UserCode,
};

/// A validated `render` request.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct RenderJob {
    /// The scene file.
    pub scene: Location,
    /// The location for the frames, in `frames/`, and for the report, in `reports/`.
    pub output: Location,
    /// The frames to render.
    pub frames: FrameSelection,
    /// The settings of the scene that the job replaces.
    pub overrides: RenderOverrides,
    /// The device that Cycles renders on; `None` for the scene's own setting.
    pub cycles_device: Option<CyclesDevice>,
    /// The features that this Blender may lack although the scene needs them.
    pub allow_missing: AllowMissing,
    /// The Python that is added to Blender.
    pub user_code: UserCode,
    /// Whether frames are rendered without files that the scene needs.
    pub missing_files: MissingFiles,
    /// Whether everything that makes the pictures differ from those of Blender on a desktop is an
    /// error.
    pub strict: bool,
    /// What to do about simulations that are not baked.
    pub unbaked: Unbaked,
    /// Whether Python scripts in the scene file run automatically.
    pub enable_autoexec: bool,
    /// The size of saved but not yet stored frames in scratch above which Blender is paused.
    pub max_backlog: ByteSize,
    /// Whether stored frames that were made from the same inputs are kept.
    pub resume: bool,
    /// Whether a preview of each frame is stored, in `previews/`, and a contact sheet of all.
    pub previews: bool,
    /// The longest random delay before the first request to storage.
    pub start_jitter: StartJitter,
}

#[cfg(test)]
#[expect(clippy::missing_panics_doc, reason = "for tests")]
impl RenderJob {
    /// Frames 1 to 3 of `/in/a.blend` to `/out`, with the default settings.
    pub fn example() -> Self {
        use crate::request::Engine;

        Self {
            scene: Location::Local("/in/a.blend".into()),
            output: Location::Local("/out".into()),
            frames: FrameSelection::Exactly("1-3".parse().expect("a frame set")),
            overrides: RenderOverrides {
                engine: Engine::Named("CYCLES".into()),
                ..RenderOverrides::default()
            },
            cycles_device: None,
            allow_missing: AllowMissing::default(),
            user_code: UserCode::default(),
            missing_files: MissingFiles::default(),
            strict: false,
            unbaked: Unbaked::default(),
            enable_autoexec: false,
            max_backlog: ByteSize::gib(1),
            resume: true,
            previews: true,
            start_jitter: StartJitter::default(),
        }
    }
}

/// The device that Cycles renders on, in the syntax of Blender's `--cycles-device`: `CUDA`,
/// `OPTIX+CPU`, ….
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CyclesDevice(String);

impl CyclesDevice {
    /// The device in Blender's syntax.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CyclesDevice {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Source: intern/cycles/blender/addon/engine.py in Blender.
        let known = ["CPU", "CUDA", "OPTIX", "HIP", "ONEAPI", "METAL"];
        let device = text.strip_suffix("+CPU").unwrap_or(text);
        if known.contains(&device) && text != "CPU+CPU" {
            Ok(Self(text.to_owned()))
        } else {
            Err(ValueError::new(
                text,
                "CPU, CUDA, OPTIX, HIP, ONEAPI or METAL, with +CPU appended to use both",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_devices_of_cycles_are_accepted() {
        for good in ["CPU", "CUDA", "OPTIX+CPU"] {
            assert_eq!(good.parse::<CyclesDevice>().unwrap().as_str(), good);
        }
        for bad in ["", "cuda", "CUDA+OPTIX", "CPU+CPU", "+CPU", "GPU"] {
            assert!(bad.parse::<CyclesDevice>().is_err(), "{bad}");
        }
    }
}

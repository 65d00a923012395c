//! Settings of a scene that a job replaces.

mod engine;
mod format;
mod names;
mod picture;
mod property;
mod quality;

use serde::Serialize;

pub use engine::Engine;
pub use format::{ColorDepth, ColorMode, PictureFormat};
pub use names::{CameraChoice, DataName, ViewLayers};
pub use picture::{Border, Resolution};
pub use property::{PathStep, PropertySetting, PropertySettings};
pub use quality::{Denoise, OnOff, Samples, Seed, Simplify, Threads, TimeLimit};

/// The settings that a job replaces in the scene, as the setup script reads them. Two jobs whose
/// overrides serialise to the same text render the same. An absent setting is the scene's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RenderOverrides {
    /// The render engine.
    pub engine: Engine,
    /// Whether pictures are denoised.
    pub denoise: Denoise,
    /// The scene of the file that is rendered; absent for the active one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scene: Option<DataName>,
    /// The view layers that are rendered; absent for those that the scene renders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view_layers: Option<ViewLayers>,
    /// The camera.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera: Option<DataName>,
    /// The number of samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<Samples>,
    /// The size of the pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    /// The part of the picture that is rendered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub border: Option<Border>,
    /// The format of the frames.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<PictureFormat>,
    /// The bits of a channel of the frames.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color_depth: Option<ColorDepth>,
    /// The channels of the frames.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color_mode: Option<ColorMode>,
    /// The longest time for the samples of one frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_limit: Option<TimeLimit>,
    /// The seed of the noise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<Seed>,
    /// Whether the scene is simplified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub simplify: Option<Simplify>,
    /// Whether Blender keeps data of a frame in memory for the next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub persistent_data: Option<OnOff>,
    /// The number of threads that render.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<Threads>,
    /// Any other properties, in the order in which they are set.
    #[serde(skip_serializing_if = "PropertySettings::is_empty")]
    pub set: PropertySettings,
    /// Whether size and samples are reduced for a quick look, where they are not given.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub preview: bool,
}

impl RenderOverrides {
    /// The overrides that can change pixels.
    #[must_use]
    pub fn of_pixels(&self) -> Self {
        Self { persistent_data: None, threads: None, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(overrides: &RenderOverrides) -> String {
        serde_json::to_string(overrides).unwrap()
    }

    #[test]
    fn overrides_serialise_as_the_setup_script_reads_them() {
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

    #[test]
    fn every_override_serialises() {
        let overrides = RenderOverrides {
            scene: "Shot 4".parse().ok(),
            view_layers: "Fore,Back".parse().ok(),
            camera: "Cam".parse().ok(),
            border: "0,0.25,0.5,1".parse().ok(),
            format: "open_exr".parse().ok(),
            color_depth: "16".parse().ok(),
            color_mode: "rgba".parse().ok(),
            time_limit: "90s".parse().ok(),
            seed: "7".parse().ok(),
            simplify: "2".parse().ok(),
            persistent_data: "on".parse().ok(),
            threads: "4".parse().ok(),
            set: "cycles.max_bounces=4".parse().unwrap(),
            ..RenderOverrides::default()
        };
        assert_eq!(
            json(&overrides),
            r#"{"engine":null,"denoise":"scene","scene":"Shot 4","view_layers":["Fore","Back"],"camera":"Cam","border":{"region":{"min_x":0.0,"min_y":0.25,"max_x":0.5,"max_y":1.0,"crop":false}},"format":"OPEN_EXR","color_depth":16,"color_mode":"RGBA","time_limit":90.0,"seed":7,"simplify":{"enabled":true,"max_subdivision":2},"persistent_data":"on","threads":4,"set":[{"path":["cycles","max_bounces"],"value":"4"}]}"#
        );
    }

    #[test]
    fn settings_of_speed_are_none_of_pixels() {
        let overrides = RenderOverrides {
            persistent_data: "on".parse().ok(),
            threads: "4".parse().ok(),
            ..RenderOverrides::default()
        };
        assert_eq!(overrides.of_pixels(), RenderOverrides::default());
    }
}

//! The settings of the scene that a job replaces, from flags and variables.

use super::Resolver;
use crate::cli::args::OverrideArgs;
use crate::cli::names::{
    BORDER, CAMERA, COLOR_DEPTH, COLOR_MODE, DENOISE, ENGINE, FORMAT, PERSISTENT_DATA, RESOLUTION,
    SAMPLES, SCENE, SEED, SET, SIMPLIFY, THREADS, TIME_LIMIT, VIEW_LAYER,
};
use crate::cli::setting::{Setting, UsageError};
use crate::request::{CameraChoice, Cameras, Engine, RenderOverrides};

impl Resolver<'_> {
    /// The overrides. `engine` is the one that applies if none is given.
    pub(super) fn overrides(
        &self,
        args: &OverrideArgs,
        engine: Engine,
        preview: bool,
    ) -> Result<RenderOverrides, UsageError> {
        let env = self.environment;
        Ok(RenderOverrides {
            engine: ENGINE.value(args.engine.as_deref(), env)?.unwrap_or(engine),
            denoise: DENOISE.value_or_default(args.denoise.as_deref(), env)?,
            scene: SCENE.value(args.scene.as_deref(), env)?,
            view_layers: VIEW_LAYER.value(view_layers(args).as_deref(), env)?,
            camera: match CAMERA.value(args.camera.as_deref(), env)? {
                Some(CameraChoice::Named(name)) => Some(name),
                Some(CameraChoice::Each) | None => None,
            },
            samples: SAMPLES.value(args.samples.as_deref(), env)?,
            resolution: RESOLUTION.value(args.resolution.as_deref(), env)?,
            border: BORDER.value(args.border.as_deref(), env)?,
            format: FORMAT.value(args.format.as_deref(), env)?,
            color_depth: COLOR_DEPTH.value(args.color_depth.as_deref(), env)?,
            color_mode: COLOR_MODE.value(args.color_mode.as_deref(), env)?,
            time_limit: TIME_LIMIT.value(args.time_limit.as_deref(), env)?,
            seed: SEED.value(args.seed.as_deref(), env)?,
            simplify: SIMPLIFY.value(args.simplify.as_deref(), env)?,
            persistent_data: PERSISTENT_DATA.value(args.persistent_data.as_deref(), env)?,
            threads: THREADS.value(args.threads.as_deref(), env)?,
            set: SET.value(properties(args).as_deref(), env)?.unwrap_or_default(),
            preview,
        })
    }

    /// The cameras to render through.
    pub fn cameras(&self, args: &OverrideArgs) -> Result<Cameras, UsageError> {
        Ok(match CAMERA.value(args.camera.as_deref(), self.environment)? {
            Some(CameraChoice::Each) => Cameras::Each,
            Some(CameraChoice::Named(_)) | None => Cameras::One,
        })
    }
}

/// The flags that are given, in the form of their variables, for jobs that get no flags.
pub(in crate::cli) fn as_variables(args: &OverrideArgs) -> [(Setting, Option<String>); 17] {
    [
        (ENGINE, args.engine.clone()),
        (DENOISE, args.denoise.clone()),
        (SCENE, args.scene.clone()),
        (VIEW_LAYER, view_layers(args)),
        (CAMERA, args.camera.clone()),
        (SAMPLES, args.samples.clone()),
        (RESOLUTION, args.resolution.clone()),
        (BORDER, args.border.clone()),
        (FORMAT, args.format.clone()),
        (COLOR_DEPTH, args.color_depth.clone()),
        (COLOR_MODE, args.color_mode.clone()),
        (TIME_LIMIT, args.time_limit.clone()),
        (SEED, args.seed.clone()),
        (SIMPLIFY, args.simplify.clone()),
        (PERSISTENT_DATA, args.persistent_data.clone()),
        (THREADS, args.threads.clone()),
        (SET, properties(args)),
    ]
}

fn view_layers(args: &OverrideArgs) -> Option<String> {
    (!args.view_layer.is_empty()).then(|| args.view_layer.join(","))
}

fn properties(args: &OverrideArgs) -> Option<String> {
    (!args.set.is_empty()).then(|| args.set.join(";"))
}

//! What Blender has found in a scene file, in the output of `inspect --deep`.

use std::fmt::Write as _;

use serde::Serialize;

use super::output::Table;
use crate::blender::{MissingFeature, SceneContents, SceneDescription, Simulation, UnusableFile};

/// What Blender has found in the file.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Described {
    /// The version of this Blender: `4.5.3`.
    version: String,
    /// The scenes of the file.
    scenes: Vec<SceneContents>,
    /// The features that the active scene needs and this Blender lacks.
    lacking: Vec<MissingFeature>,
    /// The files that the active scene needs and Blender cannot use, as in the report of `render`.
    unusable_files: Vec<UnusableFile>,
    /// The simulations of the active scene that are not baked.
    simulations: Vec<Simulation>,
    /// What `render` would warn of, such as Python that does not run.
    warnings: Vec<String>,
    /// Whether the active scene has sound.
    has_sound: bool,
}

impl Described {
    pub fn new(description: &SceneDescription) -> Self {
        let scene = &description.scene;
        Self {
            version: scene.blender.clone(),
            scenes: description.contents.clone().unwrap_or_default(),
            lacking: scene.lacking.clone(),
            unusable_files: scene.unusable_files.clone(),
            simulations: scene.simulations.clone(),
            warnings: scene.warnings.clone(),
            has_sound: scene.audio.is_some(),
        }
    }
}

/// Adds the rows for people.
pub(super) fn description_rows(lines: &mut Table, description: &SceneDescription) {
    let scene = &description.scene;
    lines.row("opened by", format!("Blender {}", scene.blender));
    for scene in description.contents.iter().flatten() {
        scene_rows(lines, scene);
    }
    if scene.audio.is_some() {
        lines.row("sound", "of the active scene; a video has it");
    }
    for MissingFeature { feature, needed_by } in &scene.lacking {
        let needed_by = needed_by.join(", ");
        lines.row("lacking", format!("{}, which is needed by {needed_by}", feature.described()));
    }
    for file in &scene.unusable_files {
        lines.row("unusable", file);
    }
    for simulation in &scene.simulations {
        lines.row("not baked", &simulation.name);
    }
    for warning in &scene.warnings {
        lines.row("warning", warning);
    }
}

fn scene_rows(lines: &mut Table, scene: &SceneContents) {
    let active = if scene.is_active { " (active)" } else { "" };
    lines.row("scene", format!("{}{active}", scene.name));
    lines.row("  frames", frames(scene));
    lines.row("  picture", picture(scene));
    lines.row("  stored as", stored_as(scene));
    let camera = scene.camera.as_deref().unwrap_or("none");
    let others: Vec<_> = scene.cameras.iter().filter(|name| *name != camera).cloned().collect();
    let others =
        if others.is_empty() { String::new() } else { format!("; also {}", others.join(", ")) };
    lines.row("  camera", format!("{camera}{others}"));
    let layers = scene.view_layers.iter().map(|layer| {
        let off = if layer.is_rendered { "" } else { " (not rendered)" };
        format!("{}{off}", layer.name)
    });
    lines.row("  layers", layers.collect::<Vec<_>>().join(", "));
}

fn frames(scene: &SceneContents) -> String {
    let (first, last, step) = (scene.frame_start, scene.frame_end, scene.frame_step);
    let mut text = format!("{first} to {last}");
    if step > 1 {
        _ = write!(text, ", every {step} (render takes all; --frames {first}-{last}x{step})");
    }
    if let Some(rate) = scene.frame_rate() {
        _ = write!(text, ", {rate} a second");
    }
    text
}

fn picture(scene: &SceneContents) -> String {
    let mut text = format!("{}x{}, {}", scene.width, scene.height, scene.engine);
    if let Some(samples) = scene.samples {
        _ = write!(text, ", {samples} sample{}", if samples == 1 { "" } else { "s" });
    }
    for (used, by) in [(scene.uses_compositor, "compositor"), (scene.uses_sequencer, "sequencer")] {
        if used {
            _ = write!(text, ", {by}");
        }
    }
    text
}

fn stored_as(scene: &SceneContents) -> String {
    let format = if scene.format.is_empty() { "an unknown format" } else { &scene.format };
    let (mode, depth, path) = (&scene.color_mode, &scene.color_depth, &scene.output_path);
    format!("{format}, {mode}, {depth} bits; by itself in {path}")
}

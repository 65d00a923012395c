//! The script that Blender runs between loading the scene and rendering.
//!
//! The script replaces the settings that the job overrides and those that would lose frames. It
//! writes a file that describes the scene to the worker: a
//! [`SceneDescription`](super::SceneDescription). It refuses a scene that needs a feature which
//! this Blender lacks.

mod user_code;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;

use crate::request::{FrameRange, RenderJob};

pub use user_code::UserCodePaths;

/// The script and the modules that it imports, as file names and contents. They belong in one
/// folder. Here, `overrides/` has what the job replaces in the scene, `needs/` what is looked for in
/// it before it is rendered, `makes/` what it leaves behind, and `user_code/` runs what the user adds.
pub const SETUP_FILES: [(&str, &str); 40] = [
    (SETUP_SCRIPT, include_str!("setup.py")),
    (ADDONS_SCRIPT, include_str!("user_code/addons.py")),
    // The prefix keeps Python from importing modules of add-ons instead.
    ("render_worker_animation.py", include_str!("animation.py")),
    ("render_worker_answer.py", include_str!("answer.py")),
    ("render_worker_audio.py", include_str!("makes/audio.py")),
    ("render_worker_caches.py", include_str!("needs/caches.py")),
    ("render_worker_compositor.py", include_str!("needs/compositor.py")),
    ("render_worker_constraints.py", include_str!("needs/constraints.py")),
    ("render_worker_contents.py", include_str!("contents.py")),
    ("render_worker_devices.py", include_str!("devices.py")),
    ("render_worker_engine.py", include_str!("overrides/engine.py")),
    ("render_worker_external.py", include_str!("needs/external.py")),
    ("render_worker_features.py", include_str!("needs/features.py")),
    ("render_worker_files.py", include_str!("needs/files.py")),
    ("render_worker_frames.py", include_str!("frames.py")),
    ("render_worker_graph.py", include_str!("needs/graph.py")),
    ("render_worker_images.py", include_str!("needs/images.py")),
    ("render_worker_installing.py", include_str!("user_code/installing.py")),
    ("render_worker_libraries.py", include_str!("needs/libraries.py")),
    ("render_worker_mapping.py", include_str!("needs/mapping.py")),
    ("render_worker_missing.py", include_str!("needs/missing.py")),
    ("render_worker_node_bakes.py", include_str!("needs/node_bakes.py")),
    ("render_worker_nodes.py", include_str!("nodes.py")),
    ("render_worker_objects.py", include_str!("needs/objects.py")),
    ("render_worker_output.py", include_str!("makes/output.py")),
    ("render_worker_outputs.py", include_str!("makes/outputs.py")),
    ("render_worker_overrides.py", include_str!("overrides/overrides.py")),
    ("render_worker_picture.py", include_str!("overrides/picture.py")),
    ("render_worker_properties.py", include_str!("overrides/properties.py")),
    ("render_worker_project.py", include_str!("needs/project.py")),
    ("render_worker_python.py", include_str!("user_code/python.py")),
    ("render_worker_quality.py", include_str!("overrides/quality.py")),
    ("render_worker_scripts.py", include_str!("scripts.py")),
    ("render_worker_selection.py", include_str!("overrides/selection.py")),
    ("render_worker_sequences.py", include_str!("needs/sequences.py")),
    ("render_worker_strips.py", include_str!("needs/strips.py")),
    ("render_worker_used.py", include_str!("needs/used.py")),
    ("render_worker_simulate.py", include_str!("simulate.py")),
    ("render_worker_simulations.py", include_str!("needs/simulations.py")),
    ("render_worker_view.py", include_str!("makes/view.py")),
];

/// The name of the file that Blender runs once it has opened the scene.
pub const SETUP_SCRIPT: &str = "setup.py";

/// The name of the file that Blender runs before that, if the job adds add-ons to it.
pub const ADDONS_SCRIPT: &str = "addons.py";

/// The Python that writes the scene's sound to [`SetupOutput::audio`], once all frames are rendered.
pub const MIX_AUDIO: &str = "import render_worker_audio as audio; audio.mix()";

/// The name of the file beside the script that holds its settings.
pub const SETUP_SETTINGS: &str = "settings.json";

/// Blender's exit status when the script fails, or refuses the scene.
pub const SETUP_EXIT_CODE: i32 = 86;

/// What the setup script writes besides the settings of the scene.
#[derive(Clone, Copy, Debug)]
pub struct SetupOutput<'a> {
    /// The path of the description of the scene.
    pub description: &'a Path,
    /// The path of the 3D LUT from linear light to the colours that Blender shows, an image. It is
    /// written only if frames are stored as linear light.
    pub lut: &'a Path,
    /// The linear values on each axis of the LUT, at an exposure of 0.
    pub lut_axis: &'a [f32],
    /// The path of the sound, which `MIX_AUDIO` writes if the scene has any. If it fails, it
    /// writes why to this path with `AUDIO_ERROR` appended.
    pub audio: &'a Path,
    /// The folder for the files of File Output nodes.
    pub outputs: &'a Path,
}

/// What is appended to [`SetupOutput::audio`].
pub const AUDIO_ERROR: &str = ".error";

/// What a scene is prepared for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To render some of these frames.
    Render(FrameRange),
    /// To describe what is in its file, and which simulations cut off a job of these frames.
    Describe(Option<FrameRange>),
}

/// The project that a scene is in. Paths that lead nowhere on this machine are mapped to its files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SceneProject {
    /// The folder of the project, absolute.
    pub folder: PathBuf,
    /// Where the files are in it that were outside of the project, by the paths that they had.
    pub origins: BTreeMap<String, String>,
    /// The configuration of colours (OCIO) with which its scene was made, in the folder; `None` if that is
    /// Blender's own.
    #[serde(skip)]
    pub colours: Option<String>,
    /// Whether all of the folder was fetched for this scene. Otherwise it is a person's own, and may have
    /// hidden files, which no scene may read.
    pub is_fetched: bool,
}

/// The content of [`SETUP_SETTINGS`]: how to prepare the scene for `job`, and what to write.
pub fn setup_settings(
    job: &RenderJob,
    purpose: Purpose,
    output: SetupOutput<'_>,
    user_code: &UserCodePaths,
    project: Option<&SceneProject>,
) -> String {
    let frames = match purpose {
        Purpose::Render(frames) | Purpose::Describe(Some(frames)) => {
            json!({ "first": frames.first.get(), "last": frames.last.get() })
        }
        Purpose::Describe(None) => json!(null),
    };
    let settings = json!({
        "description": output.description,
        "overrides": job.overrides,
        "allow_missing": job.allow_missing.0,
        "missing_files": job.missing_files,
        "strict": job.strict,
        "simulations": { "unbaked": job.unbaked, "frames": frames },
        "cycles_device": job.cycles_device,
        "view": { "lut": output.lut, "axis": output.lut_axis },
        "audio": output.audio,
        "scripts": user_code.described_scripts(&job.user_code),
        "addons": user_code.described_addons(&job.user_code),
        "describe": matches!(purpose, Purpose::Describe(_)),
        "outputs": output.outputs,
        "project": project,
    });
    settings.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blender::FileProblem;
    use crate::request::{AllowMissing, Denoise, Feature, FrameNumber};

    #[test]
    fn every_module_exists_and_is_imported_by_another() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/blender/setup");
        let files = walkdir::WalkDir::new(folder).into_iter().map(|entry| entry.unwrap());
        let scripts = files.filter(|file| file.path().extension() == Some("py".as_ref()));
        assert_eq!(scripts.count(), SETUP_FILES.len());
        let modules = SETUP_FILES.iter().filter(|(name, _)| name.starts_with("render_worker_"));
        assert_eq!(modules.clone().count(), SETUP_FILES.len() - 2);
        for (name, _) in modules {
            let import = format!("import {} as ", name.trim_end_matches(".py"));
            assert!(SETUP_FILES.iter().any(|(_, text)| text.contains(&import)), "{name}");
        }
    }

    #[test]
    fn the_script_uses_the_names_of_all_features() {
        let (_, script) =
            SETUP_FILES.into_iter().find(|(name, _)| name.contains("features")).unwrap();
        // A missing engine is found in the log instead.
        for feature in Feature::ALL.into_iter().filter(|&feature| feature != Feature::Engine) {
            assert!(script.contains(&format!("\"{feature}\"")), "{feature}");
        }
    }

    #[test]
    fn the_script_uses_the_names_of_all_problems_of_files() {
        // Damage is found by the worker.
        const FOUND: [FileProblem; 4] = [
            FileProblem::Missing,
            FileProblem::Unreadable,
            FileProblem::Empty,
            FileProblem::NotInLibrary,
        ];
        let (_, script) = SETUP_FILES.into_iter().find(|(name, _)| name.contains("files")).unwrap();
        for problem in FOUND {
            let name = serde_json::to_string(&problem).unwrap();
            assert!(script.contains(&name), "{name}");
        }
    }

    #[test]
    fn settings_of_the_script_follow_the_job() {
        let mut job = RenderJob::example();
        job.overrides.denoise = Denoise::Off;
        job.allow_missing = AllowMissing([Feature::Osl, Feature::NewerBlender].into());
        job.strict = true;
        let output = SetupOutput {
            description: Path::new("/s/description/scene.json"),
            lut: Path::new("/s/description/view.png"),
            lut_axis: &[0.0, 0.5],
            audio: Path::new("/s/description/audio.flac"),
            outputs: Path::new("/s/outputs"),
        };
        assert_eq!(
            setup_settings(
                &job,
                Purpose::Render(FrameRange { first: FrameNumber::ONE, last: FrameNumber::ONE }),
                output,
                &UserCodePaths::below(Path::new("/s/setup")),
                Some(&SceneProject {
                    folder: "/s/project".into(),
                    origins: [("/mnt/a.png".to_owned(), "_outside/mnt/a.png".to_owned())].into(),
                    colours: Some("ocio/config.ocio".to_owned()),
                    is_fetched: true,
                }),
            ),
            r#"{"description":"/s/description/scene.json","overrides":{"engine":"CYCLES","denoise":"off"},"allow_missing":["osl","newer-blender"],"missing_files":"fail","strict":true,"simulations":{"unbaked":"refuse","frames":{"first":1,"last":1}},"cycles_device":null,"view":{"lut":"/s/description/view.png","axis":[0.0,0.5]},"audio":"/s/description/audio.flac","scripts":[],"addons":{"names":[],"folder":null},"describe":false,"outputs":"/s/outputs","project":{"folder":"/s/project","origins":{"/mnt/a.png":"_outside/mnt/a.png"},"is_fetched":true}}"#
        );
    }
}

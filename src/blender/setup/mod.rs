//! The script that Blender runs between loading the scene and rendering.
//!
//! It changes the settings that would lose frames, and answers what the worker needs to know
//! of the scene: an [`Answer`](super::Answer), in a file. A scene that needs what this Blender
//! lacks is not rendered.

use std::path::Path;

use serde_json::json;

use crate::request::{Denoise, RenderJob};

/// The script and the modules that it imports: file names, to lie in one folder, and contents.
pub const SETUP_FILES: [(&str, &str); 5] = [
    (SETUP_SCRIPT, include_str!("setup.py")),
    // Modules of add-ons must not be taken for these.
    ("render_worker_external.py", include_str!("external.py")),
    ("render_worker_features.py", include_str!("features.py")),
    ("render_worker_nodes.py", include_str!("nodes.py")),
    ("render_worker_output.py", include_str!("output.py")),
];

/// The one of them that Blender is told to run.
pub const SETUP_SCRIPT: &str = "setup.py";

/// What the script is told, beside it.
pub const SETUP_SETTINGS: &str = "settings.json";

/// Blender's exit status when the script fails, or refuses the scene.
pub const SETUP_EXIT_CODE: i32 = 86;

/// The content of [`SETUP_SETTINGS`]: how to prepare the scene for `job`, and where the answer
/// goes.
pub fn setup_settings(job: &RenderJob, answer: &Path) -> String {
    let settings = json!({
        "answer": answer,
        "denoise": job.denoise != Denoise::Off,
        "allow_missing": job.allow_missing.0,
    });
    settings.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{AllowMissing, Feature};
    use std::fs;

    #[test]
    fn every_module_is_imported_by_another_and_is_there() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/blender/setup");
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let scripts = files.filter(|file| file.extension() == Some("py".as_ref()));
        assert_eq!(scripts.count(), SETUP_FILES.len());
        for (name, _) in SETUP_FILES.iter().filter(|(name, _)| *name != SETUP_SCRIPT) {
            let import = format!("import {} as ", name.trim_end_matches(".py"));
            assert!(SETUP_FILES.iter().any(|(_, text)| text.contains(&import)), "{name}");
        }
    }

    #[test]
    fn the_script_knows_every_feature_that_it_can_find_by_its_name() {
        let (_, script) =
            SETUP_FILES.into_iter().find(|(name, _)| name.contains("features")).unwrap();
        // The log tells of this one.
        for feature in Feature::ALL.into_iter().filter(|&feature| feature != Feature::Engine) {
            assert!(script.contains(&format!("\"{feature}\"")), "{feature}");
        }
    }

    #[test]
    fn the_script_is_told_what_was_asked_for() {
        let mut job = RenderJob::example();
        job.denoise = Denoise::Off;
        job.allow_missing = AllowMissing([Feature::Osl, Feature::NewerBlender].into());
        let settings = setup_settings(&job, Path::new("/s/answer/scene.json"));
        assert_eq!(
            settings,
            r#"{"answer":"/s/answer/scene.json","denoise":false,"allow_missing":["osl","newer-blender"]}"#
        );
    }
}

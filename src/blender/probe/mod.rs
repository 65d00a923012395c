//! The script that asks a Blender what it can do, and the command line of that Blender.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::command::background;
use super::setup::{SETUP_EXIT_CODE, SETUP_FILES, SETUP_SCRIPT};
use crate::request::Feature;

/// The name of the file that Blender runs.
const PROBE_SCRIPT: &str = "probe.py";

/// The files of the script, as names and contents. They belong in one folder.
pub fn probe_files() -> impl Iterator<Item = (&'static str, &'static str)> {
    let modules = SETUP_FILES.into_iter().filter(|(name, _)| *name != SETUP_SCRIPT);
    modules.chain([(PROBE_SCRIPT, include_str!("probe.py"))])
}

/// Builds the command. `folder` has [`probe_files`], and is HOME and TMPDIR; the script writes its
/// answer there.
pub fn probe_command(blender: &Path, folder: &Path, environment: &[(String, String)]) -> Command {
    let mut command = background(blender, folder, environment, false);
    command
        .arg("--factory-startup")
        .arg("--python-exit-code")
        .arg(SETUP_EXIT_CODE.to_string())
        .arg("--python")
        .arg(folder.join(PROBE_SCRIPT));
    command
}

/// The path of the answer.
pub fn probe_answer(folder: &Path) -> PathBuf {
    folder.join("answer.json")
}

/// What a Blender can do.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Capabilities {
    /// The version: `4.5.3`.
    pub version: String,
    features: BTreeMap<Feature, bool>,
    /// The names of the GPUs that Cycles can use, by the type of the device.
    pub gpus: BTreeMap<String, Vec<String>>,
}

impl Capabilities {
    /// The optional features that it does not have.
    pub fn lacking(&self) -> impl Iterator<Item = Feature> {
        self.features.iter().filter(|(_, has)| !**has).map(|(feature, _)| *feature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_asks_for_every_feature_that_does_not_depend_on_a_scene() {
        let (_, features) =
            SETUP_FILES.into_iter().find(|(name, _)| name.contains("features")).unwrap();
        let script = include_str!("probe.py");
        for feature in Feature::ALL {
            // The modifiers are a table of the other script.
            let asked = script.contains(&format!("\"{feature}\": "))
                || features.contains(&format!(": (\"{feature}\", "));
            let of_scene = [Feature::Engine, Feature::NewerBlender].contains(&feature);
            assert_ne!(asked, of_scene, "{feature}");
        }
    }

    #[test]
    fn an_answer_is_parsed() {
        let text = r#"{"version": "4.5.3", "features": {"osl": false, "usd": true}, "gpus": {}}"#;
        let answer: Capabilities = serde_json::from_str(text).unwrap();
        assert_eq!(answer.lacking().collect::<Vec<_>>(), [Feature::Osl]);
    }
}

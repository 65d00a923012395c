//! The script that bakes the simulations of a scene, and the command line of the Blender that runs
//! it.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use serde_json::json;

use super::command::background;
use super::description::{MissingFeature, NeededFile, UnusableFile};
use super::setup::{SETUP_EXIT_CODE, SETUP_FILES, SETUP_SCRIPT};
use crate::request::MissingFiles;

/// The name of the file that Blender runs.
pub const BAKE_SCRIPT: &str = "bake.py";

/// The name of the file beside the script that holds its settings.
pub const BAKE_SETTINGS: &str = "bake.json";

/// The files of the script, as names and contents. They belong in one folder.
pub fn bake_files() -> impl Iterator<Item = (&'static str, &'static str)> {
    let modules = SETUP_FILES.into_iter().filter(|(name, _)| *name != SETUP_SCRIPT);
    modules.chain([(BAKE_SCRIPT, include_str!("bake.py"))])
}

/// Everything that the Blender process is started with.
#[derive(Clone, Copy, Debug)]
pub struct BakeLaunch<'a> {
    /// The Blender executable.
    pub blender: &'a Path,
    /// The scene file, absolute.
    pub scene: &'a Path,
    /// The folder with [`bake_files`] and their settings, absolute.
    pub script_dir: &'a Path,
    /// The folder for the baked scene and the answer, absolute.
    pub output_dir: &'a Path,
    /// HOME and TMPDIR, absolute.
    pub home: &'a Path,
    /// The rest of Blender's environment.
    pub environment: &'a [(String, String)],
    /// Whether Python scripts in the scene file run automatically.
    pub enable_autoexec: bool,
}

impl BakeLaunch<'_> {
    /// Builds the command.
    pub fn command(&self) -> Command {
        let mut command =
            background(self.blender, self.home, self.environment, self.enable_autoexec);
        command
            .arg(self.scene)
            .arg("--python-exit-code")
            .arg(SETUP_EXIT_CODE.to_string())
            .arg("--python")
            .arg(self.script_dir.join(BAKE_SCRIPT));
        command
    }
}

/// Where the script writes.
#[derive(Clone, Copy, Debug)]
pub struct BakeOutput<'a> {
    /// The path of the answer.
    pub answer: &'a Path,
    /// The path of the baked scene.
    pub scene: &'a Path,
    /// The folder of caches that consist of files, as the baked scene names it; `None` if it cannot
    /// have any.
    pub caches: Option<&'a str>,
    /// Whether the baked scene names other files by their absolute paths.
    pub absolute_paths: bool,
    /// Whether to bake although a file that the scene needs cannot be used.
    pub missing_files: MissingFiles,
}

impl BakeOutput<'_> {
    /// The content of [`BAKE_SETTINGS`].
    pub fn settings(&self) -> String {
        let settings = json!({
            "answer": self.answer,
            "scene": self.scene,
            "caches": self.caches,
            "absolute_paths": self.absolute_paths,
            "missing_files": self.missing_files,
        });
        settings.to_string()
    }
}

/// The script's answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BakeAnswer {
    /// Blender's version: `4.5.15`.
    pub blender: String,
    /// The simulations that were baked, unless something keeps all of them from being baked.
    pub baked: Vec<BakedSimulation>,
    /// The features that the scene needs and this Blender lacks.
    pub lacking: Vec<MissingFeature>,
    /// Why simulations cannot be baked, a text for each.
    pub unbakeable: Vec<String>,
    /// The files that the scene needs and Blender cannot use.
    pub unusable_files: Vec<UnusableFile>,
    /// The other files that it needs.
    pub needed: Vec<NeededFile>,
    /// What else can make the simulations differ.
    pub warnings: Vec<String>,
}

/// A simulation that was baked.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BakedSimulation {
    /// The simulation: `cloth Cloth of object Flag`.
    pub name: String,
    /// Its first frame.
    pub first_frame: i32,
    /// The last frame that was baked.
    pub last_frame: i32,
}

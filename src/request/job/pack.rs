//! A request to `pack` a project.

use std::path::PathBuf;
use std::str::FromStr;

use crate::request::{Location, MANIFEST_SUFFIX, RenderJob, ValueError};

/// A validated `pack` request.
#[derive(Clone, Debug)]
pub struct PackJob {
    /// The scene file, on this machine.
    pub scene: PathBuf,
    /// The rendering whose scene Blender describes. Nothing is rendered.
    pub described: Box<RenderJob>,
    /// Where the contents of files and the manifest are stored.
    pub output: Location,
    /// The folder of the project; `None` for that of the scene.
    pub project_dir: Option<PathBuf>,
    /// The name of the manifest; `None` for that of the scene.
    pub name: Option<ProjectName>,
    /// Patterns of files that are left out.
    pub exclude: Vec<String>,
    /// Whether there must be a Blender, because the user names one. Otherwise every file of the folder
    /// is packed if there is none.
    pub needs_blender: bool,
    /// The file with the hashes of files that were packed before; `None` to read all files.
    pub hashes: Option<PathBuf>,
    /// Whether nothing is stored.
    pub dry_run: bool,
    /// Whether the output is JSON.
    pub json: bool,
}

impl PackJob {
    /// The location of the manifest.
    pub fn manifest(&self) -> Location {
        let stem = || self.scene.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let given = self.name.as_ref().map(|name| name.as_str().to_owned());
        let name = given.or_else(stem).unwrap_or_default();
        self.output.join(&format!("{name}{MANIFEST_SUFFIX}"))
    }
}

/// The name of a manifest, without its extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectName(String);

impl ProjectName {
    const LONGEST: usize = 200;

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProjectName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = !text.contains(|c: char| c == '/' || c == '\\' || c.is_control());
        if plain && !text.starts_with('.') && (1..=Self::LONGEST).contains(&text.len()) {
            return Ok(Self(text.to_owned()));
        }
        Err(ValueError::new(text, "a file name without folders and without an extension"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_no_folders() {
        for good in ["shot", "010 v2.final", "ü"] {
            assert_eq!(good.parse::<ProjectName>().unwrap().as_str(), good);
        }
        for bad in ["", ".", "..", ".shot", "a/b", "a\\b", "a\n", &"x".repeat(201)] {
            assert!(bad.parse::<ProjectName>().is_err(), "{bad}");
        }
    }
}

//! A request to `bake` the simulations of a scene.

use crate::request::{Location, MissingFiles};

/// A validated `bake` request.
#[derive(Clone, Debug)]
pub struct BakeJob {
    /// The scene file, which stays as it is.
    pub scene: Location,
    /// The location of the baked scene, another file.
    pub output: Location,
    /// What to do if a file that the scene needs cannot be used.
    pub missing_files: MissingFiles,
    /// Whether Python scripts in the scene file run automatically.
    pub enable_autoexec: bool,
}

impl BakeJob {
    /// The file name of a baked scene, in place of that of the scene.
    pub fn baked_name(scene: &str) -> String {
        format!("{}.baked.blend", scene.strip_suffix(".blend").unwrap_or(scene))
    }

    /// The folder of the baked scene. The report goes to `reports/` in it.
    pub fn folder(&self) -> Location {
        self.output.split().map_or_else(|| self.output.clone(), |(folder, _)| folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_baked_scene_follows_that_of_the_scene() {
        assert_eq!(BakeJob::baked_name("shot.blend"), "shot.baked.blend");
        assert_eq!(BakeJob::baked_name("shot"), "shot.baked.blend");
    }
}

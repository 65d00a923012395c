//! The layout of the scratch folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::companions::audio::AUDIO_FILE;
use super::companions::view_lut::LUT_FILE;
use super::description_file::DESCRIPTION_FILE;
use crate::blender::{
    Purpose, SETUP_FILES, SETUP_SETTINGS, SceneProject, SetupOutput, UserCodePaths, setup_settings,
};
use crate::error::Error;
use crate::image::axis;
use crate::request::RenderJob;

/// The paths in scratch of one process.
#[derive(Debug)]
pub struct ScratchDirs {
    /// The folder of the setup script and its settings.
    pub setup: PathBuf,
    /// The folder that the scripts write everything else to: the description of the scene, the
    /// LUT and the sound.
    pub description: PathBuf,
    /// The folder that Blender writes frames to.
    pub frames: PathBuf,
    /// The folder that File Output nodes write to.
    pub outputs: PathBuf,
    /// Blender's home and folder for temporary files.
    pub home: PathBuf,
}

impl ScratchDirs {
    /// Creates the folders in `base`, which may not exist yet, and writes the setup script that
    /// prepares the scene of `job`, which may be in a project.
    ///
    /// # Errors
    /// [`Error::Scratch`] if a folder or file cannot be written.
    pub fn prepare(
        base: &Path,
        user_code: &UserCodePaths,
        job: &RenderJob,
        purpose: Purpose,
        project: Option<&SceneProject>,
    ) -> Result<Self, Error> {
        let dirs = Self {
            setup: base.join("setup"),
            description: base.join("description"),
            frames: base.join("frames"),
            outputs: base.join("outputs"),
            home: base.join("home"),
        };
        let created = dirs.create(user_code, job, purpose, project);
        created.map_err(|source| Error::Scratch { path: base.to_owned(), source })?;
        Ok(dirs)
    }

    fn create(
        &self,
        user_code: &UserCodePaths,
        job: &RenderJob,
        purpose: Purpose,
        project: Option<&SceneProject>,
    ) -> io::Result<()> {
        fs::create_dir_all(user_code.folder())?;
        for folder in [&self.setup, &self.description, &self.frames, &self.outputs, &self.home] {
            fs::create_dir_all(folder)?;
        }
        for (name, content) in SETUP_FILES {
            fs::write(self.setup.join(name), content)?;
        }
        let output = SetupOutput {
            description: &self.description.join(DESCRIPTION_FILE),
            lut: &self.description.join(LUT_FILE),
            lut_axis: &axis(),
            audio: &self.description.join(AUDIO_FILE),
            outputs: &self.outputs,
        };
        let settings = setup_settings(job, purpose, output, user_code, project);
        fs::write(self.setup.join(SETUP_SETTINGS), settings)
    }
}

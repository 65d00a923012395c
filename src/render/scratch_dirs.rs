//! The layout of the scratch folder.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::companions::audio::AUDIO_FILE;
use super::companions::view_lut::LUT_FILE;
use super::description_file::DESCRIPTION_FILE;
use crate::blender::{
    Purpose, SETUP_FILES, SETUP_SETTINGS, SetupOutput, UserCodePaths, setup_settings,
};
use crate::error::Error;
use crate::image::axis;
use crate::request::{FrameRange, RenderJob};
use crate::worker::scratch::Scratch;

/// The paths in the scratch folder of an attempt.
#[derive(Debug)]
pub struct ScratchDirs {
    /// The scene file, if it has to be downloaded.
    pub scene: PathBuf,
    /// The folder of the setup script and its settings.
    pub setup: PathBuf,
    /// The Python that the user adds to Blender, in the folder of the setup script.
    pub user_code: UserCodePaths,
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
    /// Creates the folders, and writes the setup script that prepares the scene of `job`.
    ///
    /// # Errors
    /// [`Error::Scratch`] if a folder or file cannot be written.
    pub fn prepare(scratch: &Scratch, job: &RenderJob, purpose: Purpose) -> Result<Self, Error> {
        let base = scratch.path();
        let dirs = Self {
            scene: base.join("scene.blend"),
            setup: base.join("setup"),
            user_code: UserCodePaths::below(&base.join("setup")),
            description: base.join("description"),
            frames: base.join("frames"),
            outputs: base.join("outputs"),
            home: base.join("home"),
        };
        let created = dirs.create(job, purpose);
        created.map_err(|source| Error::Scratch { path: base.to_owned(), source })?;
        Ok(dirs)
    }

    fn create(&self, job: &RenderJob, purpose: Purpose) -> io::Result<()> {
        let user_code = self.user_code.folder();
        let folders = [&self.description, &self.frames, &self.outputs, &self.home];
        for folder in [&*self.setup, user_code].into_iter().chain(folders.map(|path| &**path)) {
            fs::create_dir(folder)?;
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
        fs::write(
            self.setup.join(SETUP_SETTINGS),
            setup_settings(job, purpose, output, &self.user_code),
        )
    }
}

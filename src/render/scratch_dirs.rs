//! The folders and files of an attempt in scratch.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::launches::ANSWER;
use crate::blender::{SETUP_FILES, SETUP_SETTINGS, setup_settings};
use crate::error::Error;
use crate::request::RenderJob;
use crate::worker::scratch::Scratch;

/// Where everything lies in scratch.
#[derive(Debug)]
pub struct ScratchDirs {
    /// The scene file, if it has to be downloaded.
    pub scene: PathBuf,
    /// The setup script and its settings.
    pub setup: PathBuf,
    /// The answer of the setup script.
    pub answer: PathBuf,
    /// The frames that Blender writes.
    pub frames: PathBuf,
    /// Blender's home, and its folder for temporary files.
    pub home: PathBuf,
}

impl ScratchDirs {
    /// Makes the folders, and writes the setup script for `job`.
    ///
    /// # Errors
    /// [`Error::Scratch`] if the scratch disk takes none of it.
    pub fn prepare(scratch: &Scratch, job: &RenderJob) -> Result<Self, Error> {
        let base = scratch.path();
        let dirs = Self {
            scene: base.join("scene.blend"),
            setup: base.join("setup"),
            answer: base.join("answer"),
            frames: base.join("frames"),
            home: base.join("home"),
        };
        let made = dirs.make(job);
        made.map_err(|source| Error::Scratch { path: base.to_owned(), source })?;
        Ok(dirs)
    }

    fn make(&self, job: &RenderJob) -> io::Result<()> {
        for folder in [&self.setup, &self.answer, &self.frames, &self.home] {
            fs::create_dir(folder)?;
        }
        for (name, content) in SETUP_FILES {
            fs::write(self.setup.join(name), content)?;
        }
        let answer = self.answer.join(ANSWER);
        fs::write(self.setup.join(SETUP_SETTINGS), setup_settings(job, &answer))
    }
}

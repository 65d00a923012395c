//! Where Blender, FFmpeg and `FFprobe` are.

use std::path::{Path, PathBuf};

use crate::error::Error;

/// The flag and variable that choose Blender.
pub const BLENDER: &str = "--blender, BLENDER";

/// The flag and variable that choose FFmpeg.
pub const FFMPEG: &str = "--ffmpeg, FFMPEG";

/// The flag and variable that choose `FFprobe`.
pub const FFPROBE: &str = "--ffprobe, FFPROBE";

/// Looks for programs as a shell would.
#[derive(Debug)]
pub struct Programs {
    /// `PATH`, as the environment has it.
    pub search_path: Option<String>,
}

impl Programs {
    /// The program's absolute path: of `name` itself if it is a path, or as found on
    /// `PATH`. `setting` is the flag and variable that chose it.
    ///
    /// # Errors
    /// If there is no such program, or it may not be executed.
    pub fn find(&self, name: &Path, setting: &'static str) -> Result<PathBuf, Error> {
        let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        which::which_in(name, self.search_path.as_deref(), here).map_err(|source| {
            let why = if name.is_absolute() && name.exists() {
                "it is no program that can be executed".to_owned()
            } else {
                source.to_string()
            };
            Error::Program { program: name.to_owned(), setting, source: why.into() }
        })
    }
}

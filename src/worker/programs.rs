//! Finds Blender, FFmpeg and `FFprobe`.

use std::path::{Path, PathBuf};

use crate::error::Error;

/// The flag and variable that choose Blender.
pub const BLENDER: &str = "--blender, BLENDER";

/// The flag and variable that choose FFmpeg.
pub const FFMPEG: &str = "--ffmpeg, FFMPEG";

/// The flag and variable that choose `FFprobe`.
pub const FFPROBE: &str = "--ffprobe, FFPROBE";

/// Finds programs as a shell does.
#[derive(Debug)]
pub struct Programs {
    /// The `PATH` variable of the worker's environment.
    pub search_path: Option<String>,
}

impl Programs {
    /// Returns the absolute path of a program: `name` itself if it is a path, otherwise the
    /// first match on `PATH`. `setting` names the flag and variable that chose it.
    ///
    /// # Errors
    /// [`Error::Program`] if there is no such program, or it cannot be executed.
    pub fn find(&self, name: &Path, setting: &'static str) -> Result<PathBuf, Error> {
        let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        which::which_in(name, self.search_path.as_deref(), here).map_err(|source| {
            let is_path = name.components().count() > 1;
            let why = match source {
                _ if is_path && name.exists() => "it is not an executable program".to_owned(),
                which::Error::CannotFindBinaryPath if is_path => "there is no such file".to_owned(),
                which::Error::CannotFindBinaryPath => "there is no such program on PATH".to_owned(),
                source => source.to_string(),
            };
            Error::Program { program: name.to_owned(), setting, source: why.into() }
        })
    }
}

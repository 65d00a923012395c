//! A request to `doctor`: to check whether this machine can render.

use std::path::PathBuf;

use crate::request::Location;

/// A validated `doctor` request.
#[derive(Clone, Debug)]
pub struct DoctorJob {
    /// The scene file that must be readable, if one is given.
    pub scene: Option<Location>,
    /// The output that must be writable, if one is given.
    pub output: Option<Location>,
    /// The folder for compiled kernels, if one is given.
    pub cache_dir: Option<PathBuf>,
    /// Whether the output is JSON.
    pub json: bool,
}

//! Requests to `inspect` a scene file, and to check a machine with `doctor`.

use std::path::PathBuf;

use crate::request::{BlenderVersion, FramesPerJob, Location, ProjectPath, RenderJob};

/// A validated `inspect` request.
#[derive(Clone, Debug)]
pub struct InspectJob {
    /// The scene file.
    pub scene: Location,
    /// The scene file in it, if it is an archive or a folder.
    pub main: Option<ProjectPath>,
    /// The number of frames per job that the array size is computed for.
    pub frames_per_job: Option<FramesPerJob>,
    /// The version of Blender that is to render the scene, if it is known.
    pub renderer: Option<BlenderVersion>,
    /// The rendering whose scene Blender opens and describes; `None` if only the beginning of the file
    /// is read. Nothing is rendered.
    pub deep: Option<Box<RenderJob>>,
    /// Whether the output is JSON.
    pub json: bool,
}

/// A validated `doctor` request.
#[derive(Clone, Debug)]
pub struct DoctorJob {
    /// The scene file that must be readable, if one is given.
    pub scene: Option<Location>,
    /// The output that must be writable, if one is given.
    pub output: Option<Location>,
    /// The folder for what outlives jobs, such as compiled kernels, if one is given.
    pub cache_dir: Option<PathBuf>,
    /// Whether the output is JSON.
    pub json: bool,
}

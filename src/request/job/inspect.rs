//! A request to look at a scene file.

use crate::request::{BlenderVersion, FramesPerJob, Location};

/// Everything that was asked of `inspect`.
#[derive(Clone, Debug)]
pub struct InspectJob {
    /// The scene file.
    pub scene: Location,
    /// For how many frames a job the array size is told.
    pub frames_per_job: Option<FramesPerJob>,
    /// The Blender that is to render the scene, if that is known.
    pub renderer: Option<BlenderVersion>,
    /// Whether the answer is for programs.
    pub json: bool,
}

//! What the setup script says of a scene once Blender has opened it.
//!
//! Scripts in the scene can write the same description, so the worker does not trust it.

mod answer;
mod contents;
mod needed_file;
mod outputs;
mod scene;

pub use answer::{Answer, Refusal, RefusalKind};
pub use contents::{SceneContents, ViewLayerContents};
pub use needed_file::{FileProblem, MOST_NAMED, NeededFile, UnusableFile, allow_read};
pub use outputs::{Maker, OutputFile, SavedIn, SceneOutputs};
pub use scene::{
    ExternalFile, MappedPath, MissingFeature, SceneAudio, SceneDescription, SceneInfo, SceneView,
    Simulation,
};

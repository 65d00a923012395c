//! Blender: its command line, its log, its failures and its files.
//!
//! Pure translation between our terms and Blender's. Starts no process and touches
//! no storage. Nothing here trusts an exit status or a `Saved:` alone: Blender
//! exits 0 on a full disk and after errors in scripts. Both are hints; what
//! counts is the file, which the pipeline checks.

mod command;
mod events;
mod failure;
mod scene_file;
mod set_aside;
#[cfg(test)]
mod transcripts;
mod version;

pub use command::{Launch, SETUP_EXIT_CODE, SETUP_SCRIPT};
pub use events::{Event, ExternalFile, SceneInfo, parse};
pub use failure::{Cause, LogTail};
pub use scene_file::{
    BlenderVersion, ENOUGH, Flaw, Machine, Packing, Scene, SceneFile, SceneFileError,
};
pub use set_aside::SetAside;
pub use version::{VersionAnswer, version_command};

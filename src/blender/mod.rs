//! Blender: its command line, its log, its failures and its files.
//!
//! Pure translation between our terms and Blender's. Starts no process and touches
//! no storage. Nothing here trusts an exit status or a `Saved:` alone: Blender
//! exits 0 on a full disk and after errors in scripts. Both are hints; what
//! counts is the file, which the pipeline checks.

mod cause;
mod command;
mod description;
mod events;
mod failure;
mod scene_file;
mod setup;
mod skipped;
#[cfg(test)]
mod transcripts;
mod version;

pub use cause::{Cause, Failure};
pub use command::Launch;
pub use description::{Answer, ExternalFile, Lack, SceneInfo};
pub use events::{Event, Progress, parse};
pub use failure::{Context, LogTail};
pub use scene_file::{ENOUGH, Flaw, Machine, Packing, Scene, SceneFile, SceneFileError};
pub use setup::{SETUP_EXIT_CODE, SETUP_FILES, SETUP_SCRIPT, SETUP_SETTINGS, setup_settings};
pub use skipped::SkippedFrame;
pub use version::{VersionAnswer, version_command};

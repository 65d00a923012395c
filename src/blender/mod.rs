//! Blender: its command line, its log, its failures and its files.
//!
//! This module translates between the worker's terms and Blender's. It starts no process and
//! touches no storage. It trusts neither an exit status nor a `Saved:` line: Blender exits with 0
//! on a full disk and after errors in scripts. Both are hints. What counts is the file, which
//! `render::delivery` checks.

mod bake;
mod cause;
mod command;
mod description;
mod events;
mod failure;
mod probe;
mod scene_file;
mod setup;
mod skipped;
#[cfg(test)]
mod transcripts;
mod version;

pub use bake::{BAKE_SETTINGS, BakeAnswer, BakeLaunch, BakeOutput, BakedSimulation, bake_files};
pub use cause::{Cause, Failure};
pub use command::{KERNELS_DIR, Launch, desktop_command};
pub use description::{
    Answer, ExternalFile, FileProblem, MOST_NAMED, Maker, MappedPath, MissingFeature, NeededFile,
    OutputFile, Refusal, RefusalKind, SavedIn, SceneAudio, SceneContents, SceneDescription,
    SceneInfo, SceneOutputs, SceneView, Simulation, UnusableFile, ViewLayerContents, allow_read,
};
pub use events::{Event, Progress, not_saved, parse};
pub use failure::{Context, LogTail};
pub use probe::{Capabilities, probe_answer, probe_command, probe_files};
pub use scene_file::{Compression, Flaw, Machine, Scene, SceneFile, SceneFileError};
pub use setup::{
    AUDIO_ERROR, Purpose, SETUP_EXIT_CODE, SETUP_FILES, SETUP_SCRIPT, SETUP_SETTINGS, SceneProject,
    SetupOutput, UserCodePaths, setup_settings,
};
pub use skipped::SkippedFrame;
pub use version::{VersionOutput, version_command};

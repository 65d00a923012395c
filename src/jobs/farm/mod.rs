//! The jobs of a farm: submits them, looks them up, and repeats what failed.

mod cancel;
mod download;
mod failure_groups;
mod failures;
mod logs;
mod missing;
mod project;
mod retry;
mod slices;
pub(super) mod status;
pub(super) mod submit;
mod watched_output;

pub use cancel::cancel;
pub use logs::logs;
pub use project::{Checked, check};
pub use retry::retry;
pub use status::{status, summary};
pub use submit::submit;

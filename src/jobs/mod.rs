//! The subcommands that render nothing: `inspect`, `submit`, `status`, `cancel` and `retry`.

mod cancel;
mod described;
mod failure_groups;
mod failures;
mod inspect;
mod missing;
mod output;
mod output_status;
mod retry;
#[cfg(test)]
pub(crate) mod schema;
mod status;
mod submit;

pub use cancel::cancel;
pub use inspect::{inspected, scene_file};
pub use output::{Print, Table, json};
pub use retry::retry;
pub use status::{status, summary};
pub use submit::submit;

//! The subcommands that render nothing: `inspect`, `submit` and `status`.

mod described;
mod failure_groups;
mod failures;
mod inspect;
mod output;
mod output_status;
#[cfg(test)]
pub(crate) mod schema;
mod status;
mod submit;

pub use inspect::{inspected, scene_file};
pub use output::{Print, Table, json};
pub use status::{status, summary};
pub use submit::submit;

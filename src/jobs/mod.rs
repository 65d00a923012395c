//! The subcommands that render nothing: `inspect`, `submit`, `status`, `cancel`, `retry` and `logs`.

mod described;
mod farm;
mod inspect;
mod live;
mod output;
mod output_json;
mod output_status;
mod packed;
#[cfg(test)]
pub(crate) mod schema;
mod spent;

pub use farm::{Checked, cancel, check, logs, retry, status, submit, summary};
pub use inspect::{inspected, scene_file};
pub use output::{Print, Table, json};
pub use packed::{Packed, SubmittedProject};

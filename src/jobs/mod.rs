//! The subcommands that render nothing: they look at scenes and at jobs on AWS Batch.

mod failures;
mod inspect;
mod output;
mod status;
mod submit;

pub use inspect::inspect;
pub use status::status;
pub use submit::submit;

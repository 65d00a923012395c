//! The arguments of the subcommands about jobs on AWS Batch.

mod batch;
mod logs;
mod slices;

pub(super) use batch::{CANCEL_EXAMPLES, RETRY_EXAMPLES, STATUS_EXAMPLES, SUBMIT_EXAMPLES};
pub(in crate::cli) use batch::{
    CancelArgs, FollowArgs, OTHER_DEFINITION, RetryArgs, StatusArgs, SubmitArgs,
};
pub(super) use logs::LOGS_EXAMPLES;
pub(in crate::cli) use logs::LogsArgs;
pub(in crate::cli) use slices::{DEALT, SliceArgs};

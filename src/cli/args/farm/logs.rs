//! The arguments of `logs`.

use clap::Args;

use crate::cli::args::shared::{LogArgs, StoreArgs};

#[derive(Debug, Args)]
pub(in crate::cli) struct LogsArgs {
    /// The id of the job; of a child of an array job, the id of the array with a colon and the index
    #[arg(value_name = "JOB-ID")]
    pub job: String,

    /// Go on until the job has ended
    ///
    /// Waits for a job that has not started, and goes on with the next attempt of one that is retried.
    #[arg(short, long)]
    pub follow: bool,

    /// The number of the attempt, from 1; by default the last one
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub attempt: Option<String>,

    #[command(flatten)]
    pub store: StoreArgs,

    #[command(flatten)]
    pub log: LogArgs,
}

pub(in crate::cli::args) const LOGS_EXAMPLES: &str = "\
Prints the messages of a container from CloudWatch Logs as they are. An array job has no log; its
children have, and status names those that have failed.

Examples:
  Follow the job that makes the video:
    render-worker logs JOB-ID -f
  Show what the first attempt of child 3 has said:
    render-worker logs JOB-ID:3 --attempt 1";

//! The arguments of `inspect`.

#![expect(clippy::doc_markdown, reason = "these comments are the text of --help, not Markdown")]

use clap::Args;

use super::shared::{LogArgs, RendererArgs, StoreArgs};

#[derive(Debug, Args)]
pub(in crate::cli) struct InspectArgs {
    /// The .blend file: s3://BUCKET/KEY, file:///PATH or a path [env: INPUT_URI]
    #[arg(short, long, value_name = "URI")]
    pub input_uri: Option<String>,

    /// For how many frames a job the array size is told [env: F_PER_JOB] [default: 1]
    #[arg(short, long, value_name = "N", allow_hyphen_values = true)]
    pub frames_per_job: Option<String>,

    #[command(flatten)]
    pub renderer: RendererArgs,

    /// Tell it as JSON
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub store: StoreArgs,

    #[command(flatten)]
    pub log: LogArgs,
}

pub(super) const INSPECT_EXAMPLES: &str = "\
Of the file only the first 64 KiB are read, more where they do not tell; Blender is not needed.

Examples:
  What is in a scene file:
    render-worker inspect -i s3://bucket/scene.blend
  How large an array job must be in which every child renders 10 frames:
    render-worker inspect -i scene.blend -f 10 --json | jq .array_size";

//! The arguments of `inspect`.

#![expect(clippy::doc_markdown, reason = "these comments are the text of --help, not Markdown")]

use clap::Args;

use super::shared::{LogArgs, RendererArgs, StoreArgs};

#[derive(Debug, Args)]
pub(in crate::cli) struct InspectArgs {
    /// The .blend file: s3://BUCKET/KEY, file:///PATH or a path
    #[arg(short, long, value_name = "URI")]
    pub input_uri: Option<String>,

    /// The number of frames that one container renders, for the array size; 1 by default
    #[arg(short, long, value_name = "N", allow_hyphen_values = true)]
    pub frames_per_job: Option<String>,

    #[command(flatten)]
    pub renderer: RendererArgs,

    /// Print JSON
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub store: StoreArgs,

    #[command(flatten)]
    pub log: LogArgs,
}

pub(super) const INSPECT_EXAMPLES: &str = "\
Reads the first 64 KiB of the file, or more if they do not suffice. Blender is not needed.

Examples:
  Show what is in a scene file:
    render-worker inspect -i s3://bucket/scene.blend
  Print the size of an array job whose children render 10 frames each:
    render-worker inspect -i scene.blend -f 10 --json | jq .array_size";

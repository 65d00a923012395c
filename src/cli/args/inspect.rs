//! The arguments of `inspect`.

#![expect(clippy::doc_markdown, reason = "these comments are the text of --help, not Markdown")]

use clap::Args;

use super::shared::{LogArgs, MainArgs, RendererArgs, SandboxArgs, StoreArgs};

#[derive(Debug, Args)]
pub(in crate::cli) struct InspectArgs {
    /// The .blend file, manifest, archive or folder, as in render: s3://BUCKET/KEY, file:///PATH or a path
    #[arg(short, long, value_name = "URI")]
    pub input_uri: Option<String>,

    #[command(flatten)]
    pub main: MainArgs,

    /// The number of frames that one container renders, for the array size; 1 by default
    #[arg(short, long, value_name = "N", allow_hyphen_values = true)]
    pub frames_per_job: Option<String>,

    /// Open the file in Blender as well, and show all scenes with their settings and what is missing
    ///
    /// Cameras, view layers, engine, size, frame rate, step, samples and format of each scene, and the
    /// warnings of render. Nothing is rendered. Blender runs in the sandbox, with its variables.
    #[arg(long)]
    pub deep: bool,

    /// The Blender to use with --deep: a path, or a name to look for on PATH
    #[arg(long, value_name = "PROGRAM")]
    pub blender: Option<String>,

    #[command(flatten)]
    pub sandbox: SandboxArgs,

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
Reads the first 64 KiB of the file, or more if they do not suffice. Blender is needed only for --deep.

Examples:
  Show what is in a scene file:
    render-worker inspect -i s3://bucket/scene.blend
  Show all scenes, cameras and layers, and what is missing:
    render-worker inspect -i scene.blend --deep
  Print the size of an array job whose children render 10 frames each:
    render-worker inspect -i scene.blend -f 10 --json | jq .array_size";

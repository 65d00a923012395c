//! The arguments of `inspect` and `doctor`.

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

#[derive(Debug, Args)]
pub(in crate::cli) struct DoctorArgs {
    /// A .blend file to read, of which the beginning is read: s3://BUCKET/KEY, file:///PATH or a path
    #[arg(short, long, value_name = "URI")]
    pub input_uri: Option<String>,

    /// An output to write to, in which a file is left: s3://BUCKET/PREFIX, file:///PATH or a path
    ///
    /// The file is URI/reports/doctor.json, and says what was found. A folder that is not there is made.
    #[arg(short, long, value_name = "URI")]
    pub output_uri: Option<String>,

    /// A folder for fetched files and compiled GPU kernels and shaders, which must be writable
    #[arg(long, value_name = "DIR")]
    pub cache_dir: Option<String>,

    #[command(flatten)]
    pub sandbox: SandboxArgs,

    /// The Blender to use: a path, or a name to look for on PATH
    #[arg(long, value_name = "PROGRAM")]
    pub blender: Option<String>,

    /// The FFmpeg to use: a path, or a name to look for on PATH
    #[arg(long, value_name = "PROGRAM")]
    pub ffmpeg: Option<String>,

    /// The FFprobe to use: a path, or a name to look for on PATH
    #[arg(long, value_name = "PROGRAM")]
    pub ffprobe: Option<String>,

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

pub(super) const DOCTOR_EXAMPLES: &str = "\
Checks what render and stitch need of this machine, and says for each lack what to do about it. The exit
code is 0, or that with which a job would end because of the first lack.

Examples:
  Check this machine:
    render-worker doctor
  Check an image, and whether its jobs can use a bucket:
    docker run --rm render-worker doctor -i s3://bucket/scene.blend -o s3://bucket/out";

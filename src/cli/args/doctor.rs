//! The arguments of `doctor`.

#![expect(clippy::doc_markdown, reason = "these comments are the text of --help, not Markdown")]

use clap::Args;

use super::shared::{LogArgs, SandboxArgs, StoreArgs};

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

    /// A folder for compiled GPU kernels and shaders, which must be writable
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

pub(super) const DOCTOR_EXAMPLES: &str = "\
Checks what render and stitch need of this machine, and says for each lack what to do about it. The exit
code is 0, or that with which a job would end because of the first lack.

Examples:
  Check this machine:
    render-worker doctor
  Check an image, and whether its jobs can use a bucket:
    docker run --rm render-worker doctor -i s3://bucket/scene.blend -o s3://bucket/out";

//! The arguments of `stitch`.

#![expect(clippy::doc_markdown, reason = "these comments are the text of --help, not Markdown")]

use clap::Args;

use super::shared::{CommonArgs, VideoArgs};

#[derive(Debug, Args)]
pub(in crate::cli) struct StitchArgs {
    #[command(flatten)]
    pub common: CommonArgs,

    #[command(flatten)]
    pub video: VideoArgs,

    /// How much is fetched ahead of FFmpeg, like 256MiB [env: MAX_PREFETCH] [default: 64MiB]
    ///
    /// So much of the frames waits in memory, beside the one that FFmpeg is given. The next frame
    /// is always fetched, however large it is: with 0, that one alone.
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub max_prefetch: Option<String>,

    /// The FFmpeg to use [env: FFMPEG] [default: ffmpeg, from PATH]
    #[arg(long, value_name = "PROGRAM")]
    pub ffmpeg: Option<String>,

    /// The FFprobe to use [env: FFPROBE] [default: ffprobe, from PATH]
    #[arg(long, value_name = "PROGRAM")]
    pub ffprobe: Option<String>,
}

pub(super) const STITCH_EXAMPLES: &str = "\
Examples:
  A video of out/frames/ with the scene's frame rate:
    render-worker stitch -i out -o out
  For editing, from S3, and only if all 199 frames are there:
    render-worker stitch -i s3://bucket/out -o s3://bucket/out -t 199 --codec prores
  Of any numbered images, at 12 frames a second:
    render-worker stitch -i photos -o out --fps 12 --output-name timelapse.mp4";

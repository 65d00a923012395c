//! The arguments of `stitch`, most of which `run` has as well.

use clap::Args;

use super::shared::{CommonArgs, PreviewArgs, VideoArgs};

#[derive(Debug, Args)]
pub(in crate::cli) struct StitchArgs {
    /// Any folder of pictures, in place of --input-uri
    ///
    /// Its pictures are taken in the order of their names and fitted into the size of the first one,
    /// 5 a second, unless flags say otherwise. If it is an output of render, its frames are taken as with
    /// --input-uri. It is relative to the folder INPUT_DIR, if that variable is set.
    #[arg(value_name = "FOLDER")]
    pub folder: Option<String>,

    /// The file of the video, in place of --output-uri
    ///
    /// It is relative to the folder OUTPUT_DIR, if that variable is set. There it is output.mp4 by
    /// default.
    #[arg(value_name = "VIDEO", requires = "folder")]
    pub video: Option<String>,

    #[command(flatten)]
    pub common: CommonArgs,

    #[command(flatten)]
    pub preview: PreviewArgs,

    /// The order of the pictures: number, name or time
    ///
    /// `number` takes one sequence of numbered images, and a missing number is an error. `name` takes
    /// every picture in the folder in the order of their names, with or without numbers (2 comes before
    /// 10), and `time` in the order of their last change. These two are not together with --frames,
    /// --first-frame or --total-frames.
    #[arg(long, value_name = "ORDER")]
    pub in_order: Option<String>,

    #[command(flatten)]
    pub options: StitchOptions,
}

// How FFmpeg makes the video.
#[derive(Debug, Args)]
pub(in crate::cli) struct StitchOptions {
    #[command(flatten)]
    pub video: VideoArgs,

    /// The memory for frames that are fetched ahead of FFmpeg, such as 256MiB
    ///
    /// At most 256 frames are fetched ahead. The next frame is always fetched, however large it is;
    /// with 0, it is the only one. A bare number is bytes.
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub max_prefetch: Option<String>,

    /// The FFmpeg to use: a path, or a name to look for on PATH
    #[arg(long, value_name = "PROGRAM")]
    pub ffmpeg: Option<String>,

    /// The FFprobe to use: a path, or a name to look for on PATH
    #[arg(long, value_name = "PROGRAM")]
    pub ffprobe: Option<String>,
}

pub(super) const STITCH_EXAMPLES: &str = "\
Examples:
  A video of out/frames/ with the scene's frame rate:
    render-worker stitch -i out -o out
  For editing, from S3, and only if all 199 frames are there:
    render-worker stitch -i s3://bucket/out -o s3://bucket/out -t 199 --codec prores
  From any numbered images, at 12 frames a second:
    render-worker stitch -i photos -o out --fps 12 --output-name timelapse.mp4
  From all pictures in a folder, whatever their names and sizes are:
    render-worker stitch photos film.mp4
  The same in an order of your own, with music:
    render-worker stitch photos film.mp4 --in-order time --fps 2 --audio song.mp3";

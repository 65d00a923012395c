//! The arguments of `render`.

#![expect(clippy::doc_markdown, reason = "these comments are the text of --help, not Markdown")]

use clap::Args;

use super::shared::{CommonArgs, SceneArgs};

#[derive(Debug, Args)]
pub(in crate::cli) struct RenderArgs {
    #[command(flatten)]
    pub common: CommonArgs,

    /// The render engine, or `scene` for the scene's own [env: ENGINE] [default: CYCLES]
    #[arg(long, value_name = "NAME|scene")]
    pub engine: Option<String>,

    /// What Cycles renders on: CPU, CUDA, OPTIX, HIP, ONEAPI, also with +CPU [env: CYCLES_DEVICE]
    ///
    /// By default what the scene says. A device that is not there is an error, where the scene's
    /// own choice would quietly fall back to the CPU.
    #[arg(long, value_name = "DEVICE")]
    pub cycles_device: Option<String>,

    #[command(flatten)]
    pub scene: SceneArgs,

    /// Let Python inside of the scene file run by itself [env: ENABLE_AUTOEXEC]
    #[arg(long)]
    pub enable_autoexec: bool,

    /// How much may wait to be stored, like 512MiB [env: MAX_BACKLOG] [default: 1GiB]
    ///
    /// Frames that storage does not take for a while wait in the folder for temporary files and
    /// are tried again. Above this size Blender is paused; when storage does not take any of
    /// them either, it is stopped and the job ends with 75.
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub max_backlog: Option<String>,

    /// How often Blender may fail at one frame, 1 to 100 [env: BLENDER_ATTEMPTS] [default: 3]
    ///
    /// After a crash or a stall it is started again with what is missing. A frame that was in hand
    /// at so many failures is set aside, and the others are rendered.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub blender_attempts: Option<String>,

    /// How long one frame may take, or `off` [env: FRAME_TIMEOUT] [default: off]
    ///
    /// Loading the scene counts for the first frame of each start. A frame that takes longer is
    /// tried again, see --blender-attempts.
    #[arg(long, value_name = "TIME|off", allow_hyphen_values = true)]
    pub frame_timeout: Option<String>,

    /// Render all frames, also those that are there already [env: NO_RESUME]
    ///
    /// By default a frame that is stored and was made from the same scene and external files, with
    /// the same settings and Blender, is left as it is.
    #[arg(long)]
    pub no_resume: bool,

    /// How long to wait at most before the first request to S3, or `off` [env: START_JITTER]
    ///
    /// Each worker waits for a random share of it, so that those that start in the same moment do
    /// not ask S3 in the same moment. By default it is 1 ms for each child of an array job, 10s at
    /// most, in every attempt, and off for a job that is alone. A bare number is seconds; up to 24h.
    #[arg(long, value_name = "TIME|off", allow_hyphen_values = true)]
    pub start_jitter: Option<String>,

    /// The Blender to use [env: BLENDER] [default: blender, from PATH]
    #[arg(long, value_name = "PROGRAM")]
    pub blender: Option<String>,
}

pub(super) const RENDER_EXAMPLES: &str = "\
Examples:
  All frames of the scene, whatever its range is, from and to S3:
    render-worker render -i s3://bucket/scene.blend -o s3://bucket/out \\
        --first-frame scene --total-frames scene -f 10000
  Three frames again, with the engine the scene is set to:
    render-worker render -i scene.blend -o out --frames 7,19-20 --engine scene
  The fourth child of an array job, as Batch starts it:
    AWS_BATCH_JOB_ARRAY_INDEX=3 render-worker render -i scene.blend -o out -f 10";

//! The arguments of `render`, most of which `run` has as well.

#![expect(clippy::doc_markdown, reason = "these comments are the text of --help, not Markdown")]

use clap::Args;

use super::shared::{CommonArgs, PreviewArgs, SceneArgs};

#[derive(Debug, Args)]
pub(in crate::cli) struct RenderArgs {
    #[command(flatten)]
    pub common: CommonArgs,

    #[command(flatten)]
    pub preview: PreviewArgs,

    /// Which child of an array job this is, from 0
    ///
    /// By default the scheduler says it: AWS Batch by AWS_BATCH_JOB_ARRAY_INDEX, an Indexed Job of
    /// Kubernetes by JOB_COMPLETION_INDEX, Slurm by SLURM_ARRAY_TASK_ID, whose lowest value is index 0,
    /// and Batch of Google Cloud by BATCH_TASK_INDEX. Two that disagree are refused.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub array_index: Option<String>,

    /// Deal the frames one by one among so many children of an array job, 1 to 1048574
    ///
    /// The child with index i renders every N-th frame of --frames, or of the animation, from the i-th on.
    /// Stretches that take long spread over all children. --frames-per-job is ignored.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub stride: Option<String>,

    #[command(flatten)]
    pub options: RenderOptions,
}

// What Blender renders, and how. (A comment that clap takes for the text of --help would replace
// that of the subcommand.)
#[derive(Debug, Args)]
pub(in crate::cli) struct RenderOptions {
    /// The devices of Cycles: auto, CPU, CUDA, OPTIX, HIP or ONEAPI; OPTIX+CPU uses both
    ///
    /// `auto` stands for all GPUs of the best type that there is. A missing device ends the job with
    /// 69, unless +CPU is appended. Without this flag the scene decides: if it asks for a GPU, the
    /// same ones are used, and the CPU with a warning if there is none.
    #[arg(long, value_name = "DEVICE")]
    pub cycles_device: Option<String>,

    /// How many Blenders render at the same time, 1 to 255
    ///
    /// The frames are dealt among them. It pays for small frames on many cores, because Blender
    /// prepares each frame on one core. Each process loads the scene: its memory is needed as many
    /// times. Not together with --gpus-per-process.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub processes: Option<String>,

    /// How many GPUs each Blender gets, 1 to 255: there is a process for each group of GPUs
    ///
    /// The frames are dealt among them. For GPUs of NVIDIA and AMD. Not together with --processes.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub gpus_per_process: Option<String>,

    /// A folder in which fetched files, compiled GPU kernels and shaders outlive the job
    ///
    /// All jobs of a machine can share it. What one of them has fetched from S3, the scene or the files
    /// of its project, the others take from there. Blender and the drivers compile kernels for the GPU
    /// that they find, which can take minutes, and find them here the next time. A scene that runs Python
    /// can write to kernels/ in it: keep one folder for each owner of scenes.
    #[arg(long, value_name = "DIR")]
    pub cache_dir: Option<String>,

    /// The most fetched files in --cache-dir, such as 200GiB
    ///
    /// What was not used for the longest time is removed first, and nothing that a job is using. A bare
    /// number is bytes.
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub cache_size: Option<String>,

    #[command(flatten)]
    pub scene: SceneArgs,

    /// Run the Python scripts in the scene file
    #[arg(long)]
    pub enable_autoexec: bool,

    /// End the job with 65 where the worker knows that pictures will differ from those on a desktop
    ///
    /// By default it warns: of scripts and drivers that did not run, of another render engine than the
    /// scene's, and of animation that this Blender does not load.
    #[arg(long)]
    pub strict: bool,

    /// The size of saved frames that may wait to be stored, such as 512MiB
    ///
    /// Frames that cannot be stored yet wait in --scratch-dir, and are tried again. Above this size
    /// Blender is paused. If they still cannot be stored, Blender is stopped and the job ends with 75.
    /// A bare number is bytes.
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub max_backlog: Option<String>,

    /// How often Blender may fail at a frame before it is skipped, 1 to 100
    ///
    /// After a crash, a stall or a late frame, Blender is started again with the missing frames. The
    /// other frames are rendered, and the job ends with 70 or 137. As many failures before the scene is
    /// open end the job.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub blender_attempts: Option<String>,

    /// The longest time for one frame, up to 366 days, or `off`
    ///
    /// For the first frame after a start of Blender, it includes loading the scene. A frame that takes
    /// longer counts as a failure, see --blender-attempts. A bare number is seconds.
    #[arg(long, value_name = "TIME|off", allow_hyphen_values = true)]
    pub frame_timeout: Option<String>,

    /// Render all frames, also those that are already stored
    ///
    /// By default a stored frame is kept if it was made from the same scene and external files, with
    /// the same settings and Blender.
    #[arg(long)]
    pub no_resume: bool,

    /// The longest random wait before the first request to S3, up to 24h, or `off`
    ///
    /// Each worker waits for a random part of it, so that workers that start together do not send
    /// their requests together. A bare number is seconds.
    #[arg(long, value_name = "TIME|off", allow_hyphen_values = true)]
    pub start_jitter: Option<String>,

    /// The Blender to use: a path, or a name to look for on PATH
    #[arg(long, value_name = "PROGRAM")]
    pub blender: Option<String>,
}

pub(super) const RENDER_EXAMPLES: &str = "\
Examples:
  All frames of the scene, from and to S3:
    render-worker render -i s3://bucket/scene.blend -o s3://bucket/out
  Three frames again, with the engine the scene is set to:
    render-worker render -i scene.blend -o out --frames 7,19-20 --engine scene
  The fourth child of an array job, as Batch starts it:
    AWS_BATCH_JOB_ARRAY_INDEX=3 render-worker render -i scene.blend -o out -f 10
  The same without a scheduler:
    render-worker render -i scene.blend -o out -f 10 --array-index 3";

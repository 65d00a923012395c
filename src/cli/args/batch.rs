//! The arguments of `submit` and `status`.

use clap::Args;

use super::shared::{LogArgs, RendererArgs, SceneArgs, StoreArgs, VideoArgs, WorkArgs};

#[derive(Debug, Args)]
pub(in crate::cli) struct SubmitArgs {
    #[command(flatten)]
    pub work: WorkArgs,

    /// Raise the frames of a child as far as the largest array requires
    ///
    /// An array job has at most 10,000 children. Without -f, a child renders one frame, or as many
    /// as that limit requires.
    #[arg(long)]
    pub auto: bool,

    /// The job queue: a name or an ARN
    #[arg(long, value_name = "QUEUE")]
    pub job_queue: Option<String>,

    /// The job definition: a name, NAME:REVISION or an ARN
    ///
    /// Its command must take the parameters action, inputUri, outputUri and framesPerJob, as those
    /// of deploy/batch and of the reference script do.
    #[arg(long, value_name = "DEFINITION")]
    pub job_definition: Option<String>,

    /// Another job definition for the stitch job
    #[arg(long, value_name = "DEFINITION")]
    pub stitch_job_definition: Option<String>,

    /// The name of the array job; the stitch job is NAME-stitch
    #[arg(long, value_name = "NAME")]
    pub job_name: Option<String>,

    /// The share identifier of the jobs, for queues with a scheduling policy
    #[arg(long, value_name = "SHARE")]
    pub share_identifier: Option<String>,

    /// A tag of both jobs; can be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub tag: Vec<String>,

    /// A variable for the containers of both jobs; can be given several times
    ///
    /// Every flag of render and stitch has a variable: ENGINE=scene, BLENDER_ATTEMPTS=5. Variables
    /// of this machine are not passed on, except for those of the flags of submit.
    #[arg(long, value_name = "NAME=VALUE")]
    pub env: Vec<String>,

    /// The number of processors of a child, instead of what the job definition says
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub vcpus: Option<String>,

    /// The memory of a child, like 16GiB, instead of what the job definition says
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub memory: Option<String>,

    /// Submit no stitch job
    #[arg(long, conflicts_with_all = [
        "stitch_job_definition", "fps", "codec", "crf", "preset", "output_name", "allow_gaps",
    ])]
    pub no_stitch: bool,

    #[command(flatten)]
    pub scene: SceneArgs,

    #[command(flatten)]
    pub renderer: RendererArgs,

    #[command(flatten)]
    pub video: VideoArgs,

    /// Print the requests as JSON, and submit nothing
    ///
    /// Each is an input of `aws batch submit-job --cli-input-json`. RENDER_JOB_ID stands for the id
    /// of the array job.
    #[arg(long, conflicts_with = "wait")]
    pub dry_run: bool,

    #[command(flatten)]
    pub follow: FollowArgs,

    #[command(flatten)]
    pub store: StoreArgs,

    #[command(flatten)]
    pub log: LogArgs,
}

// Following jobs, and printing their state.
#[derive(Debug, Args)]
pub(in crate::cli) struct FollowArgs {
    /// Follow the jobs to their end: the exit code is 0 if they succeed, and 70 if not
    ///
    /// Failures are printed as they happen. Ctrl-C leaves the jobs running.
    #[arg(long)]
    pub wait: bool,

    /// The time between two looks at the jobs, 1s to 1h
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub poll_interval: Option<String>,

    /// Print JSON; with --wait, a second document at the end
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct StatusArgs {
    /// The id of the job, which submit prints last
    ///
    /// The jobs that it depends on are shown as well.
    #[arg(value_name = "JOB-ID")]
    pub job: String,

    #[command(flatten)]
    pub follow: FollowArgs,

    #[command(flatten)]
    pub store: StoreArgs,

    #[command(flatten)]
    pub log: LogArgs,
}

pub(super) const SUBMIT_EXAMPLES: &str = "\
Submits an array job whose children render the frames, and a job that waits for all of them and
makes the video. The frame range is that of the scene file, unless --frames or -t is given. Region
and credentials come from the environment, the profile or the instance.

Examples:
  The whole scene, 10 frames a child, until the video is there:
    render-worker submit -i s3://bucket/scene.blend -o s3://bucket/out -f 10 \\
      --job-queue QUEUE --job-definition DEFINITION --wait
  Show the requests without submitting them:
    render-worker submit -i s3://bucket/scene.blend -o s3://bucket/out --auto \\
      --job-queue QUEUE --job-definition DEFINITION --dry-run | jq .render";

pub(super) const STATUS_EXAMPLES: &str = "\
Shows for each failed child its exit code in words, its log stream, and the cause from its report,
if that can be read.

Examples:
  Show the state of the jobs:
    render-worker status JOB-ID
  Follow the jobs to their end:
    render-worker status JOB-ID --wait";

//! Those subcommands that turn to AWS Batch.

use clap::Args;

use super::shared::{LogArgs, RendererArgs, SceneArgs, StoreArgs, VideoArgs, WorkArgs};

#[derive(Debug, Args)]
pub(in crate::cli) struct SubmitArgs {
    #[command(flatten)]
    pub work: WorkArgs,

    /// Have a child render more frames than -f says, where there would be too many children
    ///
    /// An array job has 10,000 children at most. Without -f a child renders one frame, or as
    /// many as it takes.
    #[arg(long)]
    pub auto: bool,

    /// The job queue: a name or an ARN [env: JOB_QUEUE]
    #[arg(long, value_name = "QUEUE")]
    pub job_queue: Option<String>,

    /// The job definition: a name, NAME:REVISION or an ARN [env: JOB_DEFINITION]
    ///
    /// Its command takes the parameters action, inputUri, outputUri and framesPerJob, as that of
    /// deploy/batch and that of the reference script do.
    #[arg(long, value_name = "DEFINITION")]
    pub job_definition: Option<String>,

    /// Another job definition for the stitch job [env: STITCH_JOB_DEFINITION] [default: the same]
    #[arg(long, value_name = "DEFINITION")]
    pub stitch_job_definition: Option<String>,

    /// What the array job is called; the stitch job is NAME-stitch [env: JOB_NAME] [default: as the scene]
    #[arg(long, value_name = "NAME")]
    pub job_name: Option<String>,

    /// The share that the jobs count for, where the queue has a scheduling policy [env: SHARE_IDENTIFIER]
    #[arg(long, value_name = "SHARE")]
    pub share_identifier: Option<String>,

    /// A tag of both jobs; can be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub tag: Vec<String>,

    /// A variable for the containers of both jobs; can be given several times
    ///
    /// Every flag of render and stitch has one: ENGINE=scene, BLENDER_ATTEMPTS=5. What is set
    /// here stays here, but for the variables of the flags of submit.
    #[arg(long, value_name = "NAME=VALUE")]
    pub env: Vec<String>,

    /// How many processors a child has [default: as the job definition says]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub vcpus: Option<String>,

    /// How much memory a child has, like 16GiB [default: as the job definition says]
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
    /// Each is what `aws batch submit-job --cli-input-json` takes; RENDER_JOB_ID stands for the
    /// id that the array job will have.
    #[arg(long, conflicts_with = "wait")]
    pub dry_run: bool,

    #[command(flatten)]
    pub follow: FollowArgs,

    #[command(flatten)]
    pub store: StoreArgs,

    #[command(flatten)]
    pub log: LogArgs,
}

// How jobs are followed, and told of.
#[derive(Debug, Args)]
pub(in crate::cli) struct FollowArgs {
    /// Follow the jobs to their end: 0 if they have succeeded, 70 if not
    ///
    /// Failures are told as they happen. Ctrl-C leaves the jobs running.
    #[arg(long)]
    pub wait: bool,

    /// How often the jobs are looked up meanwhile: 1s to 1h [env: POLL_INTERVAL] [default: 10s]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub poll_interval: Option<String>,

    /// Tell it as JSON; with --wait, what is told at the end as well
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct StatusArgs {
    /// The job: what submit has printed last
    ///
    /// Those that it depends on are told of as well.
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
An array job whose children render the frames, and a job that waits for all of them and makes the
video. Which frames there are is read from the scene file, unless --frames or -t says it. Region
and credentials are those of the environment, the profile or the instance.

Examples:
  The whole scene, 10 frames a child, until the video is there:
    render-worker submit -i s3://bucket/scene.blend -o s3://bucket/out -f 10 \\
      --job-queue QUEUE --job-definition DEFINITION --wait
  What would be submitted:
    render-worker submit -i s3://bucket/scene.blend -o s3://bucket/out --auto \\
      --job-queue QUEUE --job-definition DEFINITION --dry-run | jq .render";

pub(super) const STATUS_EXAMPLES: &str = "\
Each child that has failed is told of: its exit code in words, its log stream, and the cause out of
its report, where that can be read.

Examples:
  Where the jobs are:
    render-worker status JOB-ID
  Follow them to their end:
    render-worker status JOB-ID --wait";

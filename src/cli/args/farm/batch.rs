//! The arguments of `submit` and `status`.

use clap::Args;

use super::slices::SliceArgs;
use crate::cli::args::pack::PackingArgs;
use crate::cli::args::shared::{
    LogArgs, NotifyArgs, PreviewArgs, RendererArgs, SandboxArgs, SceneArgs, StoreArgs, VideoArgs,
    WorkArgs,
};

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(in crate::cli) struct SubmitArgs {
    #[command(flatten)]
    pub work: WorkArgs,

    /// Pack the scene of this machine first, as `pack -o URI` does, and submit the project
    ///
    /// -i is then a .blend file here. What the jobs would refuse is refused before anything is stored:
    /// files that are missing, simulations that are not baked, a scene that is newer than
    /// --blender-version. Without a Blender here, the log says what is not checked.
    #[arg(long, value_name = "URI")]
    pub project: Option<String>,

    #[command(flatten)]
    pub packing: PackingArgs,

    #[command(flatten)]
    pub sandbox: SandboxArgs,

    #[command(flatten)]
    pub slices: SliceArgs,

    /// Give each child more frames than -f says if the array would be too large otherwise
    ///
    /// An array job has at most 10,000 children. With this flag, -f is optional, and 1 by default.
    #[arg(long)]
    pub auto: bool,

    /// Only the frames that the output does not have yet
    ///
    /// As many children as these frames need render them, with the settings of the frames that are there,
    /// as their newest report tells them. Settings that are given come first. Frames count by their names:
    /// without this flag, children also render frames again that were made from an older scene. The video
    /// is made of all frames.
    #[arg(long)]
    pub missing: bool,

    /// The job queue: a name or an ARN
    #[arg(long, value_name = "QUEUE")]
    pub job_queue: Option<String>,

    /// The job definition: a name, NAME:REVISION or an ARN
    ///
    /// Its command must take the parameters action, inputUri, outputUri and framesPerJob, as those
    /// of deploy/batch and of the reference script do.
    #[arg(long, value_name = "DEFINITION")]
    pub job_definition: Option<String>,

    /// The job definition of the stitch job: a name, NAME:REVISION or an ARN
    #[arg(long, value_name = "DEFINITION")]
    pub stitch_job_definition: Option<String>,

    /// The name of the array job: up to 128 letters, digits, `-` and `_`; the stitch job is NAME-stitch
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
    /// Every flag of render and stitch has a variable: ENGINE=scene, BLENDER_ATTEMPTS=5. Those of input,
    /// output and frames are refused, because submit sets them. Of its own variables, submit passes on
    /// only those of the flags about payer, size and quality of the pictures, missing features and the
    /// video.
    #[arg(long, value_name = "NAME=VALUE")]
    pub env: Vec<String>,

    /// The vCPUs of a render child, 1 to 10000, instead of what the job definition says
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub vcpus: Option<String>,

    /// The memory of a render child, 1MiB or more, such as 16GiB, instead of the job definition's
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub memory: Option<String>,

    /// Submit no stitch job
    #[arg(long, conflicts_with_all = [
        "stitch_job_definition", "fps", "codec", "crf", "preset", "output_name", "allow_gaps",
    ])]
    pub no_stitch: bool,

    #[command(flatten)]
    pub preview: PreviewArgs,

    #[command(flatten)]
    pub scene: SceneArgs,

    #[command(flatten)]
    pub renderer: RendererArgs,

    #[command(flatten)]
    pub video: VideoArgs,

    /// Print the requests as JSON, and submit nothing
    ///
    /// The members render and stitch of the object are inputs of `aws batch submit-job
    /// --cli-input-json`. RENDER_JOB_ID stands for the id of the array job. Not together with --wait.
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
    /// Failures are logged as they happen. Ctrl-C stops following and leaves the jobs running. If AWS
    /// Batch cannot be reached for 15 minutes, the exit code is 70 as well. status -o waits until every
    /// attempt that has begun has ended; the code is 70 if frames are missing then.
    #[arg(long)]
    pub wait: bool,

    /// With --wait: a folder for the frames, what the scene makes besides them, and the video, as they come
    ///
    /// A file that the folder has with the same size and time is not fetched again. Files appear whole.
    /// Ctrl-C keeps those that have come.
    #[arg(long, value_name = "DIR")]
    pub download: Option<String>,

    /// The time between two look-ups of the jobs, 1s to 1h; a bare number is seconds
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub poll_interval: Option<String>,

    #[command(flatten)]
    pub notify: NotifyArgs,

    /// Print JSON; submit --wait prints a second document at the end
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct StatusArgs {
    /// The id of the job, which submit prints last
    ///
    /// The jobs that it depends on are shown as well. Give either a job or an output.
    #[arg(value_name = "JOB-ID")]
    pub job: Option<String>,

    /// An output, of which listing and reports tell the state: s3://BUCKET/PREFIX, file:///PATH or a path
    ///
    /// Frames stored of all, rate and time left, slow, failed and missing frames, attempts that are stuck.
    /// AWS Batch is not asked, and it does not matter what has made the output.
    #[arg(short, long, value_name = "URI")]
    pub output_uri: Option<String>,

    /// What an hour of a container costs, for the cost so far: 0.34
    ///
    /// The price of the instance, or of the part of it that a child occupies, in any currency. Attempts count
    /// from the start of the worker to its end, as the reports tell.
    #[arg(long, value_name = "PRICE", allow_hyphen_values = true)]
    pub price_per_hour: Option<String>,

    #[command(flatten)]
    pub follow: FollowArgs,

    #[command(flatten)]
    pub store: StoreArgs,

    #[command(flatten)]
    pub log: LogArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CancelArgs {
    /// The id of the job, which submit prints last, or of another one
    ///
    /// The jobs that it depends on are cancelled as well.
    #[arg(value_name = "JOB-ID")]
    pub job: String,

    #[command(flatten)]
    pub store: StoreArgs,

    #[command(flatten)]
    pub log: LogArgs,
}

/// The argument `--job-definition` of `retry`, which has no variable: that of `submit` may be meant for
/// other scenes.
pub(in crate::cli) const OTHER_DEFINITION: &str = "other_definition";

#[derive(Debug, Args)]
pub(in crate::cli) struct RetryArgs {
    /// The id of the job that has failed, which submit has printed last
    ///
    /// Or of an array job alone: then no video is made.
    #[arg(value_name = "JOB-ID")]
    pub job: String,

    /// Another job definition for the children: a name, NAME:REVISION or an ARN
    ///
    /// It decides about processors and memory, unless they are given.
    #[arg(id = OTHER_DEFINITION, long = "job-definition", value_name = "DEFINITION")]
    pub job_definition: Option<String>,

    /// The vCPUs of a render child, 1 to 10000, instead of what they were
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub vcpus: Option<String>,

    /// The memory of a render child, 1MiB or more, such as 16GiB, instead of what it was
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub memory: Option<String>,

    /// Print the requests as JSON, as submit --dry-run does, and submit nothing
    #[arg(long, conflicts_with = "wait")]
    pub dry_run: bool,

    #[command(flatten)]
    pub follow: FollowArgs,

    #[command(flatten)]
    pub store: StoreArgs,

    #[command(flatten)]
    pub log: LogArgs,
}

pub(in crate::cli::args) const CANCEL_EXAMPLES: &str = "\
Children that run store what is finished, and end. No job is started again.

Examples:
  Cancel the jobs of a submission:
    render-worker cancel JOB-ID";

pub(in crate::cli::args) const RETRY_EXAMPLES: &str = "\
Submits a new array job for the frames of the children that have failed, and a new stitch job after it.
Frames that these children had stored are kept.

Examples:
  What has failed for lack of memory:
    render-worker retry JOB-ID --memory 32GiB --wait";

pub(in crate::cli::args) const SUBMIT_EXAMPLES: &str = "\
Submits an array job whose children render the frames, and a job that waits for all of them and
makes the video. The frame range is that of the scene file, unless --frames, --first-frame
or -t is given. Region
and credentials come from the environment, the profile or the instance.

Examples:
  The whole scene, 10 frames a child, until the video is there:
    render-worker submit -i s3://bucket/scene.blend -o s3://bucket/out -f 10 \\
      --job-queue QUEUE --job-definition DEFINITION --wait
  A scene of this machine, with every file that it needs:
    render-worker submit -i shot.blend --project s3://bucket/projects -o s3://bucket/out -f 10 \\
      --job-queue QUEUE --job-definition DEFINITION
  Write the request of the array job to a file, and submit it with the AWS CLI:
    render-worker submit -i s3://bucket/scene.blend -o s3://bucket/out --auto \\
      --job-queue QUEUE --job-definition DEFINITION --dry-run | jq .render > render.json
    aws batch submit-job --cli-input-json file://render.json";

pub(in crate::cli::args) const STATUS_EXAMPLES: &str = "\
Shows for each failed child its exit code in words, its log stream, and the cause from its report,
if that can be read.

Examples:
  Show the state of the jobs:
    render-worker status JOB-ID
  Show what an output has, by its files and reports:
    render-worker status -o s3://bucket/out
  Follow the jobs to their end:
    render-worker status JOB-ID --wait";

//! Arguments that several subcommands have.

#![expect(clippy::doc_markdown, reason = "these comments are the text of --help, not Markdown")]

use clap::Args;

#[derive(Debug, Default, Args)]
pub(in crate::cli) struct LogArgs {
    /// The format of the log: text or json
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,

    /// The level of the log: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
}

// Requests to S3.
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct StoreArgs {
    /// Pay for requests to S3 in place of the bucket's owner: requester
    ///
    /// A requester-pays bucket refuses requests without this.
    #[arg(long, value_name = "PAYER")]
    pub request_payer: Option<String>,
}

// Input, output and frames. (A comment that clap takes for the text of --help would replace that
// of the subcommand.)
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct WorkArgs {
    /// The input: s3://BUCKET/KEY, file:///PATH or a path
    ///
    /// For render and submit: the .blend file. For stitch: the output of render, which has a folder
    /// frames/, or a folder of numbered images.
    #[arg(short, long, value_name = "URI")]
    pub input_uri: Option<String>,

    /// The output: s3://BUCKET/PREFIX, file:///PATH or a path
    ///
    /// Frames go to URI/frames/0001.png and so on, the video to URI/output.mp4, and a report of each
    /// attempt to URI/reports/.
    #[arg(short, long, value_name = "URI")]
    pub output_uri: Option<String>,

    /// The number of frames that one container renders
    ///
    /// Required by render unless --frames is given. The child with AWS_BATCH_JOB_ARRAY_INDEX i
    /// renders frames i*N+1 to i*N+N; without that variable, frames 1 to N. stitch accepts and
    /// ignores it, so that one job definition serves both.
    #[arg(short, long, value_name = "N", allow_hyphen_values = true)]
    pub frames_per_job: Option<String>,

    /// The number of frames of the animation, or `scene` to read it from the scene file
    ///
    /// render renders nothing past the last frame; a child that lies wholly past it has nothing to
    /// do and succeeds. stitch requires so many frames. submit goes up to the scene's last frame by
    /// default.
    #[arg(short, long, value_name = "N|scene", allow_hyphen_values = true)]
    pub total_frames: Option<String>,

    /// The first frame of the animation, or `scene` to read it from the scene file
    ///
    /// It may be 0 or negative. render: the frame of array index 0, 1 by default. stitch: the first
    /// frame of the video, by default the first that is there, or 1 if --total-frames is given.
    /// submit: by default the scene's first frame, or 1 if --total-frames is a number.
    #[arg(long, value_name = "FRAME|scene", allow_hyphen_values = true)]
    pub first_frame: Option<String>,

    /// Exactly these frames, in ascending order: 1-10,15,20-40x2
    ///
    /// Replaces --frames-per-job. In a child of an array job, --frames-per-job is required as well:
    /// it says how many frames of this set the child renders.
    #[arg(long, value_name = "SET", allow_hyphen_values = true)]
    pub frames: Option<String>,
}

#[derive(Debug, Default, Args)]
pub(in crate::cli) struct CommonArgs {
    #[command(flatten)]
    pub work: WorkArgs,

    /// The folder for temporary files
    #[arg(long, value_name = "DIR")]
    pub scratch_dir: Option<String>,

    /// Run Blender and FFmpeg in a sandbox: auto, require or off
    ///
    /// In the sandbox they read themselves, the system's programs and libraries, the scene, and the
    /// files beside a local scene. They write frames and temporary files. They have no network.
    /// `auto` uses what the kernel offers, and the log says what that is. `require` starts nothing
    /// unless the kernel offers all of it.
    #[arg(long, value_name = "MODE")]
    pub sandbox: Option<String>,

    /// A file or folder that they may also read and execute; separate several by colons
    ///
    /// For textures, libraries and colour profiles that do not lie beside the scene. Can be given
    /// several times.
    #[arg(long, value_name = "PATH")]
    pub allow_read: Vec<String>,

    /// A variable to pass to Blender and FFmpeg; separate several by commas
    ///
    /// By default they get PATH, TZ, and the variables of GPUs, OpenGL and colour management. Can be
    /// given several times.
    #[arg(long, value_name = "NAME")]
    pub pass_env: Vec<String>,

    /// The time for stopping after SIGTERM or ctrl-C, 1s to 2h
    ///
    /// In this time the worker stores saved frames and the report, and exits. Choose less than the
    /// time between SIGTERM and SIGKILL: 30 seconds on AWS Batch, 10 with `docker stop` unless -t
    /// says otherwise. After a Spot notice, this much of the two minutes is kept for storing.
    #[arg(long, value_name = "TIME")]
    pub stop_grace: Option<String>,

    /// The longest time without a sign of life from Blender or FFmpeg: 90s, 10m, 1h, or `off`
    ///
    /// Signs of life are a printed line, CPU time used, and a file written. A bare number is
    /// seconds. The program is ended; Blender is started again, see --blender-attempts.
    #[arg(long, value_name = "TIME|off", allow_hyphen_values = true)]
    pub stall_timeout: Option<String>,

    /// The longest time for the whole attempt, or `off`
    ///
    /// Then Blender is ended, saved frames are stored, and the job ends with 70, which Batch
    /// does not retry. Batch does not retry a job that its own time-out has ended either.
    #[arg(long, value_name = "TIME|off", allow_hyphen_values = true)]
    pub job_timeout: Option<String>,

    /// The number of concurrent transfers from and to S3, 1 to 128, or `auto`
    ///
    /// `auto` begins with 8 and takes more, up to 128, as long as more are faster.
    #[arg(long, value_name = "N|auto", allow_hyphen_values = true)]
    pub max_transfers: Option<String>,

    /// The memory for uploads to S3
    ///
    /// Files of up to 16 MiB are held whole, larger ones in parts of 8 MiB. Other files wait on
    /// disk.
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub upload_buffer: Option<String>,

    /// Print metrics at the end: emf or off
    ///
    /// `emf` prints one line in the Embedded Metric Format of CloudWatch on standard output: frames,
    /// seconds a frame, bytes, retries, memory, and how the attempt ended. The metrics are grouped
    /// by AWS_BATCH_JQ_NAME, which AWS Batch sets, and JOB_DEFINITION.
    #[arg(long, value_name = "FORMAT")]
    pub metrics: Option<String>,

    #[command(flatten)]
    pub store: StoreArgs,

    #[command(flatten)]
    pub log: LogArgs,
}

// How the scene is rendered.
#[derive(Debug, Args)]
pub(in crate::cli) struct SceneArgs {
    /// Denoise as the scene says, or not at all: scene or off
    ///
    /// `off` switches off the scene's denoising, in Cycles and in the compositor.
    #[arg(long, value_name = "scene|off")]
    pub denoise: Option<String>,

    /// A feature that the scene may lack in this Blender: denoiser, alembic, osl, …
    ///
    /// By default a scene that needs a feature that this Blender lacks ends the job with 69 before
    /// the first frame, and one that a newer Blender saved, with 65. Separate several by commas, or
    /// give it several times: denoiser, alembic, usd, osl, openvdb, fluid, ocean, remesh,
    /// opensubdiv, freestyle, bullet, movies, engine, newer-blender.
    #[arg(long, value_name = "FEATURE")]
    pub allow_missing: Vec<String>,
}

// The Blender that renders the scene.
#[derive(Debug, Args)]
pub(in crate::cli) struct RendererArgs {
    /// The version of the Blender that is to render the scene, such as 5.2
    ///
    /// The version in the image. inspect warns if it is older than the Blender that saved the file;
    /// submit refuses such a scene unless --allow-missing newer-blender is given.
    #[arg(long, value_name = "VERSION")]
    pub blender_version: Option<String>,
}

// How the video is made.
#[derive(Debug, Args)]
pub(in crate::cli) struct VideoArgs {
    /// The frame rate of the video: 24, 23.976 or 30000/1001
    ///
    /// From 0.001 to 1000 frames a second. The scene's rate is in the reports that render leaves. It
    /// is required for frames of render without such a report.
    #[arg(long, value_name = "RATE")]
    pub fps: Option<String>,

    /// The video codec: h264, h265 or prores
    #[arg(long, value_name = "CODEC")]
    pub codec: Option<String>,

    /// The constant rate factor of h264 or h265, 0 (best) to 51
    #[arg(long, value_name = "N")]
    pub crf: Option<String>,

    /// The preset of h264 or h265, from fast and large to slow and small: ultrafast to veryslow
    #[arg(long, value_name = "PRESET")]
    pub preset: Option<String>,

    /// The file name of the video
    #[arg(long, value_name = "NAME")]
    pub output_name: Option<String>,

    /// Repeat the frame before a missing or damaged one
    ///
    /// Without this, missing and damaged frames are an error.
    #[arg(long)]
    pub allow_gaps: bool,
}

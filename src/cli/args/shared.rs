//! Arguments that several subcommands have.

#![expect(clippy::doc_markdown, reason = "these comments are the text of --help, not Markdown")]

use clap::Args;

#[derive(Debug, Default, Args)]
pub(in crate::cli) struct LogArgs {
    /// How the log looks: text or json [env: LOG_FORMAT] [default: text on a terminal, else json]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,

    /// How much is logged: error, warn, info, debug or trace [env: LOG_LEVEL] [default: info; warn where an answer is all]
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
}

// How S3 is asked.
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct StoreArgs {
    /// Who pays for requests to S3 if the bucket's owner does not: requester [env: REQUEST_PAYER]
    ///
    /// A requester-pays bucket refuses requests that do not say so.
    #[arg(long, value_name = "PAYER")]
    pub request_payer: Option<String>,
}

// What there is to render, where it goes, and which frames there are. (A comment that clap
// takes for the text of --help would replace that of the subcommand.)
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct WorkArgs {
    /// What to work on: s3://BUCKET/KEY, file:///PATH or a path [env: INPUT_URI]
    ///
    /// For render and submit: the .blend file. For stitch: where frames/ lies, which is the output
    /// of render; a folder of images works as well.
    #[arg(short, long, value_name = "URI")]
    pub input_uri: Option<String>,

    /// Where the results go: s3://BUCKET/PREFIX, file:///PATH or a path [env: OUTPUT_URI]
    ///
    /// Frames go to URI/frames/0001.png and so on, the video to URI/output.mp4, a report of each
    /// attempt to URI/reports/.
    #[arg(short, long, value_name = "URI")]
    pub output_uri: Option<String>,

    /// How many frames one container renders [env: F_PER_JOB]
    ///
    /// The child with AWS_BATCH_JOB_ARRAY_INDEX i renders frames i*N+1 to i*N+N; without that
    /// variable, frames 1 to N. Accepted by stitch and not used there, so that one job definition
    /// serves both.
    #[arg(short, long, value_name = "N", allow_hyphen_values = true)]
    pub frames_per_job: Option<String>,

    /// How many frames the animation has, or `scene` [env: TOTAL_FRAMES]
    ///
    /// For render: nothing past the last one is rendered; a child that lies wholly past the end
    /// has nothing to do and succeeds. For stitch: that many frames must be there. For submit:
    /// by default up to the scene's last one. `scene` takes the number from the scene file.
    #[arg(short, long, value_name = "N|scene", allow_hyphen_values = true)]
    pub total_frames: Option<String>,

    /// The animation's first frame, or `scene` [env: FIRST_FRAME] [default: 1]
    ///
    /// For render: where index 0 begins. For stitch: where the video begins; by default with the
    /// first frame there is, or with 1 where --total-frames is given. For submit: the scene's first
    /// one, or 1 where --total-frames is a number. May be 0 or negative.
    #[arg(long, value_name = "FRAME|scene", allow_hyphen_values = true)]
    pub first_frame: Option<String>,

    /// Exactly these frames: 1-10,15,20-40x2 [env: FRAMES]
    ///
    /// In ascending order, however they are written. Instead of --frames-per-job; in the child of an array --frames-per-job is needed as well
    /// and counts frames of this set.
    #[arg(long, value_name = "SET", allow_hyphen_values = true)]
    pub frames: Option<String>,
}

#[derive(Debug, Default, Args)]
pub(in crate::cli) struct CommonArgs {
    #[command(flatten)]
    pub work: WorkArgs,

    /// A folder for temporary files [env: SCRATCH_DIR] [default: the system's]
    #[arg(long, value_name = "DIR")]
    pub scratch_dir: Option<String>,

    /// Whether Blender and FFmpeg are locked in: auto, require or off [env: SANDBOX] [default: auto]
    ///
    /// Locked in, they read themselves, the system's programs and libraries, the scene and what
    /// lies beside it (nothing else, of a scene on S3); they write frames and temporary files; they
    /// have no network. `auto` does what the kernel can, and the log says what that is; `require`
    /// starts nothing without all of it.
    #[arg(long, value_name = "MODE")]
    pub sandbox: Option<String>,

    /// What they may read (and execute) besides: a file or folder, more after colons [env: ALLOW_READ]
    ///
    /// For textures, libraries and colour profiles that do not lie beside the scene. Can be given
    /// several times.
    #[arg(long, value_name = "PATH")]
    pub allow_read: Vec<String>,

    /// Variables to hand to Blender and FFmpeg, separated by commas [env: PASS_ENV]
    ///
    /// Of the environment they get PATH, TZ and what GPUs, OpenGL and colour management are set up
    /// with, and nothing else. Can be given several times.
    #[arg(long, value_name = "NAME")]
    pub pass_env: Vec<String>,
    /// How long stopping may take after SIGTERM or ctrl-C: 25s, 2m [env: STOP_GRACE] [default: 25s]
    ///
    /// In that time what is saved is stored, and the report; then the program is gone. Less than
    /// there is between SIGTERM and SIGKILL: 30 seconds on AWS Batch, 10 with `docker stop`,
    /// unless it is told otherwise (-t). After a Spot notice this much is kept for it. 1s to 2h.
    #[arg(long, value_name = "TIME")]
    pub stop_grace: Option<String>,

    /// How long Blender or FFmpeg may give no sign of life, or `off` [env: STALL_TIMEOUT] [default: 10m]
    ///
    /// None is: no line printed, no CPU time used and no file written. 90s, 10m, 1h; a bare number
    /// is seconds. Then it is ended; Blender is started again, see --blender-attempts.
    #[arg(long, value_name = "TIME|off", allow_hyphen_values = true)]
    pub stall_timeout: Option<String>,

    /// How long the whole attempt may take, or `off` [env: JOB_TIMEOUT] [default: off]
    ///
    /// Then Blender is ended, everything saved is stored, and the job ends with 70, which Batch
    /// does not retry; neither does it retry a job that its own time-out has ended.
    #[arg(long, value_name = "TIME|off", allow_hyphen_values = true)]
    pub job_timeout: Option<String>,

    /// How many transfers from or to S3 are under way at once, or `auto` [env: MAX_TRANSFERS] [default: auto]
    ///
    /// `auto` begins with 8 and takes more, up to 128, as long as that moves more a second.
    #[arg(long, value_name = "N|auto", allow_hyphen_values = true)]
    pub max_transfers: Option<String>,

    /// How much of what goes out to S3 is held in memory [env: UPLOAD_BUFFER] [default: 32MiB]
    ///
    /// Files of up to 16 MiB are held whole, larger ones in parts of 8 MiB; what finds no room waits
    /// on disk.
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub upload_buffer: Option<String>,

    /// How the numbers of an attempt are told: emf or off [env: METRICS] [default: emf on AWS Batch, else off]
    ///
    /// `emf` prints one line in the Embedded Metric Format of CloudWatch on standard output at the
    /// end: frames, seconds a frame, bytes, retries, memory, how it ended. They are grouped by
    /// AWS_BATCH_JQ_NAME, which AWS Batch sets, and JOB_DEFINITION.
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
    /// Whether pictures are denoised: scene or off [env: DENOISE] [default: scene]
    ///
    /// `off` switches off what the scene says of denoising, in Cycles and in the compositor.
    #[arg(long, value_name = "scene|off")]
    pub denoise: Option<String>,

    /// Render without what this Blender lacks: denoiser, alembic, osl, … [env: ALLOW_MISSING]
    ///
    /// By default a scene that needs what this Blender cannot do ends the job with 69 before
    /// anything is rendered, and one that a newer Blender saved, with 65. Separated by commas, or
    /// given several times: denoiser, alembic, usd, osl, openvdb, fluid, ocean, remesh, opensubdiv,
    /// freestyle, bullet, movies, engine, newer-blender.
    #[arg(long, value_name = "FEATURE")]
    pub allow_missing: Vec<String>,
}

// Which Blender is to render the scene.
#[derive(Debug, Args)]
pub(in crate::cli) struct RendererArgs {
    /// The Blender that is to render the scene, as 5.2 [env: BLENDER_VERSION]
    ///
    /// That of the image. inspect says whether it is older than the Blender that saved the file;
    /// submit refuses such a scene unless --allow-missing newer-blender is given.
    #[arg(long, value_name = "VERSION")]
    pub blender_version: Option<String>,
}

// How the video is made.
#[derive(Debug, Args)]
pub(in crate::cli) struct VideoArgs {
    /// Frames a second: 24, 23.976 or 30000/1001 [env: FPS] [default: the scene's]
    ///
    /// From 0.001 to 1000. The scene's rate is known from the reports that render leaves; where none
    /// tells it, this is needed. Of images that render did not make it is 25, and a warning says so.
    #[arg(long, value_name = "RATE")]
    pub fps: Option<String>,

    /// The video codec: h264, h265 or prores [env: CODEC] [default: h264]
    #[arg(long, value_name = "CODEC")]
    pub codec: Option<String>,

    /// Constant rate factor, 0 (best) to 51 [env: CRF] [default: the encoder's]
    ///
    /// For h264 (whose default is 23) and h265 (28).
    #[arg(long, value_name = "N")]
    pub crf: Option<String>,

    /// Speed against size: ultrafast to veryslow [env: PRESET] [default: medium]
    ///
    /// For h264 and h265.
    #[arg(long, value_name = "PRESET")]
    pub preset: Option<String>,

    /// The video's file name [env: OUTPUT_NAME] [default: output.mp4; output.mov for prores]
    #[arg(long, value_name = "NAME")]
    pub output_name: Option<String>,

    /// Bridge missing or damaged frames by holding the one before [env: ALLOW_GAPS]
    ///
    /// Without this they are named, and there is no video.
    #[arg(long)]
    pub allow_gaps: bool,
}

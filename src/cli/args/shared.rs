//! Arguments that several subcommands have.

#![expect(clippy::doc_markdown, reason = "these comments are the text of --help, not Markdown")]

use clap::Args;

use super::overrides::OverrideArgs;
use super::user_code::UserCodeArgs;

// Who is told of the end.
#[derive(Debug, Args)]
pub(in crate::cli) struct NotifyArgs {
    /// A webhook that is told of the end of the run or of the wait: https://HOST/PATH
    ///
    /// It gets a JSON document, of which chats such as Slack show the text; render-worker schema
    /// notification prints its schema. Three attempts are made, and none of them changes the exit code. The
    /// address is secret: the log shows only its host.
    #[arg(long, value_name = "URL")]
    pub notify: Option<String>,
}

// The log, and the file with settings.
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct LogArgs {
    /// A TOML file with settings, which apply where neither a flag nor a variable says otherwise
    ///
    /// Its keys are the names of flags without their dashes, or those of their variables: job-queue =
    /// "spot". Other names are refused. Lists are written as the variable has them.
    #[arg(long, value_name = "FILE")]
    pub config: Option<String>,

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
    /// Who pays for requests to S3 in place of the bucket's owner: requester
    ///
    /// A requester-pays bucket refuses requests without this. submit passes it on to the jobs.
    #[arg(long, value_name = "PAYER")]
    pub request_payer: Option<String>,
}

// Input, output and frames. (A comment that clap takes for the text of --help would replace that
// of the subcommand.)
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct WorkArgs {
    /// The input: s3://BUCKET/KEY, file:///PATH or a path
    ///
    /// For run, render and submit: the .blend file; or the manifest of a project, NAME.project.json, which
    /// pack has stored; or an archive, or a folder with --main. For stitch: the output of render, which has a folder
    /// frames/, or a folder of images. FOLDER/beauty_####.exr chooses one of several sequences.
    #[arg(short, long, value_name = "URI")]
    pub input_uri: Option<String>,

    /// The output: s3://BUCKET/PREFIX, file:///PATH or a path
    ///
    /// Frames go to URI/frames/0001.png and so on, the video to URI/output.mp4, and a report of each
    /// attempt to URI/reports/. For stitch, it can also be the file of the video, such as out/film.mp4.
    #[arg(short, long, value_name = "URI")]
    pub output_uri: Option<String>,

    /// The number of frames that one container renders, 1 to 1048574
    ///
    /// The child of an array job with index i (see --array-index of render) renders N frames from
    /// FIRST+i*N on, where FIRST is --first-frame; outside of an array, i is 0. A child of an array
    /// requires it; submit requires it unless --auto is given, and takes `auto` for as many as fit in
    /// --target-minutes. Without it, render and run render the whole animation. stitch accepts and
    /// ignores it, so that one job definition serves both.
    #[arg(short, long, value_name = "N", allow_hyphen_values = true)]
    pub frames_per_job: Option<String>,

    /// The number of frames of the animation, 1 to 1048574, or `scene` for that of the scene file
    ///
    /// With -f, render and run leave out later frames, and a child that has only such frames succeeds
    /// at once; by default there is no last frame. Without -f, and for submit, the default is up to the
    /// scene's last frame. stitch: all of these frames must be there; by default up to the last one
    /// that is there. Not together with --frames.
    #[arg(short, long, value_name = "N|scene", allow_hyphen_values = true)]
    pub total_frames: Option<String>,

    /// The first frame, -1048574 to 1048574, or `scene` for that of the scene file
    ///
    /// run: by default the scene's. render with -f: the frame with which array index 0 begins, by
    /// default 1. render without -f, and submit: by default the scene's, or 1 if --total-frames is a
    /// number. stitch: by default the first that is there, or 1 if --total-frames is given. Not together
    /// with --frames.
    #[arg(long, value_name = "FRAME|scene", allow_hyphen_values = true)]
    pub first_frame: Option<String>,

    /// Exactly these frames: 7, 1-10, 20-40x2 (every second one), or several: 1-10,15,20-40x2
    ///
    /// They are taken in ascending order. In a child of an array job, --frames-per-job says how many
    /// frames of the set the child renders. submit needs --frames-per-job or --auto all the same.
    #[arg(long, value_name = "SET", allow_hyphen_values = true)]
    pub frames: Option<String>,
}

// The files and variables that Blender and FFmpeg can reach.
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct SandboxArgs {
    /// The folder for temporary files; it must exist
    ///
    /// It needs room for a scene from S3, two uncompressed frames and --max-backlog; for stitch, for
    /// the video.
    #[arg(long, value_name = "DIR")]
    pub scratch_dir: Option<String>,

    /// Whether Blender and FFmpeg run in a sandbox: auto, require or off
    ///
    /// There they can read only their own files, the system's programs and libraries, the scene, and
    /// the files beside a scene in a mounted folder. They can write only frames, the video and
    /// temporary files, and have no network. `auto` uses what the kernel has, and the log names it.
    /// `require` ends with 69 unless the kernel has Landlock and seccomp.
    #[arg(long, value_name = "MODE")]
    pub sandbox: Option<String>,

    /// A file or folder that Blender and FFmpeg may also read and execute in the sandbox
    ///
    /// For textures, libraries and colour profiles that do not lie beside the scene. Separate several
    /// by colons, or give the flag several times.
    #[arg(long, value_name = "PATH")]
    pub allow_read: Vec<String>,

    /// A variable to pass to Blender and FFmpeg
    ///
    /// By default they get PATH, TZ, LD_LIBRARY_PATH, and the variables of GPUs, OpenGL, OpenMP, colour
    /// management and Blender's own folders. A scene can read all of them. Separate several by commas,
    /// or give the flag several times.
    #[arg(long, value_name = "NAME")]
    pub pass_env: Vec<String>,
}

#[derive(Debug, Default, Args)]
pub(in crate::cli) struct CommonArgs {
    #[command(flatten)]
    pub work: WorkArgs,

    #[command(flatten)]
    pub programs: ProgramArgs,
}

// How Blender and FFmpeg are run.
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct ProgramArgs {
    #[command(flatten)]
    pub sandbox: SandboxArgs,

    /// The time from SIGTERM or ctrl-C to the end of the worker, 1s to 2h
    ///
    /// In it the worker stores saved frames and the report. It must be shorter than the time to
    /// SIGKILL: 30 seconds on AWS Batch, with `docker stop` 10 seconds or its -t. After a Spot notice,
    /// the frame in hand may take all but this much of the two minutes. A bare number is seconds.
    #[arg(long, value_name = "TIME")]
    pub stop_grace: Option<String>,

    /// The longest time without a sign of life from Blender or FFmpeg, up to 366 days, or `off`
    ///
    /// A sign of life is a printed line, CPU time used, or a file written. Then the program is ended.
    /// Blender is started again (see --blender-attempts); stitch ends with 70. Such as 90s, 10m or
    /// 1h 30m; a bare number is seconds.
    #[arg(long, value_name = "TIME|off", allow_hyphen_values = true)]
    pub stall_timeout: Option<String>,

    /// The longest time for the whole attempt, up to 366 days, or `off`
    ///
    /// Then Blender or FFmpeg is ended, saved frames are stored, and the job ends with 70, which the
    /// rules of deploy/batch do not retry. Choose a few minutes less than Batch's own time-out. A bare
    /// number is seconds.
    #[arg(long, value_name = "TIME|off", allow_hyphen_values = true)]
    pub job_timeout: Option<String>,

    /// The number of transfers from and to S3 at once, 1 to 128, or `auto`
    ///
    /// `auto` begins with 8, takes more while that is faster, and fewer when S3 asks for it.
    #[arg(long, value_name = "N|auto", allow_hyphen_values = true)]
    pub max_transfers: Option<String>,

    /// The memory for uploads to S3, such as 64MiB
    ///
    /// A file of up to 16 MiB is held whole, a larger one in parts of 8 MiB. Files that find no room
    /// wait on disk. A file or part that is larger than the buffer is held alone. A bare number is
    /// bytes.
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub upload_buffer: Option<String>,

    /// The format of the metrics that are printed at the end: emf or off
    ///
    /// `emf` prints one line in the Embedded Metric Format of CloudWatch on standard output: frames,
    /// seconds a frame, bytes, retries, memory, and how the attempt ended. The metrics are grouped by two
    /// variables: AWS_BATCH_JQ_NAME, which AWS Batch sets, and JOB_DEFINITION, which the job definition
    /// may set.
    #[arg(long, value_name = "FORMAT")]
    pub metrics: Option<String>,

    #[command(flatten)]
    pub store: StoreArgs,

    #[command(flatten)]
    pub log: LogArgs,
}

// A quick look, and previews of frames.
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct PreviewArgs {
    /// A quick look: pictures of a quarter of the width and height, with 16 samples, in OUTPUT/preview/
    ///
    /// --resolution and --samples replace either. Nothing is increased: a scene with fewer samples
    /// keeps its own. stitch makes the video of the preview.
    #[arg(long)]
    pub preview: bool,

    /// Make no previews: small JPEGs of the frames, and the contact sheet, in OUTPUT/previews/
    ///
    /// By default render stores one of each frame, previews/0001.jpg, and stitch those that are not
    /// there yet, but none for FOLDER. Both store previews/contact-sheet.jpg, which shows up to 100
    /// frames. (--preview is something else: a quick look at the scene.)
    #[arg(long)]
    pub no_previews: bool,
}

// The scene file in an archive or a folder.
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct MainArgs {
    /// The scene file in an archive or a folder, such as shots/010.blend
    ///
    /// For -i ARCHIVE (.zip, .tar, .tar.gz or .tar.zst) with several scenes, and for -i FOLDER, on a file
    /// system or a prefix on S3: Blender may then read all files in the folder, and not only those beside
    /// the scene. Of a prefix, every object is fetched.
    #[arg(long, value_name = "PATH")]
    pub main: Option<String>,
}

// How the scene is rendered.
#[derive(Debug, Args)]
pub(in crate::cli) struct SceneArgs {
    #[command(flatten)]
    pub main: MainArgs,

    #[command(flatten)]
    pub overrides: OverrideArgs,

    #[command(flatten)]
    pub user_code: UserCodeArgs,

    /// A feature that the scene needs and this Blender may lack, such as denoiser
    ///
    /// By default such a scene ends the job before the first frame: with 69, or with 65 if a newer
    /// Blender saved it. Separate several by commas, or give the flag several times: denoiser, alembic,
    /// usd, osl, openvdb, fluid, ocean, remesh, opensubdiv, freestyle, bullet, movies, engine,
    /// newer-blender.
    #[arg(long, value_name = "FEATURE")]
    pub allow_missing: Vec<String>,

    /// Whether to render without files that the scene needs: fail or warn
    ///
    /// Textures, libraries, caches and others that are missing, damaged, or out of reach in the sandbox.
    /// `fail` names all of them and ends the job with 65 before the first frame. Only what the rendered
    /// frames show counts.
    #[arg(long, value_name = "fail|warn")]
    pub missing_files: Option<String>,
    /// Simulate what is not baked, also in the frames before those of this job
    ///
    /// Cloth, rigid bodies, particles, fluids and other simulations make each frame from the one
    /// before. A job that begins where they begin simulates them as it renders. Any other one is
    /// refused, with 65, unless they are baked: this flag makes it simulate the frames before its own,
    /// without rendering them. `bake` does this once for all jobs.
    #[arg(long)]
    pub simulate: bool,

    /// Render simulations that are not baked without simulating them
    ///
    /// Most stay as they are in the scene file, and particles begin with each job. A warning names
    /// them.
    #[arg(long)]
    pub allow_unbaked: bool,

    /// Which frames are rendered first: sequential, first-last-middle or every-10th
    ///
    /// So that a person sees early whether the animation is right: the first, the last and the middle
    /// frame of each job, or every tenth one, and then the others in ascending order. The pictures are
    /// the same. A scene with simulations that are not baked is refused, with 2, because each of their
    /// frames is made from the one before.
    #[arg(long, value_name = "ORDER")]
    pub order: Option<String>,
}

// The Blender that renders the scene.
#[derive(Debug, Args)]
pub(in crate::cli) struct RendererArgs {
    /// The version of the image's Blender, which is to render the scene, such as 5.2
    ///
    /// If it is older than the Blender that saved the file, inspect says so, and submit refuses the
    /// scene unless --allow-missing newer-blender is given.
    #[arg(long, value_name = "VERSION")]
    pub blender_version: Option<String>,
}

// How the video is made.
#[derive(Debug, Args)]
pub(in crate::cli) struct VideoArgs {
    /// The frame rate of the video, 0.001 to 1000: 24, 23.976 (24000/1001) or 30000/1001
    ///
    /// By default it comes from the reports that render leaves beside the frames. If none of these has
    /// it, this flag is required. A GIF counts in hundredths of a second, and 50 is its highest rate.
    #[arg(long, value_name = "RATE")]
    pub fps: Option<String>,

    /// The video codec: h264, h265, av1, vp9, prores, prores4444, dnxhr or gif
    ///
    /// h264 plays everywhere. prores is 422 HQ, for editing; prores4444, vp9 and gif can keep alpha. By
    /// default the name of the video decides: .webm is vp9, .gif is gif, and others are h264.
    #[arg(long, value_name = "CODEC")]
    pub codec: Option<String>,

    /// The constant rate factor, 0 (best) to 51 (worst) for h264 and h265, to 63 for av1 and vp9
    ///
    /// Refused with other codecs. With 0, h264 is lossless, which browsers and QuickTime do not play.
    #[arg(long, value_name = "N")]
    pub crf: Option<String>,

    /// The preset of the encoder: slower ones make smaller files
    ///
    /// For h264 and h265: ultrafast, superfast, veryfast, faster, fast, medium, slow, slower, veryslow
    /// or placebo. For av1: 10 (fastest) to 0. Refused with other codecs.
    #[arg(long, value_name = "PRESET")]
    pub preset: Option<String>,

    /// The bits of a sample of the video: 8 or 10
    ///
    /// Few players show h264 of 10 bits; h265, av1 and vp9 of 10 bits are common.
    #[arg(long, value_name = "BITS")]
    pub bit_depth: Option<String>,

    /// Keep the alpha of the pictures, in vp9, prores4444 or gif
    #[arg(long)]
    pub alpha: bool,

    /// The colour behind transparent pictures and beside narrow ones: black, white or #RRGGBB
    #[arg(long, value_name = "COLOUR")]
    pub background: Option<String>,

    /// The size of the video, such as 1920x1080, or that of the first or largest picture: first, largest
    ///
    /// Each picture is fitted into it in its own shape. Without this, pictures of different sizes are
    /// an error. largest reads all pictures twice.
    #[arg(long, value_name = "WxH|first|largest")]
    pub size: Option<String>,

    /// The view transform of OpenEXR and HDR pictures, which are linear: scene, standard or none
    ///
    /// scene is what the frames look like in Blender: AgX or Filmic, look, exposure and gamma, which
    /// render leaves with its report. Without such a report it is standard, the curve of sRGB. none
    /// shows the values as they are, from 0 to 1.
    #[arg(long, value_name = "VIEW")]
    pub view: Option<String>,

    /// The layer of OpenEXR pictures, such as ViewLayer, ViewLayer.Depth or right
    ///
    /// By default it is the rendered picture: after compositing if the file has that, else that of the
    /// first view layer, and of the first eye.
    #[arg(long, value_name = "NAME")]
    pub layer: Option<String>,

    /// What to write into the pictures: frame, timecode, scene or date, or several: frame,timecode
    ///
    /// In the corner at the bottom left, or after an @ in another one: scene,frame@top-right. The
    /// timecode counts frames from 0 and drops none.
    #[arg(long, value_name = "ITEMS")]
    pub burn_in: Option<String>,

    /// The sound of the video: any file that FFmpeg can decode
    ///
    /// It is cut where the video ends. By default it is the sound of the scene, if the scene has any:
    /// render leaves it beside the frames.
    #[arg(long, value_name = "URI")]
    pub audio: Option<String>,

    /// When the sound of --audio begins, in seconds; a negative number leaves out its beginning
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true)]
    pub audio_offset: Option<String>,

    /// Make a video without sound
    #[arg(long)]
    pub no_audio: bool,

    /// The file name of the video, without folders; its extension chooses the container
    ///
    /// .mp4, .mov or .mkv for h264 and h265; also .webm for av1; .webm, .mkv or .mp4 for vp9; .mov or
    /// .mkv for prores and prores4444; .mov, .mkv or .mxf for dnxhr; .gif for gif.
    #[arg(long, value_name = "NAME")]
    pub output_name: Option<String>,

    /// Repeat the frame before a missing or damaged one; at the start, the one after it
    ///
    /// Without this, missing and damaged frames are an error.
    #[arg(long)]
    pub allow_gaps: bool,
}

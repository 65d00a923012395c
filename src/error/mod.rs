//! Everything that can end a job early, with its message, its exit code and advice on what to do
//! next.
//!
//! To add an error, add a variant with its message to [`Error`], and an arm to [`Error::exit`] in
//! `exit_code.rs`. [`Error::advice`] follows from the exit code, unless `advice.rs` has something
//! more specific.

mod advice;
mod exit_code;
mod farm_advice;
mod local_advice;

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::batch::BatchError;
use crate::blender::{Flaw, SceneFileError, SkippedFrame};
use crate::cloudwatch::LogsError;
use crate::ending::Size;
use crate::error_chain::chain;
use crate::process::sandbox::NoSandbox;
use crate::process::shutdown::Interrupt;
use crate::process::startup::resources::Shortage;
use crate::process::supervisor::SpawnError;
use crate::project::ProjectError;
use crate::request::{
    DataName, FRAMES_DIR, FrameSet, FramesPerJob, JobId, LARGEST_ARRAY, Location, ProjectPath,
    SelectionError,
};
use crate::space::Space;
use crate::storage::StorageError;
use crate::{blender, ffmpeg};

/// Why a job did not finish.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The requested frames cannot exist.
    #[error(transparent)]
    Selection(SelectionError),
    /// The scene file is not a usable scene.
    #[error("{scene} is not a usable scene")]
    SceneFile {
        /// The location of the scene.
        scene: Location,
        /// The problem.
        source: SceneFileError,
    },
    /// The job needs the scene's frame range, which is not known.
    #[error("cannot determine the scene's frame range from {location}")]
    NoSceneRange {
        /// The scene, or the output whose reports were searched.
        location: Location,
        /// Where the scene file is damaged, if that is why.
        #[source]
        flaw: Option<Flaw>,
    },
    /// The job needs the frame range of another scene than the active one, which is not known without
    /// Blender.
    #[error(
        "--scene (SCENE): the frame range of {name} is not at the beginning of {scene}, which has only \
         that of the active scene; give --frames (FRAMES), or --first-frame (FIRST_FRAME) and \
         --total-frames (TOTAL_FRAMES)"
    )]
    RangeOfOtherScene {
        /// The location of the scene file.
        scene: Location,
        /// The name of the scene.
        name: DataName,
    },
    /// The frame rate of the video is not known.
    #[error("cannot determine the scene's frame rate: it is in no report in {reports}")]
    NoFrameRate {
        /// The folder of the reports that were searched.
        reports: Location,
    },
    /// The stored LUT with which Blender shows the frames is damaged.
    #[error("{lut}, with which Blender shows the frames, is unusable: {why}")]
    ViewLut {
        /// The location of the LUT.
        lut: Location,
        /// What is wrong with it.
        why: String,
    },
    /// A program does not exist or cannot be executed.
    #[error("cannot start {} ({setting})", program.display())]
    Program {
        /// The name or path, as it was given.
        program: PathBuf,
        /// The flag and variable that choose it.
        setting: &'static str,
        /// The error of the system or of the search on `PATH`.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A sandbox is required, and this system does not support it.
    #[error(transparent)]
    Sandbox(NoSandbox),
    /// The system grants the worker too few resources.
    #[error(transparent)]
    Machine(Shortage),
    /// There are no GPUs to deal among processes.
    #[error("--gpus-per-process (GPUS_PER_PROCESS): this machine has no GPU of NVIDIA or AMD")]
    NoGpu,
    /// Blender did not render all frames.
    #[error("{scene}: {} not rendered: {cause}", frames_are(missing))]
    Blender {
        /// The cause.
        cause: blender::Cause,
        /// The frames that are not stored.
        missing: FrameSet,
        /// The location of the scene.
        scene: Location,
        /// An excerpt of Blender's output.
        excerpt: Vec<String>,
        /// The short command that renders the frame at which Blender failed.
        command: String,
    },
    /// The simulations of a scene were not baked.
    #[error("{scene} is not baked: {cause}")]
    NotBaked {
        /// The cause.
        cause: blender::Cause,
        /// The location of the scene.
        scene: Location,
        /// An excerpt of Blender's output.
        excerpt: Vec<String>,
    },
    /// Blender did not describe a scene.
    #[error("cannot inspect {scene} with Blender: {cause}")]
    NotDescribed {
        /// The cause.
        cause: blender::Cause,
        /// The location of the scene.
        scene: Location,
        /// An excerpt of Blender's output.
        excerpt: Vec<String>,
        /// The short command that renders a frame of the scene.
        command: String,
    },
    /// A scene was not packed, because of files that its pictures need.
    #[error("{scene} is not packed: {cause}")]
    NotPacked {
        /// The cause.
        cause: blender::Cause,
        /// The location of the scene.
        scene: Location,
    },
    /// Jobs were not submitted, because they would not render the scene.
    #[error("{scene} is not submitted: {} would not be rendered: {cause}", frames.named())]
    NotSubmitted {
        /// The cause.
        cause: blender::Cause,
        /// The location of the scene.
        scene: Location,
        /// The frames of the job that would fail.
        frames: FrameSet,
    },
    /// The scene is not in the folder of its project.
    #[error("--project-dir (PROJECT_DIR): {} is not in {}", scene.display(), folder.display())]
    NotInProject {
        /// The scene.
        scene: PathBuf,
        /// The folder.
        folder: PathBuf,
    },
    /// The manifest of another scene has the same name.
    #[error("{manifest} is that of another scene, {main}")]
    OtherProject {
        /// The manifest.
        manifest: Location,
        /// The main file that it has.
        main: ProjectPath,
    },
    /// Files changed while they were packed, and are not stored.
    #[error("changed while they were read, and are not stored: {}", files.join(", "))]
    FilesChanged {
        /// The files.
        files: Vec<String>,
    },
    /// A file that is to be packed cannot be read.
    #[error("cannot read {}", path.display())]
    PackedFile {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A project cannot be read.
    #[error(transparent)]
    Project(ProjectError),
    /// Blender kept failing at some frames.
    #[error(
        "{scene}: {} not rendered: {}",
        frames_are(missing),
        skipped_frames(skipped, missing, *rest)
    )]
    FramesSkipped {
        /// The location of the scene.
        scene: Location,
        /// The frames that are not stored.
        missing: FrameSet,
        /// The missing frames that Blender failed at repeatedly.
        skipped: Vec<SkippedFrame>,
        /// Why the other missing frames are not rendered, if there are any.
        rest: Rest,
        /// An excerpt of Blender's output at its last failure.
        excerpt: Vec<String>,
        /// The short command that renders one of the skipped frames.
        command: String,
    },
    /// The scratch disk is full, or too small for the frames.
    #[error("{scene}: {} not rendered: {}", frames_are(missing), scratch_full(space, *needed))]
    ScratchFull {
        /// The location of the scene.
        scene: Location,
        /// The frames that are not stored.
        missing: FrameSet,
        /// The free space.
        space: Space,
        /// The space in bytes that the frames need, if the disk is too small for them.
        needed: Option<u64>,
    },
    /// The folder that Blender writes frames to is not writable.
    #[error("{scene}: {} not rendered: cannot write to {}", frames_are(missing), path.display())]
    ScratchUnwritable {
        /// The location of the scene.
        scene: Location,
        /// The frames that are not stored.
        missing: FrameSet,
        /// The folder.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// Frames were rendered, but could not be stored.
    #[error("{} not stored", frames_are(missing))]
    NotStored {
        /// The frames that are not stored.
        missing: FrameSet,
        /// The error of the first of them, which names its location.
        source: StorageError,
    },
    /// There are no frames to stitch.
    #[error("{}", no_frames(folder, unnumbered))]
    NoFrames {
        /// The folder that was searched.
        folder: Location,
        /// Images whose names have no number.
        unnumbered: Vec<String>,
    },
    /// There are no pictures of any name.
    #[error("there are no pictures in {folder}")]
    NoPictures {
        /// The folder that was searched.
        folder: Location,
    },
    /// Frames of the sequence are missing.
    #[error("{} missing in {folder}", frames_are(frames))]
    MissingFrames {
        /// The folder of the frames.
        folder: Location,
        /// The frames.
        frames: FrameSet,
    },
    /// Frames of the sequence cannot be part of one video.
    #[error("cannot make a video of the frames in {folder}: {}", problems.join("; "))]
    UnusableFrames {
        /// The folder of the frames.
        folder: Location,
        /// The names of the frames, each with its problem.
        problems: Vec<String>,
    },
    /// FFmpeg or `FFprobe` did not produce a video that contains every frame.
    #[error("cannot make {video} from {}: {cause}", frames.named())]
    Ffmpeg {
        /// The cause.
        cause: ffmpeg::Cause,
        /// The location of the video.
        video: Location,
        /// The frames of the video.
        frames: FrameSet,
        /// An excerpt of the program's output.
        excerpt: Vec<String>,
    },
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Python that the user adds to Blender cannot be read.
    #[error("{setting}")]
    UserCode {
        /// The flag and variable that name it.
        setting: &'static str,
        /// The error, which names its location.
        source: StorageError,
    },
    /// The scratch folder cannot be created or used.
    #[error("cannot use {} for temporary files", path.display())]
    Scratch {
        /// The folder.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The server cannot listen on its address.
    #[error("--listen (LISTEN): cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The error of the system.
        source: io::Error,
    },
    /// The folder of the server cannot be used.
    #[error("--data (DATA_DIR): cannot use {}", path.display())]
    DataFolder {
        /// The folder.
        path: PathBuf,
        /// The error of the system, or that another server uses it.
        source: io::Error,
    },
    /// The job was stopped.
    #[error("stopped by {by}: {left}")]
    Interrupted {
        /// The signal or event.
        by: Interrupt,
        /// The work that is left.
        left: String,
    },
    /// A request to AWS Batch failed.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// A request to CloudWatch Logs failed.
    #[error(transparent)]
    Logs(#[from] LogsError),
    /// A job has no log.
    #[error("there is no log of the job {job}: {why}")]
    NoLog {
        /// The id.
        job: JobId,
        /// Why not.
        why: String,
    },
    /// The render job was submitted, but the stitch job was not.
    #[error("the render job {render} is submitted, but its stitch job is not")]
    HalfSubmitted {
        /// The id of the render job.
        render: JobId,
        /// Why the stitch job was not submitted.
        source: BatchError,
    },
    /// The array job would have more children than AWS Batch allows.
    #[error(
        "{frames} frames would need {children} children, but an array job can have at most \
         {LARGEST_ARRAY}: --frames-per-job (F_PER_JOB) {} fits",
        fits.get()
    )]
    ArrayTooLarge {
        /// The number of frames of the whole array.
        frames: u32,
        /// The number of children that it would need.
        children: u32,
        /// The smallest number of frames per job that fits.
        fits: FramesPerJob,
    },
    /// AWS Batch has no such job.
    #[error("AWS Batch in {region} has no job {job}")]
    NoSuchJob {
        /// The id.
        job: JobId,
        /// The region that was searched.
        region: String,
    },
    /// It is not known how many frames fit in a time.
    #[error("-f auto: no report in {output} tells how long a frame takes")]
    PaceUnknown {
        /// The output.
        output: Location,
    },
    /// A job cannot be submitted again.
    #[error("the job {job} is not submitted again: {why}")]
    NotRetried {
        /// The id.
        job: JobId,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Frames are missing in an output whose attempts have ended.
    #[error("every attempt in {output} has ended, and {} not stored", frames_are(frames))]
    FramesLeft {
        /// The output.
        output: Location,
        /// The frames.
        frames: FrameSet,
    },
    /// Jobs that were followed until they ended failed.
    #[error("{jobs}")]
    JobsFailed {
        /// The jobs, with the states of their children.
        jobs: String,
    },
    /// A job does not say where it stores its output.
    #[error("the job does not say where its output is: it has no parameter outputUri")]
    OutputUnknown,
    /// The jobs have ended, but not everything that they have stored could be brought to this machine.
    #[error("not downloaded to {}: {}", folder.display(), named(names, *total))]
    NotDownloaded {
        /// The folder on this machine.
        folder: PathBuf,
        /// The first of the files.
        names: Vec<String>,
        /// How many they are.
        total: usize,
        /// Why the first of them did not come.
        source: Box<Error>,
    },
    /// A file that was stored cannot be written to this machine.
    #[error("--download (DOWNLOAD_DIR): cannot write {}", path.display())]
    DownloadedFile {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The worker stopped following jobs that continue to run.
    #[error("{}; the jobs continue; to follow them: {command}", chain(why.as_ref()))]
    NoLongerFollowed {
        /// The reason.
        why: Box<Error>,
        /// The command that follows the jobs again.
        command: String,
    },
    /// The output cannot be written to standard output.
    #[error("cannot write to standard output: {:?}", text.trim_end())]
    Output {
        /// The output.
        text: String,
        /// The error of the system.
        source: io::Error,
    },
    /// A bug in render-worker.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// Creates the error of a program that could not be started; `setting` names the flag and
    /// variable that chose it.
    pub fn spawn(error: SpawnError, program: PathBuf, setting: &'static str) -> Self {
        Self::Program { program, setting, source: error.into() }
    }

    /// Returns an excerpt of the output of the program that failed.
    pub fn excerpt(&self) -> &[String] {
        if let Self::Blender { excerpt, .. }
        | Self::NotDescribed { excerpt, .. }
        | Self::NotBaked { excerpt, .. }
        | Self::FramesSkipped { excerpt, .. }
        | Self::Ffmpeg { excerpt, .. } = self
        {
            excerpt
        } else {
            &[]
        }
    }
}

/// A failure of storage is the same for a project as for anything else.
impl From<ProjectError> for Error {
    fn from(error: ProjectError) -> Self {
        match error {
            ProjectError::Storage(error) => Self::Storage(error),
            error => Self::Project(error),
        }
    }
}

/// Why frames are not rendered although Blender did not fail at them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Blender no longer opened the scene.
    NotOpened,
    /// Blender failed in the same way at every frame that was tried.
    NotTried,
}

/// Formats a subject and verb: `frame 7 is`, `frames 7-9,12 are`.
pub(crate) fn frames_are(frames: &FrameSet) -> String {
    format!("{} {}", frames.named(), if frames.len() == 1 { "is" } else { "are" })
}

/// The first of some names, and how many more there are.
fn named(names: &[String], total: usize) -> String {
    let more = match total.saturating_sub(names.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", names.join(", "))
}

/// Whether a folder is one that `render` stores frames in, rather than a folder of other images.
fn is_frames_folder(folder: &Location) -> bool {
    match folder {
        Location::Local(path) => path.file_name().is_some_and(|name| name == FRAMES_DIR),
        Location::S3 { key, .. } => key.rsplit('/').next() == Some(FRAMES_DIR),
    }
}

fn skipped_frames(skipped: &[SkippedFrame], missing: &FrameSet, rest: Rest) -> String {
    let (times, reasons) = (SkippedFrame::how_often(skipped), SkippedFrame::reasons(skipped));
    let rest = match rest {
        _ if skipped.len() == missing.len() => "",
        Rest::NotOpened => "; then it no longer opened the scene",
        Rest::NotTried => {
            "; no frame was ever stored, so the others were not tried: they would fail in the same \
             way"
        }
    };
    format!("Blender failed {times} at {reasons}{rest}")
}

fn scratch_full(space: &Space, needed: Option<u64>) -> String {
    match needed {
        None => format!("the scratch disk is full: {space}"),
        Some(needed) => format!(
            "the scratch disk is too small: {space}, and {} are needed for frames of this size",
            Size(needed)
        ),
    }
}

fn no_frames(folder: &Location, unnumbered: &[String]) -> String {
    let mut text = if is_frames_folder(folder) {
        format!("there are no frames in {folder}")
    } else {
        format!(
            "there are no frames in {}, and no numbered images in {folder}",
            folder.join(FRAMES_DIR)
        )
    };
    match unnumbered {
        [] => {}
        [name] => _ = write!(text, "; the name of {name} has no number"),
        [name, more @ ..] => {
            let more = more.len();
            _ = write!(text, "; the names of {name} and {more} more images have no number");
        }
    }
    text
}

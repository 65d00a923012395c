//! Everything that can end a job early, grouped by who must act, each with its exit
//! code and what to do next.
//!
//! To add one: a variant here, then the compiler names the three matches, one of them in
//! `words`.

mod advice;

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

use crate::batch::{BatchError, Refused};
use crate::blender::{Flaw, SceneFileError, SkippedFrame};
use crate::exit::Exit;
use crate::process::sandbox::NoSandbox;
use crate::process::shutdown::Interrupt;
use crate::process::startup::resources::Lack;
use crate::process::supervisor::SpawnError;
use crate::request::{FrameSet, FramesPerJob, JobId, Location, SelectionError};
use crate::space::Space;
use crate::storage::{Failure, StorageError};
use crate::{blender, ffmpeg};

/// Why a job did not reach its end.
#[derive(Debug)]
pub enum Error {
    /// The frames that were asked for cannot exist.
    Selection(SelectionError),
    /// The scene file is none.
    SceneFile {
        /// Where it came from.
        scene: Location,
        /// What is wrong with it.
        source: SceneFileError,
    },
    /// The scene's frame range was asked for and cannot be read.
    NoSceneRange {
        /// Where the range was looked for.
        source: Location,
        /// Why it is not there, if the file stops making sense before.
        flaw: Option<Flaw>,
    },
    /// Nothing tells how many frames a second the video has.
    NoFrameRate {
        /// Where it was looked for.
        reports: Location,
    },
    /// A program is not there or cannot be executed.
    Program {
        /// Its name or path, as it was given.
        program: PathBuf,
        /// The flag and variable that choose it.
        setting: &'static str,
        /// What the system says.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Programs cannot be locked in, and must be.
    Sandbox(NoSandbox),
    /// The system does not grant what the worker itself needs.
    Machine(Lack),
    /// Blender did not deliver all frames.
    Blender {
        /// Why.
        cause: blender::Cause,
        /// The frames that are not stored.
        missing: FrameSet,
        /// Where the scene came from.
        scene: Location,
        /// Blender's own words.
        said: Vec<String>,
    },
    /// Blender kept failing at some frames.
    FramesSkipped {
        /// Where the scene came from.
        scene: Location,
        /// The frames that are not stored.
        missing: FrameSet,
        /// Those of them that Blender failed at, again and again.
        skipped: Vec<SkippedFrame>,
        /// Why the others are not rendered, if there are others.
        rest: Rest,
        /// Blender's own words when it failed the last time.
        said: Vec<String>,
    },
    /// The scratch disk is full, or too small for the frames.
    ScratchFull {
        /// Where the scene came from.
        scene: Location,
        /// The frames that are not stored.
        missing: FrameSet,
        /// The room there is.
        space: Space,
        /// The room that is needed in bytes, where that is why.
        needed: Option<u64>,
    },
    /// The folder that Blender writes frames to does not take anything.
    ScratchUnwritable {
        /// Where the scene came from.
        scene: Location,
        /// The frames that are not stored.
        missing: FrameSet,
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Frames that were rendered could not be stored.
    NotStored {
        /// The frames that are not stored.
        missing: FrameSet,
        /// What happened to the first of them.
        source: StorageError,
    },
    /// There are no frames to stitch.
    NoFrames {
        /// Where they were looked for, or what has no folder of them.
        folder: Location,
        /// Images whose names have no number at their end.
        unnumbered: Vec<String>,
    },
    /// Frames of the sequence are not there.
    MissingFrames {
        /// Where they should be.
        folder: Location,
        /// The frames.
        frames: FrameSet,
    },
    /// Frames of the sequence cannot be in one video.
    UnusableFrames {
        /// Where they are.
        folder: Location,
        /// What is wrong with which.
        problems: Vec<String>,
    },
    /// FFmpeg or `FFprobe` did not deliver a video that holds every frame.
    Ffmpeg {
        /// Why.
        cause: ffmpeg::Cause,
        /// Where the video should be.
        video: Location,
        /// The frames it should be made of.
        frames: FrameSet,
        /// Its own words.
        said: Vec<String>,
    },
    /// Storage failed.
    Storage(StorageError),
    /// The scratch space failed.
    Scratch {
        /// Where it is.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Told to stop.
    Interrupted {
        /// By whom.
        by: Interrupt,
        /// What is left to do.
        left: String,
    },
    /// AWS Batch does not do what was asked.
    Batch(BatchError),
    /// Of the jobs to be submitted the first one is, and the second one is not.
    HalfSubmitted {
        /// The id of the job that renders.
        render: JobId,
        /// Why the other one is not.
        source: BatchError,
    },
    /// More children than an array job can have.
    ArrayTooLarge {
        /// The frames of all of them.
        frames: u32,
        /// How many there would be.
        children: u32,
        /// With how many frames each they are few enough.
        fits: FramesPerJob,
    },
    /// AWS Batch knows no such job.
    NoSuchJob {
        /// Its id.
        job: JobId,
        /// Where it was looked for.
        region: String,
    },
    /// Jobs that were followed to their end failed.
    JobsFailed {
        /// Which, and how far they came.
        jobs: String,
    },
    /// Jobs were followed and are no longer. They go on.
    NoLongerFollowed {
        /// Why.
        why: Box<Error>,
        /// What follows them again.
        command: String,
    },
    /// Standard output does not take an answer.
    Answer {
        /// What was to be told.
        text: String,
        /// What the system says.
        source: io::Error,
    },
    /// A bug in render-worker.
    Internal(String),
}

impl Error {
    /// How the worker ends.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Selection(_) | Self::ArrayTooLarge { .. } => Exit::Usage,
            Self::Batch(error) => match error.refused() {
                Refused::Request | Refused::Settings => Exit::Usage,
                Refused::Machine => Exit::Unavailable,
                Refused::Identity | Refused::Access => Exit::Denied,
                Refused::NoIdentity | Refused::ForNow | Refused::Throttled => Exit::Transient,
                Refused::Unknown => Exit::ChildFailed,
            },
            // None of them may look as if the same once more were right: the first job is there.
            Self::HalfSubmitted { .. } | Self::JobsFailed { .. } => Exit::ChildFailed,
            Self::NoLongerFollowed { why, .. } => match why.exit() {
                Exit::Transient => Exit::ChildFailed,
                exit => exit,
            },
            Self::SceneFile { source: SceneFileError::Io(_), .. }
            | Self::ScratchFull { .. }
            | Self::ScratchUnwritable { .. }
            | Self::Scratch { .. }
            | Self::Answer { .. } => Exit::LocalIo,
            Self::SceneFile { .. } | Self::NoSceneRange { .. } | Self::UnusableFrames { .. } => {
                Exit::Unusable
            }
            Self::Program { .. } | Self::Sandbox(_) | Self::Machine(_) => Exit::Unavailable,
            Self::Blender { cause, .. } => of_blender(cause),
            Self::FramesSkipped { skipped, .. } => {
                let mut exits = skipped.iter().map(|skipped| of_blender(&skipped.cause));
                if exits.all(|exit| exit == Exit::ChildKilled) {
                    Exit::ChildKilled
                } else {
                    Exit::ChildFailed
                }
            }
            Self::NoFrames { .. }
            | Self::NoFrameRate { .. }
            | Self::MissingFrames { .. }
            | Self::NoSuchJob { .. } => Exit::Missing,
            Self::Ffmpeg { cause, .. } => match cause {
                ffmpeg::Cause::Lacking => Exit::Unavailable,
                ffmpeg::Cause::Disk => Exit::LocalIo,
                ffmpeg::Cause::Frames => Exit::Unusable,
                ffmpeg::Cause::Killed(_) => Exit::ChildKilled,
                ffmpeg::Cause::Failed(_) => Exit::ChildFailed,
            },
            Self::Storage(source) | Self::NotStored { source, .. } => match source.failure() {
                Failure::Missing(_) | Failure::Archived(_) => Exit::Missing,
                Failure::Denied(_) | Failure::Unrecognised(_) | Failure::Refused(_) => Exit::Denied,
                Failure::Misconfigured(_) => Exit::Usage,
                Failure::Lacking(_) => Exit::Unavailable,
                Failure::Transient(_) => Exit::Transient,
                Failure::Io(_) => Exit::LocalIo,
            },
            Self::Interrupted { by, .. } => match by {
                Interrupt::Keyboard => Exit::Keyboard,
                Interrupt::Terminate
                | Interrupt::HangUp
                | Interrupt::Spot { .. }
                | Interrupt::Orphaned => Exit::Terminated,
                Interrupt::OutOfTime => Exit::ChildFailed,
            },
            Self::Internal(_) => Exit::Internal,
        }
    }

    /// The failed program's own words.
    pub fn said(&self) -> &[String] {
        if let Self::Blender { said, .. }
        | Self::FramesSkipped { said, .. }
        | Self::Ffmpeg { said, .. } = self
        {
            said
        } else {
            &[]
        }
    }
}

/// Why frames are not rendered that Blender did not fail at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Blender no longer opened the scene.
    NotOpened,
    /// It failed in the same way at every frame that was tried.
    NotTried,
}

/// What an end of Blender's means.
fn of_blender(cause: &blender::Cause) -> Exit {
    match cause {
        blender::Cause::Scene(_) | blender::Cause::NewerFile { .. } => Exit::Unusable,
        blender::Cause::Lacking { .. } | blender::Cause::Unavailable(_) => Exit::Unavailable,
        blender::Cause::Killed(_) => Exit::ChildKilled,
        blender::Cause::Unprepared | blender::Cause::Failed { .. } => Exit::ChildFailed,
    }
}

/// `frame 7 is`, `frames 7-9,12 are`.
pub(crate) fn frames(set: &FrameSet) -> String {
    format!("{} {}", set.named(), if set.len() == 1 { "is" } else { "are" })
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::SceneFile { source, .. } => Some(source),
            Self::NoSceneRange { flaw, .. } => flaw.as_ref().map(|flaw| flaw as _),
            Self::Program { source, .. } => Some(source.as_ref()),
            // The operation and its location are in its own words.
            Self::NotStored { source, .. } => Some(source),
            Self::Storage(error) => error.source(),
            Self::ScratchUnwritable { source, .. }
            | Self::Scratch { source, .. }
            | Self::Answer { source, .. } => Some(source),
            Self::HalfSubmitted { source, .. } => Some(source),
            Self::Batch(_)
            | Self::ArrayTooLarge { .. }
            | Self::NoSuchJob { .. }
            | Self::JobsFailed { .. }
            | Self::NoLongerFollowed { .. }
            | Self::Selection(_)
            | Self::Sandbox(_)
            | Self::Machine(_)
            | Self::Blender { .. }
            | Self::FramesSkipped { .. }
            | Self::ScratchFull { .. }
            | Self::NoFrames { .. }
            | Self::NoFrameRate { .. }
            | Self::MissingFrames { .. }
            | Self::UnusableFrames { .. }
            | Self::Ffmpeg { .. }
            | Self::Interrupted { .. }
            | Self::Internal(_) => None,
        }
    }
}

impl From<BatchError> for Error {
    fn from(error: BatchError) -> Self {
        Self::Batch(error)
    }
}

impl From<StorageError> for Error {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl Error {
    /// `program` was chosen by `setting` and could not be started.
    pub fn spawn(error: SpawnError, program: PathBuf, setting: &'static str) -> Self {
        Self::Program { program, setting, source: error.into() }
    }
}

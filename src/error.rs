//! Everything that can end a job early, grouped by who must act, each with its exit
//! code and what to do next.
//!
//! To add one: a variant here, then the compiler names the three matches.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::blender::SceneFileError;
use crate::exit::Exit;
use crate::process::sandbox::NoSandbox;
use crate::process::shutdown::Interrupt;
use crate::process::supervisor::SpawnError;
use crate::request::{FrameSet, Location, SelectionError};
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
    /// Blender saved files that are not whole.
    DamagedFrames {
        /// Where the scene came from.
        scene: Location,
        /// The frames that are not stored.
        missing: FrameSet,
        /// Those of them that Blender says it saved.
        damaged: FrameSet,
        /// What is wrong with the first of these.
        damage: String,
        /// Whether the scratch disk is full.
        disk_full: bool,
        /// Blender's own words.
        said: Vec<String>,
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
        /// Where they were looked for.
        folder: Location,
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
    /// A bug in render-worker.
    Internal(String),
}

impl Error {
    /// How the worker ends.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Selection(_) => Exit::Usage,
            Self::SceneFile { source: SceneFileError::Io(_), .. }
            | Self::DamagedFrames { disk_full: true, .. }
            | Self::Scratch { .. } => Exit::LocalIo,
            Self::SceneFile { .. } | Self::NoSceneRange { .. } | Self::UnusableFrames { .. } => {
                Exit::Unusable
            }
            Self::Program { .. } | Self::Sandbox(_) => Exit::Unavailable,
            Self::Blender { cause, .. } => match cause {
                blender::Cause::Scene(_) => Exit::Unusable,
                blender::Cause::Lacking(_) => Exit::Unavailable,
                blender::Cause::Disk(_) => Exit::LocalIo,
                blender::Cause::Killed => Exit::ChildKilled,
                blender::Cause::Failed(_) => Exit::ChildFailed,
            },
            Self::DamagedFrames { disk_full: false, .. } => Exit::ChildFailed,
            Self::NoFrames { .. } | Self::MissingFrames { .. } => Exit::Missing,
            Self::Ffmpeg { cause, .. } => match cause {
                ffmpeg::Cause::Lacking => Exit::Unavailable,
                ffmpeg::Cause::Disk => Exit::LocalIo,
                ffmpeg::Cause::Frames => Exit::Unusable,
                ffmpeg::Cause::Killed => Exit::ChildKilled,
                ffmpeg::Cause::Failed(_) => Exit::ChildFailed,
            },
            Self::Storage(source) | Self::NotStored { source, .. } => match source.failure() {
                Failure::Missing(_) => Exit::Missing,
                Failure::Denied(_) => Exit::Denied,
                Failure::Transient(_) => Exit::Transient,
                Failure::Io(_) => Exit::LocalIo,
            },
            Self::Interrupted { by: Interrupt::Keyboard, .. } => Exit::Keyboard,
            Self::Interrupted {
                by: Interrupt::Terminate | Interrupt::HangUp | Interrupt::Spot { .. },
                ..
            } => Exit::Terminated,
            Self::Internal(_) => Exit::Internal,
        }
    }

    /// What the person who reads this should do next.
    pub fn advice(&self) -> &'static str {
        match self.exit() {
            Exit::Success => "",
            Exit::Internal => "this is a bug in render-worker: report it with this log",
            Exit::Usage => "correct the flags or variables of the job",
            Exit::Unusable if matches!(self, Self::UnusableFrames { .. } | Self::Ffmpeg { .. }) => {
                "render the frames that are named again"
            }
            Exit::Unusable => "open the scene in Blender, mend it and upload it again",
            Exit::Missing if matches!(self, Self::MissingFrames { .. }) => {
                "run the render jobs that make them, or hold the frame before with --allow-gaps"
            }
            Exit::Missing => "check the URI",
            Exit::Unavailable if matches!(self, Self::Sandbox(_)) => {
                "run the job where the kernel has both, or settle for what there is: --sandbox auto"
            }
            Exit::Unavailable => "install what is lacking in the image, or name another program",
            Exit::ChildFailed => "do the same with these frames on a desktop to see what is wrong",
            Exit::LocalIo if matches!(self, Self::Storage(_) | Self::NotStored { .. }) => {
                "see that this disk or volume has space and can be written"
            }
            Exit::LocalIo => {
                "give the container a folder for temporary files that has space and can be \
                 written: --scratch-dir (SCRATCH_DIR) or docker run --tmpfs /tmp"
            }
            Exit::Transient => "run the job again: this can pass by itself",
            Exit::Denied if self.is_about_a_file() => {
                "give the user that this runs as the right to do this, or run it as another one \
                 (docker run --user)"
            }
            Exit::Denied => "give the job's role or user the right to do this",
            Exit::Keyboard | Exit::Terminated => "run the job again",
            Exit::ChildKilled => "give the container more memory",
        }
    }

    fn is_about_a_file(&self) -> bool {
        let (Self::Storage(source) | Self::NotStored { source, .. }) = self else { return false };
        matches!(source.location(), Location::Local(_))
    }

    /// The failed program's own words.
    pub fn said(&self) -> &[String] {
        if let Self::Blender { said, .. }
        | Self::DamagedFrames { said, .. }
        | Self::Ffmpeg { said, .. } = self
        {
            said
        } else {
            &[]
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Selection(error) => write!(f, "{error}"),
            Self::SceneFile { scene, .. } => write!(f, "{scene} is no usable scene"),
            Self::NoSceneRange { source } => {
                write!(f, "{source} does not tell the scene's frame range")
            }
            Self::Program { program, setting, .. } => {
                write!(f, "cannot start {} ({setting})", program.display())
            }
            Self::Sandbox(error) => write!(f, "{error}"),
            Self::Blender { cause, missing, scene, .. } => {
                write!(f, "{scene}: {} not rendered: ", frames(missing))?;
                match cause {
                    blender::Cause::Scene(why)
                    | blender::Cause::Lacking(why)
                    | blender::Cause::Disk(why) => f.write_str(why),
                    blender::Cause::Killed => f.write_str(
                        "Blender was killed by SIGKILL, which is what the system does when memory runs out",
                    ),
                    blender::Cause::Failed(why) => f.write_str(why),
                }
            }
            Self::DamagedFrames { scene, missing, damaged, damage, disk_full, .. } => {
                write!(f, "{scene}: {} not rendered: ", frames(missing))?;
                write!(f, "{} not whole after Blender saved it: {damage}", frames(damaged))?;
                if *disk_full { f.write_str("; the scratch disk is full") } else { Ok(()) }
            }
            Self::NotStored { missing, .. } => write!(f, "{} not stored", frames(missing)),
            Self::NoFrames { folder } => write!(f, "there are no numbered images in {folder}"),
            Self::MissingFrames { folder, frames: which } => {
                write!(f, "{} missing in {folder}", frames(which))
            }
            Self::UnusableFrames { folder, problems } => {
                write!(f, "the frames in {folder} make no video: {}", problems.join("; "))
            }
            Self::Ffmpeg { cause, video, frames: of, .. } => {
                write!(f, "{video} is not made of {}: ", named(of))?;
                f.write_str(match cause {
                    ffmpeg::Cause::Lacking => "this FFmpeg lacks an encoder, decoder or filter",
                    ffmpeg::Cause::Disk => "the scratch disk is full or cannot be written",
                    ffmpeg::Cause::Frames => "FFmpeg cannot decode a frame",
                    ffmpeg::Cause::Killed => {
                        "FFmpeg was killed by SIGKILL, which is what the system does when memory runs out"
                    }
                    ffmpeg::Cause::Failed(why) => why,
                })
            }
            Self::Storage(error) => write!(f, "{error}"),
            Self::Scratch { path, .. } => {
                write!(f, "the folder for temporary files, {}, cannot be used", path.display())
            }
            Self::Interrupted { by, left } => write!(f, "stopped by {by}: {left}"),
            Self::Internal(what) => write!(f, "{what}"),
        }
    }
}

/// `frame 7`, `frames 7-9,12`.
fn named(set: &FrameSet) -> String {
    if set.len() == 1 { format!("frame {set}") } else { format!("frames {set}") }
}

/// `frame 7 is`, `frames 7-9,12 are`.
pub(crate) fn frames(set: &FrameSet) -> String {
    format!("{} {}", named(set), if set.len() == 1 { "is" } else { "are" })
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::SceneFile { source, .. } => Some(source),
            Self::Program { source, .. } => Some(source.as_ref()),
            // The operation and its location are in its own words.
            Self::NotStored { source, .. } => Some(source),
            Self::Storage(error) => error.source(),
            Self::Scratch { source, .. } => Some(source),
            Self::Selection(_)
            | Self::Sandbox(_)
            | Self::NoSceneRange { .. }
            | Self::Blender { .. }
            | Self::DamagedFrames { .. }
            | Self::NoFrames { .. }
            | Self::MissingFrames { .. }
            | Self::UnusableFrames { .. }
            | Self::Ffmpeg { .. }
            | Self::Interrupted { .. }
            | Self::Internal(_) => None,
        }
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

/// An error and its causes in one line, without repetitions.
pub fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    text
}

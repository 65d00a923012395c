//! The exit code of each [`Error`].

use std::io;

use super::Error;
use crate::aws::Blame;
use crate::batch::BatchErrorKind;
use crate::blender::{RefusalKind, SceneFileError};
use crate::cloudwatch::LogsErrorKind;
use crate::exit::Exit;
use crate::process::shutdown::Interrupt;
use crate::project::ProjectError;
use crate::storage::{Failure, PathMistake};
use crate::{blender, ffmpeg};

impl Error {
    /// Returns the exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Selection(_)
            | Self::ArrayTooLarge { .. }
            | Self::NotRetried { .. }
            | Self::PaceUnknown { .. }
            | Self::RangeOfOtherScene { .. }
            | Self::NotInProject { .. }
            | Self::OutputUnknown
            | Self::OtherProject { .. } => Exit::Usage,
            Self::FilesChanged { .. } => Exit::Transient,
            Self::NotDownloaded { source, .. } => source.exit(),
            Self::PackedFile { source, .. } | Self::DownloadedFile { source, .. } => {
                match source.kind() {
                    io::ErrorKind::PermissionDenied => Exit::Denied,
                    io::ErrorKind::NotFound => Exit::Missing,
                    _ => Exit::LocalIo,
                }
            }
            Self::Project(error) => match error {
                ProjectError::Manifest { .. }
                | ProjectError::Content { .. }
                | ProjectError::Archive { .. } => Exit::Unusable,
                ProjectError::NoMain { .. } | ProjectError::TooLarge { .. } => Exit::Usage,
                ProjectError::Replaced { .. } => Exit::Transient,
                ProjectError::NoSpace { .. } | ProjectError::Write { .. } => Exit::LocalIo,
                ProjectError::Storage(error) => storage_exit(error.failure()),
            },
            Self::Batch(error) => match error.kind() {
                BatchErrorKind::InvalidRequest | BatchErrorKind::Misconfigured => Exit::Usage,
                BatchErrorKind::Machine => Exit::Unavailable,
                BatchErrorKind::InvalidCredentials | BatchErrorKind::AccessDenied => Exit::Denied,
                BatchErrorKind::NoCredentials
                | BatchErrorKind::Transient
                | BatchErrorKind::Throttled => Exit::Transient,
                BatchErrorKind::OutcomeUnknown => Exit::ChildFailed,
            },
            Self::Logs(error) => logs_exit(error.kind()),
            Self::Listen { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied => Exit::Denied,
                _ => Exit::Usage,
            },
            // Never transient: a retry would submit or follow the same jobs again.
            Self::HalfSubmitted { .. } | Self::JobsFailed { .. } | Self::FramesLeft { .. } => {
                Exit::ChildFailed
            }
            Self::NoLongerFollowed { why, .. } => match why.exit() {
                Exit::Transient => Exit::ChildFailed,
                exit => exit,
            },
            Self::SceneFile { source: SceneFileError::Io(_), .. }
            | Self::ScratchFull { .. }
            | Self::ScratchUnwritable { .. }
            | Self::Scratch { .. }
            | Self::DataFolder { .. }
            | Self::Output { .. } => Exit::LocalIo,
            Self::SceneFile { .. }
            | Self::NoSceneRange { .. }
            | Self::UnusableFrames { .. }
            | Self::ViewLut { .. } => Exit::Unusable,
            Self::Program { .. } | Self::Sandbox(_) | Self::Machine(_) | Self::NoGpu => {
                Exit::Unavailable
            }
            Self::Blender { cause, .. }
            | Self::NotDescribed { cause, .. }
            | Self::NotBaked { cause, .. }
            | Self::NotPacked { cause, .. }
            | Self::NotSubmitted { cause, .. } => blender_exit(cause),
            Self::FramesSkipped { skipped, .. } => {
                let mut exits = skipped.iter().map(|skipped| blender_exit(&skipped.cause));
                if exits.all(|exit| exit == Exit::ChildKilled) {
                    Exit::ChildKilled
                } else {
                    Exit::ChildFailed
                }
            }
            Self::NoFrames { .. }
            | Self::NoPictures { .. }
            | Self::NoFrameRate { .. }
            | Self::MissingFrames { .. }
            | Self::NoLog { .. }
            | Self::NoSuchJob { .. } => Exit::Missing,
            Self::Ffmpeg { cause, .. } => ffmpeg_exit(cause),
            Self::Storage(source)
            | Self::NotStored { source, .. }
            | Self::UserCode { source, .. } => storage_exit(source.failure()),
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
}

/// Returns the exit code for a failure of CloudWatch Logs.
fn logs_exit(kind: LogsErrorKind) -> Exit {
    match kind {
        LogsErrorKind::Missing => Exit::Missing,
        LogsErrorKind::InvalidRequest | LogsErrorKind::Trouble(Blame::Settings) => Exit::Usage,
        LogsErrorKind::Trouble(Blame::Machine) => Exit::Unavailable,
        LogsErrorKind::Trouble(Blame::Credentials | Blame::Access) => Exit::Denied,
        LogsErrorKind::Trouble(Blame::NoCredentials | Blame::Network) => Exit::Transient,
    }
}

/// Returns the exit code for a failure of FFmpeg.
fn ffmpeg_exit(cause: &ffmpeg::Cause) -> Exit {
    match cause {
        ffmpeg::Cause::Lacking => Exit::Unavailable,
        ffmpeg::Cause::Disk => Exit::LocalIo,
        ffmpeg::Cause::Sound | ffmpeg::Cause::NoSound | ffmpeg::Cause::FrameRate => Exit::Unusable,
        ffmpeg::Cause::Killed(_) => Exit::ChildKilled,
        ffmpeg::Cause::Failed(_) => Exit::ChildFailed,
    }
}

/// Returns the exit code for a failure of storage.
fn storage_exit(failure: &Failure) -> Exit {
    match failure {
        Failure::Mistaken(mistake) => path_mistake_exit(mistake),
        Failure::Missing(_) | Failure::Archived(_) => Exit::Missing,
        Failure::Denied(_) | Failure::Unrecognised(_) | Failure::Refused(_) => Exit::Denied,
        Failure::Misconfigured(_) => Exit::Usage,
        Failure::Lacking(_) => Exit::Unavailable,
        Failure::Transient(_) => Exit::Transient,
        Failure::Io(_) => Exit::LocalIo,
    }
}

/// Returns the exit code for a failure of Blender.
fn blender_exit(cause: &blender::Cause) -> Exit {
    match cause {
        blender::Cause::Scene(_)
        | blender::Cause::NewerFile { .. }
        | blender::Cause::UnusableFiles(_)
        | blender::Cause::Differing(_)
        | blender::Cause::CutOff(_)
        | blender::Cause::Unbakeable(_) => Exit::Unusable,
        blender::Cause::Lacking { .. } | blender::Cause::Unavailable(_) => Exit::Unavailable,
        blender::Cause::Refused(refusal) => match refusal.kind {
            RefusalKind::Usage => Exit::Usage,
            RefusalKind::Script => Exit::Unusable,
            RefusalKind::Unavailable | RefusalKind::Addon => Exit::Unavailable,
        },
        blender::Cause::Killed(_) => Exit::ChildKilled,
        blender::Cause::SetupFailed | blender::Cause::Failed { .. } => Exit::ChildFailed,
    }
}

/// Returns the exit code for a mistake in a local path.
fn path_mistake_exit(mistake: &PathMistake) -> Exit {
    match mistake {
        PathMistake::OutputIsFile(_) => Exit::Usage,
        PathMistake::NoFile { .. }
        | PathMistake::NoFolder(_)
        | PathMistake::SceneIsFolder(_)
        | PathMistake::InputIsFile(_) => Exit::Missing,
    }
}

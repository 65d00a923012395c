//! The exit codes: what a Batch `evaluateOnExit` rule can act on.
//!
//! After sysexits(3), so that no code of ours can be mistaken for a child's, which
//! never shows through. The README has the same table; `tests/exit_codes.rs` holds
//! the two against each other.

use std::process::ExitCode;

/// How the worker ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Every frame asked for is stored; the video is there with every frame.
    Success,
    /// A bug in render-worker.
    Internal,
    /// Wrong flags or variables.
    Usage,
    /// The scene or a frame is unusable.
    Unusable,
    /// The scene, or frames of the sequence, are not there.
    Missing,
    /// Blender or FFmpeg is not there or lacks what was asked for, or the machine does.
    Unavailable,
    /// Blender or FFmpeg failed, or the time of the job is over; or jobs that were waited
    /// for failed.
    ChildFailed,
    /// The scratch disk or a mounted volume is full or failing.
    LocalIo,
    /// Storage cannot be reached or is overloaded: worth another attempt.
    Transient,
    /// Access denied.
    Denied,
    /// Interrupted by SIGINT.
    Keyboard,
    /// Blender or FFmpeg was killed, for memory or by nobody knows whom.
    ChildKilled,
    /// Told to stop by SIGTERM: worth another attempt.
    Terminated,
}

impl Exit {
    /// Every way there is.
    pub const ALL: [Self; 13] = [
        Self::Success,
        Self::Internal,
        Self::Usage,
        Self::Unusable,
        Self::Missing,
        Self::Unavailable,
        Self::ChildFailed,
        Self::LocalIo,
        Self::Transient,
        Self::Denied,
        Self::Keyboard,
        Self::ChildKilled,
        Self::Terminated,
    ];

    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::Unusable => 65,
            Self::Missing => 66,
            Self::Unavailable => 69,
            Self::ChildFailed => 70,
            Self::LocalIo => 74,
            Self::Transient => 75,
            Self::Denied => 77,
            Self::Keyboard => 130,
            Self::ChildKilled => 137,
            Self::Terminated => 143,
        }
    }

    /// What it means, to follow the code.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Internal => "a bug in render-worker",
            Self::Usage => "wrong flags or variables",
            Self::Unusable => "the scene or a frame is unusable",
            Self::Missing => "the scene or frames are not there",
            Self::Unavailable => {
                "Blender or FFmpeg is not there, or the machine lacks what is needed"
            }
            Self::ChildFailed => "Blender or FFmpeg failed, or the time of the job was over",
            Self::LocalIo => "the scratch disk or a mounted folder is full or failing",
            Self::Transient => "storage could not be reached or was overloaded",
            Self::Denied => "access denied",
            Self::Keyboard => "stopped by SIGINT",
            Self::ChildKilled => "killed: out of memory, or nobody knows by whom",
            Self::Terminated => "told to stop by SIGTERM or a Spot notice",
        }
    }

    /// The one of this code; `None` if it is none of ours.
    pub fn of_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|exit| exit.code() == code)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_code_means_one_thing() {
        let mut codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Exit::ALL.len());
    }
}

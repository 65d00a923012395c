//! The exit codes, for `evaluateOnExit` rules of AWS Batch.
//!
//! They follow sysexits(3), so that they are not mistaken for the exit code of a child, which the
//! worker never passes on. `tests/product/exit_codes.rs` compares them with the table in
//! `docs/reference.md`.

use std::process::ExitCode;

/// The result of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Every requested frame is stored, or the video is stored with every frame.
    Success,
    /// A bug in render-worker.
    Internal,
    /// The flags or variables are wrong.
    Usage,
    /// The scene or a frame is unusable.
    Unusable,
    /// The scene or frames of the sequence do not exist.
    Missing,
    /// Blender or FFmpeg is missing or lacks a feature, or the machine lacks a resource.
    Unavailable,
    /// Blender or FFmpeg failed, the time limit of the job was reached, or jobs that were followed
    /// failed.
    ChildFailed,
    /// The scratch disk or a mounted volume is full or failing.
    LocalIo,
    /// Storage is unreachable or overloaded. A retry may succeed.
    Transient,
    /// Access was denied.
    Denied,
    /// SIGINT stopped the run.
    Keyboard,
    /// Blender or FFmpeg was killed, for lack of memory or an unknown reason.
    ChildKilled,
    /// SIGTERM or a Spot notice stopped the run. A retry may succeed.
    Terminated,
}

impl Exit {
    /// All results.
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

    /// Returns the exit code.
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

    /// Describes the result, to be printed after the code.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Internal => "a bug in render-worker",
            Self::Usage => "wrong flags or variables",
            Self::Unusable => "the scene or a frame is unusable",
            Self::Missing => "the scene or frames do not exist",
            Self::Unavailable => "Blender, FFmpeg or something that they need is missing",
            Self::ChildFailed => "Blender or FFmpeg failed, or the job ran out of time",
            Self::LocalIo => "the scratch disk or a mounted folder is full or failing",
            Self::Transient => "storage could not be reached or was overloaded",
            Self::Denied => "access denied",
            Self::Keyboard => "stopped by ctrl-C (SIGINT)",
            Self::ChildKilled => "killed: out of memory, or for an unknown reason",
            Self::Terminated => "stopped by SIGTERM or a Spot notice",
        }
    }

    /// Returns the result with this exit code; `None` if the worker does not use the code.
    pub fn from_code(code: u8) -> Option<Self> {
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
    fn exit_codes_are_unique() {
        let mut codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Exit::ALL.len());
    }
}

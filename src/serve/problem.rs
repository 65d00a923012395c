//! Why a request is refused, in words for the person in front of the page.

use std::fmt::Display;
use std::io;

use nix::errno::Errno;

/// Why a request is refused.
#[derive(Debug)]
pub struct Problem {
    /// The kind, from which the status of the answer follows.
    pub kind: ProblemKind,
    /// What happened, and what to do about it.
    pub message: String,
    /// The picture that it is about.
    pub picture: Option<String>,
}

/// The kind of a [`Problem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// The request makes no sense.
    Invalid,
    /// There is no such thing.
    NotFound,
    /// The server may not do this.
    Denied,
    /// It cannot be done in the present state.
    Conflict,
    /// It exceeds a limit.
    TooLarge,
    /// The kind of file is not known.
    Unsupported,
    /// The content of a file cannot be used.
    Unusable,
    /// The disk is full, or would be.
    NoSpace,
    /// The client took too long.
    Slow,
    /// Another server, such as a store, failed or does not answer.
    Elsewhere,
    /// The server failed.
    Internal,
}

impl Problem {
    /// A problem that is not about one picture.
    pub fn new(kind: ProblemKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), picture: None }
    }

    /// A problem with a picture.
    pub fn with_picture(kind: ProblemKind, name: &str, what: impl Display) -> Self {
        Self { kind, message: format!("{name} {what}"), picture: Some(name.to_owned()) }
    }

    /// There is no such thing.
    pub fn not_found(what: impl Display) -> Self {
        Self::new(ProblemKind::NotFound, format!("there is no {what} here; it may be removed"))
    }

    /// The system has refused an operation, such as "store a picture".
    pub fn io(what: impl Display, error: &io::Error) -> Self {
        let is_full = [Errno::ENOSPC, Errno::EDQUOT].map(|errno| errno as i32);
        if error.raw_os_error().is_some_and(|code| is_full.contains(&code)) {
            return Self::new(
                ProblemKind::NoSpace,
                format!("cannot {what}: the disk of the server is full; make room on it"),
            );
        }
        Self::new(ProblemKind::Internal, format!("cannot {what}: {error}"))
    }
}

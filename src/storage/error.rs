//! Why storage failed, in terms of who must act.

use std::error::Error;
use std::fmt;
use std::io;

use crate::aws::Misconfigured;
use crate::request::Location;

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Reading or downloading.
    Read,
    /// Writing or uploading.
    Write,
    /// Listing a folder.
    List,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::List => "list",
        })
    }
}

/// The kinds of failure, each with the words of whoever reported it.
#[derive(Debug)]
pub enum Failure {
    /// The file, object or bucket is not there.
    Missing(Box<dyn Error + Send + Sync>),
    /// The object is in an archive, and cannot be read before it is restored.
    Archived(Box<dyn Error + Send + Sync>),
    /// We may not.
    Denied(Box<dyn Error + Send + Sync>),
    /// Our credentials are not accepted.
    Unrecognised(Box<dyn Error + Send + Sync>),
    /// The store cannot do what it was asked, or finds no sense in it.
    Refused(Box<dyn Error + Send + Sync>),
    /// What variables, flags or a profile say of the store makes no sense.
    Misconfigured(Box<dyn Error + Send + Sync>),
    /// This machine lacks something: the authority behind the store's certificate, or a working
    /// helper for credentials.
    Lacking(Box<dyn Error + Send + Sync>),
    /// The store cannot be reached, is overloaded or failing, or our credentials are
    /// not there (any more): later it may work.
    Transient(Box<dyn Error + Send + Sync>),
    /// A local disk or mounted volume is full or failing.
    Io(Box<dyn Error + Send + Sync>),
}

impl Failure {
    /// In whoever's words.
    pub(crate) fn cause(&self) -> &(dyn Error + Send + Sync + 'static) {
        match self {
            Self::Missing(e)
            | Self::Archived(e)
            | Self::Denied(e)
            | Self::Unrecognised(e)
            | Self::Refused(e)
            | Self::Misconfigured(e)
            | Self::Lacking(e)
            | Self::Transient(e)
            | Self::Io(e) => e.as_ref(),
        }
    }

    /// Whether it may be otherwise soon. What does not pass is the same each time.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Transient(_))
    }
}

impl From<Misconfigured> for Failure {
    fn from(error: Misconfigured) -> Self {
        Self::Misconfigured(error.into())
    }
}

impl Failure {
    /// A file was found larger than it was said to be, `size` bytes.
    pub(crate) fn grown(size: u64) -> Self {
        let text = format!("it was {size} bytes large, and became larger while it was being read");
        Self::Transient(text.into())
    }
}

/// Sorts what the operating system says of a file.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory => Self::Missing(error.into()),
            io::ErrorKind::PermissionDenied => Self::Denied(error.into()),
            _ => Self::Io(error.into()),
        }
    }
}

/// An operation on a location that failed.
#[derive(Debug)]
pub struct StorageError {
    operation: Operation,
    location: Location,
    failure: Failure,
}

impl StorageError {
    /// `operation` on `location` ended in `failure`.
    pub fn new(operation: Operation, location: &Location, failure: Failure) -> Self {
        Self { operation, location: location.clone(), failure }
    }

    /// On what.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Who must act.
    pub fn failure(&self) -> &Failure {
        &self.failure
    }
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}", self.operation, self.location)
    }
}

impl Error for StorageError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.failure.cause())
    }
}

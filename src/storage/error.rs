//! Storage errors, classified by who must act.

use std::error::Error;
use std::fmt;
use std::io;

use super::local::PathMistake;
use crate::aws::Misconfigured;
use crate::request::Location;

/// The kind of operation that failed.
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

/// Why an operation failed. Each kind holds the underlying error, and is displayed like it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub enum Failure {
    /// The file, object or bucket does not exist.
    Missing(Box<dyn Error + Send + Sync>),
    /// The path of a local file or folder is mistaken.
    Mistaken(PathMistake),
    /// The object is in an archive, and must be restored before it can be read.
    Archived(Box<dyn Error + Send + Sync>),
    /// The worker lacks a permission.
    Denied(Box<dyn Error + Send + Sync>),
    /// The store does not accept the worker's credentials.
    Unrecognised(Box<dyn Error + Send + Sync>),
    /// The store does not support the request, or considers it invalid.
    Refused(Box<dyn Error + Send + Sync>),
    /// A setting for the store, from a variable, a flag or the profile, is invalid.
    Misconfigured(Box<dyn Error + Send + Sync>),
    /// This machine lacks something, such as the certificate authority of the store or a working
    /// helper for credentials.
    Lacking(Box<dyn Error + Send + Sync>),
    /// The store cannot be reached, is overloaded or failing, or no valid credentials are available
    /// at the moment. A later attempt may succeed.
    Transient(Box<dyn Error + Send + Sync>),
    /// A local disk or a mounted volume is full or failing.
    Io(Box<dyn Error + Send + Sync>),
}

impl Failure {
    /// Whether a later attempt may succeed. All other failures are permanent.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Transient(_))
    }

    /// The failure of reading a file that has become larger than `size` bytes.
    pub(crate) fn grown(size: u64) -> Self {
        let text = format!("its size was {size} bytes, but it grew while it was being read");
        Self::Transient(text.into())
    }
}

impl From<Misconfigured> for Failure {
    fn from(error: Misconfigured) -> Self {
        Self::Misconfigured(error.into())
    }
}

/// Classifies an error of the file system.
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

/// The failure of an operation on a file, object or folder.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {location}")]
pub struct StorageError {
    operation: Operation,
    location: Location,
    #[source]
    pub(super) failure: Failure,
}

impl StorageError {
    /// The error that `operation` on `location` ended in `failure`.
    pub fn new(operation: Operation, location: &Location, failure: Failure) -> Self {
        Self { operation, location: location.clone(), failure }
    }

    /// The operation.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// The file, object or folder.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Why the operation failed.
    pub fn failure(&self) -> &Failure {
        &self.failure
    }
}

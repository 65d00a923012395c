//! A file that is uploaded.

use std::fmt;
use std::fs::File;
use std::sync::Arc;

use super::{Failure, Fingerprint};

/// An open file to upload, from its beginning.
pub(crate) struct UploadedFile {
    /// The file.
    pub source: Arc<File>,
    /// The fingerprint to store it with.
    pub fingerprint: Option<Fingerprint>,
    /// Whether what was read of it is still its content.
    is_unchanged: Box<dyn Fn(&File) -> bool + Send + Sync>,
}

impl UploadedFile {
    /// A file that nobody else changes.
    pub fn new(source: File, fingerprint: Option<Fingerprint>) -> Self {
        Self { source: Arc::new(source), fingerprint, is_unchanged: Box::new(|_| true) }
    }

    /// A file that somebody else may change meanwhile.
    pub fn checked(
        source: File,
        is_unchanged: impl Fn(&File) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { source: Arc::new(source), fingerprint: None, is_unchanged: Box::new(is_unchanged) }
    }

    /// Checks, with the whole file read, that it has not changed meanwhile.
    ///
    /// # Errors
    /// [`Failure::Transient`] if it has.
    pub fn check(&self) -> Result<(), Failure> {
        if (self.is_unchanged)(&self.source) {
            return Ok(());
        }
        Err(Failure::Transient("the file changed while it was read".into()))
    }
}

impl fmt::Debug for UploadedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadedFile").field("source", &self.source).finish_non_exhaustive()
    }
}

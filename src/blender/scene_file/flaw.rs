//! The first flaw in a file.

use thiserror::Error;

/// The first place where a file is damaged or cut short.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("it is {} at byte {offset}{}", self.kind(), self.explanation())]
pub struct Flaw {
    /// The offset in bytes from 0, after decompression.
    pub offset: usize,
    /// What is wrong there; `None` if the file ends there.
    pub(super) reason: Option<String>,
}

impl Flaw {
    pub(super) fn new(offset: usize, reason: String) -> Self {
        Self { offset, reason: Some(reason) }
    }

    /// The file ends at `offset`, where more bytes were expected.
    pub(super) fn cut(offset: usize) -> Self {
        Self { offset, reason: None }
    }

    fn kind(&self) -> &'static str {
        if self.reason.is_some() { "damaged" } else { "cut short" }
    }

    fn explanation(&self) -> String {
        self.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"))
    }
}

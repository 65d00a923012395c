//! The first flaw in a file.

use std::error::Error;
use std::fmt;

/// The first place where a file is damaged or cut short.
#[derive(Clone, Debug, PartialEq, Eq)]
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
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Some(reason) => write!(f, "it is damaged at byte {}: {reason}", self.offset),
            None => write!(f, "it is cut short at byte {}", self.offset),
        }
    }
}

impl Error for Flaw {}

//! Where a file stops making sense.

use std::error::Error;
use std::fmt;

/// Where a file stops making sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// At which byte, counted from 0, of what was unpacked.
    pub offset: usize,
    /// Why; `None` if it ends there.
    pub(super) what: Option<String>,
}

impl Flaw {
    pub(super) fn new(offset: usize, what: String) -> Self {
        Self { offset, what: Some(what) }
    }

    /// The bytes end there, and more were expected.
    pub(super) fn cut(offset: usize) -> Self {
        Self { offset, what: None }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            Some(what) => write!(f, "at byte {} it stops making sense: {what}", self.offset),
            None => write!(f, "it ends at byte {}, in the middle of something", self.offset),
        }
    }
}

impl Error for Flaw {}

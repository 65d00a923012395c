//! What those subcommands print that were asked something: words in two columns, or JSON.

use std::fmt::{Display, Write as _};

use serde::Serialize;

use crate::error::Error;
use crate::printable::printable;

/// Who is told: standard output.
pub trait Print: Fn(&str) -> Result<(), Error> {}

impl<F: Fn(&str) -> Result<(), Error>> Print for F {}

/// Words for people: what each line is of, and what is said.
#[derive(Debug, Default)]
pub struct Table(String);

impl Table {
    /// Adds a line, and no more than one, whatever the names in it are.
    pub fn row(&mut self, of: &str, said: impl Display) {
        _ = writeln!(self.0, "{of:<12}{}", printable(&said.to_string()));
    }

    /// All of them.
    pub fn text(self) -> String {
        self.0
    }
}

/// An answer for programs.
///
/// # Errors
/// If the answer is none that JSON has: a bug.
pub fn json(answer: &impl Serialize) -> Result<String, Error> {
    let json = serde_json::to_string_pretty(answer);
    json.map(|json| json + "\n").map_err(no_json)
}

/// JSON on one line, for a command.
///
/// # Errors
/// As those of [`json`].
pub fn compact_json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(no_json)
}

#[expect(clippy::needless_pass_by_value, reason = "what map_err hands over")]
fn no_json(error: serde_json::Error) -> Error {
    Error::Internal(error.to_string())
}

//! The output of these subcommands: a table of two columns for people, or JSON for programs.

use std::fmt::{Display, Write as _};

use serde::Serialize;

use crate::error::Error;
use crate::printable::printable;

/// Prints to standard output.
pub trait Print: Fn(&str) -> Result<(), Error> {}

impl<F: Fn(&str) -> Result<(), Error>> Print for F {}

/// A table for people: a label and a text in each row.
#[derive(Debug, Default)]
pub struct Table(String);

impl Table {
    /// Adds a row, which stays on one line even if names in `text` contain line breaks.
    pub fn row(&mut self, label: &str, text: impl Display) {
        _ = writeln!(self.0, "{label:<12}{}", printable(&text.to_string()));
    }

    /// Returns all rows.
    pub fn text(self) -> String {
        self.0
    }
}

/// Formats `value` as JSON, on several lines.
///
/// # Errors
/// [`Error::Internal`] if JSON cannot represent the value.
pub fn json(value: &impl Serialize) -> Result<String, Error> {
    let json = serde_json::to_string_pretty(value);
    json.map(|json| json + "\n").map_err(not_json)
}

/// Formats `value` as JSON on one line, as an argument of a command.
///
/// # Errors
/// The same as [`json`].
pub fn compact_json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(not_json)
}

#[expect(clippy::needless_pass_by_value, reason = "map_err passes it by value")]
fn not_json(error: serde_json::Error) -> Error {
    Error::Internal(error.to_string())
}

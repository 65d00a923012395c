//! A terminal with a log that scrolls and a progress bar that stays beneath it.
//!
//! What is written comes in records: each a line of the log, or a new state of the bar.
//! The bar is wiped before a line is written and drawn again below it.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

/// Marks a record as a state of the bar. No line of the log holds such a character.
const MARK: char = '\r';

/// To the beginning of the line, and away with what stands there (ECMA-48: EL).
const WIPE: &[u8] = b"\r\x1b[2K";

/// How many characters wide the bar itself is, between its brackets.
const BAR: usize = 16;

/// How wide a terminal is taken to be that does not say it (`docker run -t` without a
/// terminal at the other end).
const WIDTH: usize = 80;

/// The record of a bar that is filled to `part`, 0 to 1, beside some words.
pub(super) fn bar(part: f64, words: &str, colour: bool) -> String {
    let done = filled(part);
    let style = if colour { AnsiColor::Green.on_default() } else { Style::new() };
    let (full, empty) = ("#".repeat(done), "-".repeat(BAR - done));
    // Beyond the last column the terminal would begin a line that is not wiped.
    let room = width().saturating_sub(BAR + "[] ".len() + 1);
    let words: String = words.chars().take(room).collect();
    format!("{MARK}[{style}{full}{style:#}{empty}] {words}")
}

/// The record that takes the bar away.
pub(super) fn no_bar() -> String {
    MARK.to_string()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to BAR")]
#[expect(clippy::cast_precision_loss, reason = "BAR is small")]
fn filled(part: f64) -> usize {
    (part.clamp(0.0, 1.0) * BAR as f64) as usize
}

fn width() -> usize {
    let size = terminal_size::terminal_size_of(io::stderr());
    size.map_or(WIDTH, |(terminal_size::Width(columns), _)| columns.into())
}

/// Writes records to a terminal.
pub(super) struct Screen<W: Write> {
    terminal: W,
    bar: Vec<u8>,
}

impl<W: Write> Screen<W> {
    pub fn new(terminal: W) -> Self {
        Self { terminal, bar: Vec::new() }
    }
}

impl<W: Write> Write for Screen<W> {
    /// Writes one record, whole.
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        if !self.bar.is_empty() {
            self.terminal.write_all(WIPE)?;
        }
        match record.split_first() {
            Some((&first, state)) if char::from(first) == MARK => state.clone_into(&mut self.bar),
            _ => self.terminal.write_all(record)?,
        }
        self.terminal.write_all(&self.bar)?;
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.terminal.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_scroll_above_the_bar() {
        let mut screen = Screen::new(Vec::new());
        for record in ["one\n", "\rbar 1", "two\n", "\rbar 2", "\r", "three\n"] {
            screen.write_all(record.as_bytes()).unwrap();
        }
        let wipe = String::from_utf8(WIPE.to_vec()).unwrap();
        assert_eq!(
            String::from_utf8(screen.terminal).unwrap(),
            ["one\nbar 1", "two\nbar 1", "bar 2", "three\n"].join(&wipe)
        );
    }

    #[test]
    fn the_bar_is_filled_to_its_part() {
        assert_eq!(bar(0.0, "", false), "\r[----------------] ");
        assert_eq!(bar(0.5, "5 of 10", false), "\r[########--------] 5 of 10");
        for full in [1.0, 1.5] {
            assert_eq!(bar(full, "", false), "\r[################] ");
        }
        assert_eq!(filled(f64::NAN), 0);
        assert!(bar(0.5, "", true).contains("\x1b[32m########\x1b[0m"));
    }

    #[test]
    fn words_do_not_go_beyond_the_last_column() {
        let record = bar(0.5, &"é".repeat(1000), false);
        assert!(record.chars().count() <= width(), "{record}");
    }
}

//! A terminal with a log that scrolls and a progress bar that stays beneath it.
//!
//! Log lines pass through a queue, one by one. Only the latest state of the bar matters, so it is
//! kept outside of the queue, and takes no space from log lines when the terminal is slow.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anstyle::AnsiColor;

/// The record that notifies a [`Screen`] of a change of the bar. No log line equals it.
pub(super) const CHANGED: &[u8] = b"\r";

/// Returns to the start of the line and erases the line (ECMA-48: EL).
const ERASE_LINE: &[u8] = b"\r\x1b[2K";

/// The width of the bar in characters, without its brackets.
const BAR_WIDTH: usize = 16;

/// The width of terminals that do not report one (`docker run -t` without a terminal at the other
/// end).
const DEFAULT_COLUMNS: usize = 80;

/// The state of the progress bar, shared with the [`Screen`] that draws it.
#[derive(Clone, Debug, Default)]
pub(super) struct Bar(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// The finished fraction, from 0 to 1, and the text beside the bar; `None` for no bar.
    shown: Option<(f64, String)>,
    /// Whether the screen was notified of a change and has not drawn it yet.
    notified: bool,
}

impl Bar {
    /// Changes what the bar shows. Returns true if the screen must be notified.
    pub fn show(&self, content: Option<(f64, String)>) -> bool {
        let mut state = self.state();
        state.shown = content;
        !std::mem::replace(&mut state.notified, true)
    }

    /// Formats the bar for a terminal of `columns` characters; `None` for no bar.
    fn draw(&self, columns: usize, colour: bool) -> Option<String> {
        let mut state = self.state();
        state.notified = false;
        state.shown.as_ref().map(|(part, text)| format_bar(*part, text, columns, colour))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn format_bar(part: f64, text: &str, columns: usize, colour: bool) -> String {
    let done = filled_width(part);
    let line = format!("[{}{}] {text}", "#".repeat(done), "-".repeat(BAR_WIDTH - done));
    // Text in the last column would wrap to a second line, which is never erased.
    let line: String = line.chars().take(columns.saturating_sub(1)).collect();
    match line.split_at_checked(1 + done) {
        Some((full, rest)) if colour => {
            let style = AnsiColor::Green.on_default();
            format!("[{style}{}{style:#}{rest}", full.trim_start_matches('['))
        }
        _ => line,
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to BAR_WIDTH")]
#[expect(clippy::cast_precision_loss, reason = "BAR_WIDTH is small")]
fn filled_width(part: f64) -> usize {
    (part.clamp(0.0, 1.0) * BAR_WIDTH as f64) as usize
}

fn columns() -> usize {
    let size = terminal_size::terminal_size_of(io::stderr());
    size.map_or(DEFAULT_COLUMNS, |(terminal_size::Width(columns), _)| columns.into())
}

/// A writer that prints log lines to a terminal, with the bar beneath them.
pub(super) struct Screen<W: Write> {
    terminal: W,
    bar: Bar,
    colour: bool,
    /// Whether the last line of the terminal is the bar.
    bar_is_drawn: bool,
}

impl<W: Write> Screen<W> {
    pub fn new(terminal: W, bar: Bar, colour: bool) -> Self {
        Self { terminal, bar, colour, bar_is_drawn: false }
    }
}

impl<W: Write> Write for Screen<W> {
    /// Writes a whole log line, or only redraws the bar.
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        if self.bar_is_drawn {
            self.terminal.write_all(ERASE_LINE)?;
        }
        if record != CHANGED {
            self.terminal.write_all(record)?;
        }
        let bar = self.bar.draw(columns(), self.colour);
        self.bar_is_drawn = bar.is_some();
        self.terminal.write_all(bar.unwrap_or_default().as_bytes())?;
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
        let bar = Bar::default();
        let mut screen = Screen::new(Vec::new(), bar.clone(), false);
        let mut show = |bar: &Bar, text: Option<&str>, line: &str| {
            bar.show(text.map(|text| (0.0, text.to_owned())));
            screen.write_all(line.as_bytes()).unwrap();
            String::from_utf8(std::mem::take(&mut screen.terminal)).unwrap()
        };
        let changed = std::str::from_utf8(CHANGED).unwrap();
        let erase = std::str::from_utf8(ERASE_LINE).unwrap();
        let empty = "-".repeat(BAR_WIDTH);
        assert_eq!(show(&bar, None, "one\n"), "one\n");
        assert_eq!(show(&bar, Some("a"), changed), format!("[{empty}] a"));
        assert_eq!(show(&bar, Some("a"), "two\n"), format!("{erase}two\n[{empty}] a"));
        assert_eq!(show(&bar, Some("b"), changed), format!("{erase}[{empty}] b"));
        assert_eq!(show(&bar, None, changed), erase);
        assert_eq!(show(&bar, None, "three\n"), "three\n");
    }

    #[test]
    fn the_screen_is_notified_once_for_many_changes() {
        let bar = Bar::default();
        assert!(bar.show(Some((0.1, "a".to_owned()))));
        assert!(!bar.show(Some((0.2, "b".to_owned()))));
        assert_eq!(bar.draw(80, false).unwrap(), "[###-------------] b");
        assert!(bar.show(None));
        assert_eq!(bar.draw(80, false), None);
    }

    #[test]
    fn the_bar_shows_the_finished_fraction() {
        assert_eq!(format_bar(0.0, "", 80, false), "[----------------] ");
        assert_eq!(format_bar(0.5, "5 of 10", 80, false), "[########--------] 5 of 10");
        for full in [1.0, 1.5] {
            assert_eq!(format_bar(full, "", 80, false), "[################] ");
        }
        assert_eq!(filled_width(f64::NAN), 0);
        assert_eq!(format_bar(0.5, "x", 80, true), "[\x1b[32m########\x1b[0m--------] x");
    }

    #[test]
    fn the_bar_never_reaches_the_last_column() {
        for columns in 0..100 {
            let text = format_bar(0.5, &"é".repeat(1000), columns, false);
            assert_eq!(text.chars().count(), columns.saturating_sub(1));
        }
    }
}

//! A terminal with a log that scrolls and a progress bar that stays beneath it.
//!
//! Lines of the log come one by one. Of the bar only the latest state counts: it waits in
//! a place of its own, where it takes no room from the lines of a log that is not read.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anstyle::AnsiColor;

/// What is written to a [`Screen`] when the bar has changed. No line of the log is like it.
pub(super) const CHANGED: &[u8] = b"\r";

/// To the beginning of the line, and away with what stands there (ECMA-48: EL).
const WIPE: &[u8] = b"\r\x1b[2K";

/// How many characters wide the bar itself is, between its brackets.
const BAR: usize = 16;

/// How wide a terminal is taken to be that does not say it (`docker run -t` without a
/// terminal at the other end).
const WIDTH: usize = 80;

/// The progress bar: what it is to show, shared with the [`Screen`] that draws it.
#[derive(Clone, Debug, Default)]
pub(super) struct Bar(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// The part that is done, from 0 to 1, and words beside it.
    shown: Option<(f64, String)>,
    /// Whether the screen was told of a change and has not drawn it yet.
    told: bool,
}

impl Bar {
    /// Has it show something, or nothing. True if the screen is to be told.
    pub fn show(&self, what: Option<(f64, String)>) -> bool {
        let mut state = self.state();
        state.shown = what;
        !std::mem::replace(&mut state.told, true)
    }

    /// What is to be drawn now, where there are so many columns.
    fn draw(&self, columns: usize, colour: bool) -> Option<String> {
        let mut state = self.state();
        state.told = false;
        state.shown.as_ref().map(|(part, words)| drawn(*part, words, columns, colour))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn drawn(part: f64, words: &str, columns: usize, colour: bool) -> String {
    let done = filled(part);
    let text = format!("[{}{}] {words}", "#".repeat(done), "-".repeat(BAR - done));
    // Beyond the last column the terminal would begin a line that is not wiped.
    let text: String = text.chars().take(columns.saturating_sub(1)).collect();
    match text.split_at_checked(1 + done) {
        Some((full, rest)) if colour => {
            let style = AnsiColor::Green.on_default();
            format!("[{style}{}{style:#}{rest}", full.trim_start_matches('['))
        }
        _ => text,
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to BAR")]
#[expect(clippy::cast_precision_loss, reason = "BAR is small")]
fn filled(part: f64) -> usize {
    (part.clamp(0.0, 1.0) * BAR as f64) as usize
}

fn columns() -> usize {
    let size = terminal_size::terminal_size_of(io::stderr());
    size.map_or(WIDTH, |(terminal_size::Width(columns), _)| columns.into())
}

/// Writes lines to a terminal, and the bar beneath them.
pub(super) struct Screen<W: Write> {
    terminal: W,
    bar: Bar,
    colour: bool,
    /// Whether the bar stands there.
    drawn: bool,
}

impl<W: Write> Screen<W> {
    pub fn new(terminal: W, bar: Bar, colour: bool) -> Self {
        Self { terminal, bar, colour, drawn: false }
    }
}

impl<W: Write> Write for Screen<W> {
    /// Writes one line, whole, or draws the bar again.
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        if self.drawn {
            self.terminal.write_all(WIPE)?;
        }
        if record != CHANGED {
            self.terminal.write_all(record)?;
        }
        let bar = self.bar.draw(columns(), self.colour);
        self.drawn = bar.is_some();
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
        let mut show = |bar: &Bar, words: Option<&str>, line: &str| {
            bar.show(words.map(|words| (0.0, words.to_owned())));
            screen.write_all(line.as_bytes()).unwrap();
            String::from_utf8(std::mem::take(&mut screen.terminal)).unwrap()
        };
        let changed = std::str::from_utf8(CHANGED).unwrap();
        let wipe = std::str::from_utf8(WIPE).unwrap();
        let empty = "-".repeat(BAR);
        assert_eq!(show(&bar, None, "one\n"), "one\n");
        assert_eq!(show(&bar, Some("a"), changed), format!("[{empty}] a"));
        assert_eq!(show(&bar, Some("a"), "two\n"), format!("{wipe}two\n[{empty}] a"));
        assert_eq!(show(&bar, Some("b"), changed), format!("{wipe}[{empty}] b"));
        assert_eq!(show(&bar, None, changed), wipe);
        assert_eq!(show(&bar, None, "three\n"), "three\n");
    }

    #[test]
    fn of_many_changes_the_screen_is_told_once() {
        let bar = Bar::default();
        assert!(bar.show(Some((0.1, "a".to_owned()))));
        assert!(!bar.show(Some((0.2, "b".to_owned()))));
        assert_eq!(bar.draw(80, false).unwrap(), "[###-------------] b");
        assert!(bar.show(None));
        assert_eq!(bar.draw(80, false), None);
    }

    #[test]
    fn the_bar_is_filled_to_its_part() {
        assert_eq!(drawn(0.0, "", 80, false), "[----------------] ");
        assert_eq!(drawn(0.5, "5 of 10", 80, false), "[########--------] 5 of 10");
        for full in [1.0, 1.5] {
            assert_eq!(drawn(full, "", 80, false), "[################] ");
        }
        assert_eq!(filled(f64::NAN), 0);
        assert_eq!(drawn(0.5, "x", 80, true), "[\x1b[32m########\x1b[0m--------] x");
    }

    #[test]
    fn it_never_reaches_the_last_column() {
        for columns in 0..100 {
            let text = drawn(0.5, &"é".repeat(1000), columns, false);
            assert_eq!(text.chars().count(), columns.saturating_sub(1));
        }
    }
}

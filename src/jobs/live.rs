//! Shows how something stands that is followed: in place on a terminal, and now and then in the log.

use std::time::{Duration, Instant};

use crate::telemetry::progress;

/// The shortest time between two log lines about the same thing.
const LOG_INTERVAL: Duration = Duration::from_mins(1);

/// What was shown last.
#[derive(Debug, Default)]
pub struct Live {
    logged: Option<(Instant, String)>,
}

impl Live {
    /// Shows the finished part, from 0 to 1, with a text. A terminal shows it at once; the log has it if it
    /// has changed, at most once a minute, and at the end.
    pub fn show(&mut self, part: f64, text: &str, is_end: bool) {
        progress::show(part, text);
        let is_due = |(when, before): &(Instant, String)| {
            is_end || when.elapsed() >= LOG_INTERVAL && before != text
        };
        if self.logged.as_ref().is_none_or(is_due) {
            tracing::info!("{text}");
            self.logged = Some((Instant::now(), text.to_owned()));
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        progress::clear();
    }
}

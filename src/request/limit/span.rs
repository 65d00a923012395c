//! Spans of time, with units.

use std::time::Duration;

/// Parses `90s`, `10m`, `1h 30m` (the format of humantime), or a bare number of seconds.
pub fn span(text: &str) -> Option<Duration> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().ok().map(Duration::from_secs)
    } else {
        humantime::parse_duration(text).ok()
    }
}

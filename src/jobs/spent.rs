//! What an output has cost so far, and how fast it grows.

use std::time::Duration;

use crate::request::PricePerHour;
use crate::watch::activity::{Activity, Work};
use crate::watch::state::State;

/// The time in which frames are counted as new, in milliseconds.
const MINUTE: u64 = 60 * 1000;

/// How much time all attempts have taken together by `now`, in milliseconds since 1970. One that was killed
/// counts up to its last frame. The start of containers is not known.
pub fn time_of_attempts(state: &State, now: u64) -> Duration {
    let end = |work: &Work| match work.activity {
        Activity::Running | Activity::Stuck => now,
        Activity::Lost => work.last_frame.unwrap_or(work.attempt.started),
        Activity::Succeeded | Activity::Failed => {
            work.attempt.finished.unwrap_or(work.attempt.started)
        }
    };
    let times = state.attempts.iter().map(|work| end(work).saturating_sub(work.attempt.started));
    Duration::from_millis(times.sum())
}

/// How many frames were stored in the minute before `now`.
pub fn stored_lately(state: &State, now: u64) -> usize {
    let files = state.frames.iter().filter_map(|frame| frame.file.as_ref());
    files.filter(|file| (now.saturating_sub(MINUTE)..=now).contains(&file.modified)).count()
}

/// So much time in hours, and what it costs, for people.
pub fn hours(time: Duration, price: Option<PricePerHour>) -> String {
    let hours = time.as_secs_f64() / 3600.0;
    match price {
        None => format!("{hours:.2} of all attempts together"),
        Some(price) => {
            let cost = price.cost(time);
            format!("{hours:.2} of all attempts together: {cost:.2} at {price} an hour")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::storage::Entry;
    use crate::watch::Listing;
    use crate::watch::attempt::Attempt;
    use crate::watch::millis;

    #[test]
    fn attempts_count_from_their_begin_to_their_end() {
        let time = |text: &str| humantime::parse_rfc3339(text).unwrap();
        let attempt = |name: &str, started: &str, finished: Option<&str>, frames: &str| {
            let status = if finished.is_some() { "succeeded" } else { "running" };
            let report = json!({
                "schema": 1, "version": "0.1.0", "action": "render", "status": status,
                "job_id": name, "started": started, "finished": finished, "frames_asked": frames,
            });
            Arc::new(Attempt::parse(name, report.to_string().as_bytes()).unwrap())
        };
        let frame = |name: &str, modified: &str| Entry {
            name: name.to_owned(),
            size: 1,
            modified: time(modified),
        };
        let listing = Listing {
            frames: vec![
                frame("0001.png", "2026-11-29T10:20:00Z"),
                frame("0002.png", "2026-11-29T10:59:10Z"),
                frame("0003.png", "2026-11-29T10:58:50Z"),
            ],
            ..Listing::default()
        };
        let attempts = vec![
            attempt("a", "2026-11-29T10:00:00Z", Some("2026-11-29T10:30:00Z"), "1"),
            // Killed: the next one is of the same job.
            attempt("b", "2026-11-29T10:00:00Z", None, "9"),
            attempt("b", "2026-11-29T10:58:00Z", None, "2-4"),
        ];
        let now = millis(time("2026-11-29T11:00:00Z"));
        let state = State::of(&listing, attempts, 0, now);
        assert_eq!(time_of_attempts(&state, now), Duration::from_mins(32));
        assert_eq!(stored_lately(&state, now), 1);
        let hour = Duration::from_mins(90);
        assert_eq!(hours(hour, None), "1.50 of all attempts together");
        let price = "0.2".parse().ok();
        assert_eq!(hours(hour, price), "1.50 of all attempts together: 0.30 at 0.2 an hour");
    }
}

//! How far a job is, for the progress bar of a terminal.
//!
//! It is an event of its own target, and drawn by the thread that writes the log: a
//! terminal that is stopped (ctrl-S) blocks whoever draws on it.

/// The target of these events. Where there is no bar, nobody listens to it.
pub const TARGET: &str = "progress";

/// The field that holds the part that is done.
pub(super) const PART: &str = "part";

/// Shows that `part` of the job is done, from 0 to 1, and says it in words.
pub fn show(part: f64, words: impl std::fmt::Display) {
    tracing::info!(target: TARGET, part, "{words}");
}

/// Takes the bar away.
pub fn clear() {
    tracing::info!(target: TARGET, "");
}

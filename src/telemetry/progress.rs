//! Progress events for the bar on a terminal.
//!
//! They are `tracing` events with their own target. The thread that writes the log draws the bar,
//! because a terminal that is paused (ctrl-S) blocks the thread that writes to it.

/// The target of progress events. They are ignored when there is no bar.
pub const TARGET: &str = "progress";

/// The field for the finished fraction.
pub(super) const PART: &str = "part";

/// Shows the finished fraction of the job, from 0 to 1, with a text beside the bar.
pub fn show(part: f64, text: impl std::fmt::Display) {
    tracing::info!(target: TARGET, part, "{text}");
}

/// Removes the bar.
pub fn clear() {
    tracing::info!(target: TARGET, "");
}

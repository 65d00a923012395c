//! What a run tells: the log, on a terminal a progress bar beneath it, and numbers.

pub mod logging;
pub mod metrics;
pub mod progress;
mod screen;

//! What a run tells: the log, and on a terminal a progress bar beneath it.

pub mod logging;
pub mod progress;
mod screen;

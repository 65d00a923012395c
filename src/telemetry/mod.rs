//! The log, a progress bar on terminals, and metrics.

pub mod logging;
pub mod metrics;
pub mod progress;
mod screen;

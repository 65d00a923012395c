//! What the worker tells: log lines on standard error.

pub mod logging;

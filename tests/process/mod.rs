//! The life of the worker and its children: start, signals, limits, the end.

mod disk; // a scratch disk or an output disk that is too small or becomes full
mod guard; // the death of the worker ends all its children
mod hostile; // a malicious scene: its attempts and their results
pub mod init; // running as PID 1, and the initial state of children
pub mod sandbox; // the environment and the files that programs can access
mod scratch; // the scratch folder is removed, whatever its content
pub mod signals; // SIGTERM, SIGINT and SIGHUP: saved frames are stored, the others named
pub mod spot; // Spot notices: the current frame is finished, no other one begins
mod stop_grace; // the time between a signal and the end, and its use
mod watchdog; // programs that stall or take too long are stopped

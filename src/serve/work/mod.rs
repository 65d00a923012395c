//! The work that the server does in the background, each with this very program as a child process.

mod child;
pub mod inspecting;
pub mod queue;
pub mod rendering;
mod run;
pub mod stitching;

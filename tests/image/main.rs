//! The container image, as whoever has it runs it: every test is a `docker run` of what
//! the Dockerfile made, with the Blender and FFmpeg that are in it.
//!
//! `RENDER_WORKER_IMAGE` names the image. Without an engine or without the image these
//! tests fail: they are never skipped.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends by panicking, and has an environment of its own"
)]

mod container; // starting containers, and being rid of them
mod dockerfile; // its arguments: a release of Blender, another runtime
mod exit_codes; // each exit code passes through the engine
mod memory; // too little memory: 137, and it is called by its name
mod metadata; // what the image says of itself: labels, variables, --version
mod privileges; // any user, no capability, nothing writable but what has to be
mod s3; // from S3 to S3
mod scenes; // every render engine, every image format, every codec
mod signals; // PID 1: told to stop, in every way an engine has; orphans
mod stage; // a folder that is mounted into containers
#[path = "../support/mod.rs"]
mod support; // shared with the tests of the program outside of a container
mod terminal; // docker run -t: the bar, the colours, and neither where they are not wanted
mod usage; // no arguments, help, wrong arguments

//! The container image: every test runs it with `docker run`, and so with its own Blender and
//! FFmpeg.
//!
//! `RENDER_WORKER_IMAGE` names the image. Without a container engine or the image, these tests
//! fail; they are never skipped.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic and reads its environment"
)]

mod container; // starting and removing containers
mod dockerfile; // build arguments: a release of Blender, another runtime
mod docs; // the commands of the documents
mod exit_codes; // exit codes pass through the engine
mod memory; // too little memory: exit code 137 and an explanation
mod metadata; // labels, variables and --version
mod mounts; // folders that are not mounted, or not as they have to be
mod privileges; // any user, no capability, read-only file systems
mod s3; // from S3 to S3
mod scenes; // every render engine, image format and codec
mod serve; // the web page
mod signals; // stopping a container in every way; orphans
mod stage; // a folder that is mounted into containers
#[path = "../support/mod.rs"]
mod support; // shared with the tests of the program outside of a container
mod terminal; // docker run -t: progress bar and colours
mod usage; // no arguments, --version, invalid arguments

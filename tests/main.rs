//! The specification, as black-box tests of the built program, with the real Blender, the real
//! FFmpeg and an S3 server that speaks the real protocol. Stand-ins replace Blender and FFmpeg only
//! where these cannot be made to behave in a certain way, such as to crash at frame 7.
//!
//! `RENDER_WORKER_BIN` names another build of the program to test, such as the static one.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic and reads its environment"
)]

mod farm; // many jobs at once: on AWS Batch and on other schedulers
mod page; // the web page, by its API
mod process; // the life of the worker and its children: start, signals, limits, the end
mod product; // what is published: documents, schemas, flags, exit codes, the static program
mod projects; // scenes that travel with their files
mod render; // frames: which are rendered and how, and what happens when Blender or storage fails
mod reporting; // what people and programs are told while a job runs, and when it fails
mod s3; // S3, and the contract that every kind of storage fulfils
mod scenes; // what scenes need and what they make
mod support; // starting the program, reading its log, scenes, servers
mod video; // videos: from frames, or from any pictures

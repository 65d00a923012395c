//! The specification, as tests of the built program: every file drives it as a black
//! box, with a real Blender, a real FFmpeg and a real S3 protocol server. Stand-ins
//! take the place of Blender and FFmpeg only for what these cannot be made to do.
//!
//! `RENDER_WORKER_BIN` names another build of the program to test, such as the
//! static one.

mod s3_server_itself; // the S3 server that the others rely on
mod support; // starting the program, reading its log, scenes, stand-ins
mod usage; // flags and variables: help, version, refusals

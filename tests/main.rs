//! The specification, as tests of the built program: every file drives it as a black
//! box, with a real Blender, a real FFmpeg and a real S3 protocol server. Stand-ins
//! take the place of Blender and FFmpeg only for what these cannot be made to do.
//!
//! `RENDER_WORKER_BIN` names another build of the program to test, such as the
//! static one.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends by panicking, and has an environment of its own"
)]

mod architecture; // the floor plan of src/: arrows go down, and never in a circle
mod backlog; // saved and not stored: rendering goes on, is paused, is given up
mod blender_command; // the command over the wheel: what Blender itself makes of a command line
mod blender_failures; // what goes wrong with Blender: exit codes, last words, what is saved
mod credentials; // where credentials and the region come from
mod disk; // room on the scratch disk: before, meanwhile, and when there is none left
mod endless; // a store that sends without end
mod exit_codes; // one table: in the README, in --help, in the code
mod fault_rates; // a share of all S3 requests goes wrong: every frame right, or 75
mod ffmpeg_failures; // FFmpeg and FFprobe that are missing, fail, lie or hang
mod frame_rate; // of the video: the scene's, never a guess for frames that render has made
mod guard; // whatever kills the worker, nothing that it started is left
mod hostile; // a scene that tries to get out: each attempt, and what comes of it
mod init; // being PID 1, and the state that children start in
mod inspect; // what a scene file is, told from its first bytes
mod lacking; // a scene that needs what this Blender does not have: told before the first frame
mod logs; // the log: for machines and for people, whatever Blender prints
mod metrics; // what an attempt did, in numbers for CloudWatch
mod provenance; // what worker and image were built from, wherever that is told
mod render; // frames as a real Blender makes them, under its names
mod resume; // another attempt renders only what is missing
mod retries; // Blender fails at a frame: it is tried again, then set aside, and the others come
mod s3; // on S3: keys, requests, regions, TLS, frames as they come
mod s3_failures; // what S3 refuses, or loses and spoils for good: exit codes and words
mod s3_parts; // large objects, in parts: nothing is left, nothing is wrong
mod s3_recovery; // what passes by itself, or with new credentials, is outlived
mod s3_server_faults; // its faults of uploads, and those at random
mod s3_server_itself; // the S3 server that the others rely on
mod s3_server_sums; // its checksums of what is uploaded in parts
mod sandbox; // what programs are given and may reach, and where the kernel cannot keep them in
mod scene_list; // no saved frame is lost for want of the list of the scene's files
mod scratch; // the folder for temporary files goes, whatever is in it
mod signals; // told to stop: saved frames are stored, the rest is named
mod spot; // the instance tells that it goes: what is in hand is finished, no more is begun
mod start_jitter; // workers that start together do not ask S3 together
mod static_binary; // the static build in root file systems that lack everything
mod status; // jobs on AWS Batch: how they are, why they failed, followed to their end
mod stitch; // frames to video: which, in what order, how it looks, how it is encoded
mod stop_grace; // the time for stopping: used for storing, and kept to
mod storage; // one contract for every kind of location
mod submit; // jobs for AWS Batch: what is asked of it, and that this makes the video
mod support; // starting the program, reading its log, scenes, stand-ins
mod terminal; // on a terminal: a progress bar, colours, and no more than it can do
mod usage; // flags and variables: help, version, refusals
mod watchdog; // a child that does nothing, or takes too long: ended, told apart from one that works

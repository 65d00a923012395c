//! render-worker: the ENTRYPOINT of a rendering container.
//!
//! # The map
//!
//! Dependencies only go down. [`pipeline`] may use everything below it; `batch`, `blender`,
//! `ffmpeg`, `storage`, `process`, `image` and `telemetry` know nothing of each
//! other; all may use [`request`], which uses nothing but std (and crates for
//! percent-encoding and spans of time).
//!
//! ```text
//! main            parse, guard, run, exit code
//! ├─ cli          argv and environment → validated requests
//! ├─ pipeline     what happens, top to bottom: a file a subcommand
//! │   render        scene → Blender → frames → storage
//! │   ├─ start        when it turns to storage, as one of many
//! │   ├─ identity     which scene and which Blender
//! │   ├─ fingerprint  everything a frame is made from, as one hash
//! │   ├─ external     textures, libraries, caches: which, and in which state
//! │   ├─ plan         asked for, without what is there and made from the same
//! │   ├─ origin       what the frames of a launch are made from, once it is known
//! │   ├─ rendering    a frame set: launches of Blender, their frames, the verdict
//! │   │   ├─ launch       one Blender process: its log, and when it is stopped
//! │   │   ├─ strikes      which frames keep it from ending well
//! │   │   └─ verdict      what a launch that has ended means
//! │   ├─ crash_file   what Blender writes of its own crash
//! │   ├─ disk         how much room is enough to begin
//! │   ├─ leaving      the instance goes: can the frame in hand be finished?
//! │   └─ delivery     saved → verified → stored, beside the rendering
//! │      └─ backlog   what is saved and not stored: how much, and when to try again
//! │   inspect       the beginning of a scene file → its frames, and the array they need
//! │   submit        the jobs that render a scene and make the video → AWS Batch
//! │   status        jobs on AWS Batch: how they are, now or until they have ended
//! │   ├─ failures     why children failed: exit code, log, cause from their reports
//! │   stitch        storage → frames in order → FFmpeg → video → storage
//! │   ├─ sequence     names → order; gaps, duplicates and strangers named
//! │   ├─ prefetch     frames fetched ahead, in order, in bounded memory
//! │   ├─ supply       frames inspected and written into FFmpeg
//! │   ├─ rendered     what the reports beside the frames tell
//! │   └─ probe        what the video is, and whether that is what it should be
//! │   patience      how long is waited for storage
//! │   programs      where Blender, FFmpeg and FFprobe are
//! │   progress      frame k of n, seconds a frame, time left
//! │   report        what an attempt did, as JSON beside the frames
//! │   metrics       the same in numbers, for CloudWatch
//! │   scratch       the folder for temporary files, and its removal
//! │   policy         what each program may reach
//! │   flood         how much of what it prints is shown
//! │   answer        what is printed by those that were asked something
//! ├─ error        everything that can go wrong → exit code and advice
//! │   └─ exit       the exit codes
//! ├─ batch        AWS Batch: jobs submitted, looked up
//! ├─ blender      its command line, its log, its failures, its files
//! ├─ ffmpeg       its input, command line, progress, failures
//! ├─ image        is this frame whole?
//! ├─ process      guard and PID 1, signals, the Spot notice, a child: watched, measured, locked in
//! ├─ storage      list, read, write: S3 and local files
//! ├─ telemetry    the log, the progress bar, numbers
//! ├─ aws          who we are to AWS, and what its services say: what storage and batch share
//! ├─ helpers      programs that the AWS SDK starts for credentials: what process and aws share
//! ├─ http         the HTTP client below the AWS SDK: what process, aws and storage share
//! ├─ ending       how a process ended: what process, blender and ffmpeg share
//! ├─ placeholder  what lies in the place of a file that never came: what blender and image share
//! ├─ printable    text from strangers, made harmless: what process and telemetry share
//! ├─ provenance   what worker and image were built from: what cli, log and report share
//! ├─ space        room on a disk: what pipeline, storage and error share
//! └─ request      what was asked for: frames, shards, locations, jobs
//! ```
//!
//! To read it all: `main`, [`request`], [`pipeline`], then what interests you.
//!
//! # Invariants
//!
//! - A frame counts when its whole file was read, nothing that it says it holds was missing,
//!   and it is stored under its final name. No exit status and no log line counts for that.
//! - Nothing under a final name is ever incomplete.
//! - Nothing is deleted from scratch before it is stored.
//! - A frame that is there is left alone only if its fingerprint says that it was made
//!   from the same, and is of its content. Whatever is not known for certain is rendered.
//! - A child's exit status never becomes ours.
//! - Memory and scratch space do not grow with the number of frames.

pub mod aws;
pub mod batch;
pub mod blender;
pub mod cli;
pub mod ending;
pub mod error;
pub mod error_chain;
pub mod exit;
pub mod ffmpeg;
pub mod helpers;
pub mod http;
pub mod image;
pub mod jobs;
pub mod placeholder;
pub mod printable;
pub mod process;
pub mod provenance;
pub mod render;
pub mod request;
pub mod space;
pub mod stitch;
pub mod storage;
pub mod telemetry;
pub mod worker;

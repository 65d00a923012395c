//! render-worker: the ENTRYPOINT of a rendering container.
//!
//! # The map
//!
//! A module uses only modules on lower floors, and no files use each other in a circle;
//! `tests/architecture.rs` holds both.
//!
//! ```text
//! main              parse, guard, run, exit code
//! ──────────────────────────────────────────────────────────────────────────────────────────
//! render/           the scene comes in, Blender renders, each frame goes out
//! │ survey            which scene, which frames, what the output has of them
//! │ reuse/            frames that need not be rendered again
//! │ │ identity          which scene file and which Blender
//! │ │ inputs            everything that a frame is made from, as one hash
//! │ │ external          textures, libraries, caches: their list, kept with the output
//! │ │ external_state    … and the state that they are in
//! │ │ fingerprint_task  finds out while Blender renders what the frames are made from
//! │ │ plan              the frames that are asked for, without those that can be reused
//! │ launches/         Blender is started, followed, judged, and started again
//! │ │ ledger            what has become of each frame
//! │ │ launch            what is known of one Blender process
//! │ │ follow            its log and its frames, until it ends or is stopped
//! │ │ deliveries        what a delivered frame means
//! │ │ verdict           what a launch that has ended means
//! │ │ failure_counts    which frames keep Blender from ending well
//! │ │ spot_decision     whether the frame in hand is finished after a Spot notice
//! │ │ disk, crash_file, scene_answer
//! │ delivery/         saved → verified → stored, while Blender goes on
//! │   backlog           what is saved and not stored: how much, and when to try again
//! stitch/           the frames come in, in order, FFmpeg encodes, the video goes out
//! │ sequence          names → order; gaps, duplicates and unrelated files named
//! │ prefetch          frames fetched ahead, in order, in bounded memory
//! │ frame_feeder      frames verified and written to FFmpeg
//! │ render_reports    what the reports beside the frames say of their scene
//! │ video_check       whether the video is what it should be
//! jobs/             inspect, submit, status: the subcommands that run no program
//! ──────────────────────────────────────────────────────────────────────────────────────────
//! worker/           what the subcommands share: programs, progress, report, scratch, …
//! ──────────────────────────────────────────────────────────────────────────────────────────
//! error/            everything that can go wrong → exit code and advice
//! ──────────────────────────────────────────────────────────────────────────────────────────
//! cli/              argv and environment → validated requests
//! batch/            AWS Batch: jobs submitted, looked up
//! storage/          list, read, write: S3 and local files
//! ──────────────────────────────────────────────────────────────────────────────────────────
//! blender/          its command line, its log, its failures, its files
//! ffmpeg/           its input, command line, progress, failures
//! image/            is this frame whole?
//! process/          guard and PID 1, signals, Spot notice, supervisor, sandbox
//! telemetry/        the log, the progress bar, metrics
//! aws/              credentials, settings and failures that storage and batch share
//! ──────────────────────────────────────────────────────────────────────────────────────────
//! http/             the HTTP client below the AWS SDK
//! space             free space on a disk
//! ──────────────────────────────────────────────────────────────────────────────────────────
//! request/          what was asked for: frames, shards, locations, jobs, limits
//! ──────────────────────────────────────────────────────────────────────────────────────────
//! ending            how a process ended          placeholder  what lies in place of a file
//! error_chain       an error and its causes      printable    hostile text made harmless
//! exit              the exit codes               provenance   what worker and image are made of
//! helpers           programs that the AWS SDK starts for credentials
//! ```
//!
//! To read it all: `main`, [`request`], [`render`], [`stitch`], then what interests you.
//!
//! # A frame's way
//!
//! 1. `cli` turns argv and environment into a [`RenderJob`](request::RenderJob). Nothing is
//!    touched before the whole command line is valid.
//! 2. `render::survey` opens the scene, resolves the frames that this worker renders, and lists
//!    what the output has of them. `render::reuse` takes out the frames that were made from the
//!    same inputs.
//! 3. `render::launches` starts Blender in its sandbox, with all pending frames. The setup script
//!    describes the scene in a file; a scene that this Blender cannot render ends the job here.
//! 4. Blender prints `Saved:`. `render::delivery` opens the file, checks that it is whole, waits
//!    for its fingerprint, and hands it to `storage`.
//! 5. `storage` writes it under its final name, at once and whole, and only then the copy in
//!    scratch is removed. The ledger notes it.
//! 6. When Blender has ended, the verdict starts it again with what is missing, or ends the job.
//!    The report is stored, and the exit code says who must act.
//!
//! # Invariants
//!
//! - A frame counts when its whole file was read, nothing that its header promises was missing,
//!   and it is stored under its final name. Neither an exit status nor a line of a log counts.
//! - Nothing under a final name is ever incomplete.
//! - Nothing is deleted from scratch before it is stored.
//! - A stored frame is kept only if its fingerprint is that of the same inputs, and belongs to
//!   its content. What is not known for certain is rendered again.
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

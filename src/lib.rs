//! render-worker: the ENTRYPOINT of a rendering container.
//!
//! # The map
//!
//! A module uses only modules on lower floors, and no two files depend on each other, even through
//! other files. `tests/product/architecture.rs` enforces both.
//!
//! ```text
//! main              parses the command line, starts the guard, runs the job, sets the exit code
//! ──────────────────────────────────────────────────────────────────────────────────────────
//! run/              renders a scene on this machine, and makes the video: render, then stitch
//! │ cameras           the cameras of a scene, for a job of each
//! inspect/          what is in a scene file; with --deep, what Blender finds in it
//! doctor/           checks whether this machine can render, before a job fails
//! pack/             stores a scene with every file that it needs, as a project
//! │ inventory         which files these are
//! │ storing           stores those that are not there
//! │ submitting        checks and packs a scene before jobs for it are submitted
//! serve/            the web page: renders scenes, makes videos, and shows outputs while they grow
//! │ api/              the routes: request → answer
//! │ access/           who may send requests: token, Host, Origin
//! │ connections       a bounded number of them, none of which costs anything by being slow
//! │ outputs           the outputs that are watched, and who watches them
//! │ work/             the queues, and `render`, `stitch` and `inspect` as child processes
//! │ store/            videos and renders as folders; uploads, archives, thumbnails
//! │ page/             what the browser gets
//! │ problem           why a request is refused
//! ──────────────────────────────────────────────────────────────────────────────────────────
//! render/           fetches the scene, renders it with Blender, stores each frame
//! │ survey            the scene, its frames, and which of them the output already has
//! │ reuse/            which stored frames can be kept
//! │ │ identity          identifies the scene file and the Blender
//! │ │ inputs            everything that a frame is made from, as one hash
//! │ │ external          the list of textures, libraries and caches, kept with the output
//! │ │ external_state    … and their state in the file system
//! │ │ side_files        the files that the scene made besides stored frames
//! │ │ fingerprint_task  computes fingerprints while Blender renders
//! │ │ plan              the frames that are left to render
//! │ processes         deals the frames among several Blenders
//! │ launches/         starts Blender, follows it, judges how it ended, starts it again
//! │ │ ledger            the outcome of each frame
//! │ │ rendering         the state that all launches share
//! │ │ launch            the state of one Blender process
//! │ │ follow            handles its log and its frames until it ends or is stopped
//! │ │ described         what follows from the description of the scene, and from unusable files
//! │ │ deliveries        handles the outcome of each delivery
//! │ │ verdict           decides what follows when a launch has ended
//! │ │ failure_counts    which frames make Blender fail, and how often
//! │ │ spot_decision     whether to finish the frame in hand after a Spot notice
//! │ │ disk, crash_file
//! │ delivery/         saved → verified → stored, while Blender renders on
//! │ │ side_files        what the scene makes besides a frame, stored before it
//! │ │ task              verifies and stores the files of one frame
//! │ │ verified          opens and decodes the file of a frame, and makes its preview
//! │ │ backlog           frames saved but not stored: how many bytes, and when to retry
//! │ stored_outputs    what the report says about side files
//! │ companions/       what stitch needs from Blender besides the frames: the view as a LUT, the sound
//! │ description_file  the setup script's description of the scene
//! │ user_code         fetches the scripts and add-ons that the user adds to Blender
//! │ describe          opens a scene in Blender without rendering it, for `inspect`
//! │ summary           the last line of the log: what the output has, and what comes next
//! stitch/           fetches the frames in order, encodes them with FFmpeg, stores the video
//! │ plan              what the video is made of, before a frame is decoded
//! │ sequence/         files → ordered frames; reports gaps, duplicates, several sequences
//! │ render_reports    frame rate, range, view and sound of the scene, from the reports
//! │ frames/           one after the other, all at the same time
//! │ │ prefetch          fetches files ahead, in order, in bounded memory
//! │ │ decoding          decodes them on several threads
//! │ │ maker             picture → frame of raw video: view, size, background, text
//! │ │ feeder            bridges gaps, collects what is wrong, writes to FFmpeg
//! │ │ previews          stores the previews that `render` did not
//! │ sound             finds the sound, and the part of it that the video plays
//! │ remarks           what the log says about the video
//! │ encode            runs FFmpeg
//! │ video_check       checks that the video holds every frame
//! bake/             bakes the simulations of a scene once, for all jobs that render it
//! jobs/             inspect, and the output of what starts no program
//! │ packed            what is said of a project that was packed
//! │ farm/             submits jobs to AWS Batch, looks them up, repeats what failed
//! ──────────────────────────────────────────────────────────────────────────────────────────
//! watch/            what an output has, from its listings and its reports
//! │ attempt           one attempt, as its report tells it
//! │ reports           reads the reports, each version once
//! │ activity          which attempts are at work, stuck or lost
//! │ frame             every frame that is stored or asked for
//! │ figures           rate, time left, slow frames, failures by cause
//! │ state             all of it
//! │ time              times as numbers
//! ──────────────────────────────────────────────────────────────────────────────────────────
//! worker/           shared by the subcommands: programs, progress, report, scratch, …
//! │ blender_run       runs a Blender that renders no frames, and judges how it ended
//! │ file_check        looks into the files that the pictures need: placeholders, cut images
//! │ untrusted_file    reads files that Blender writes for the worker
//! │ previews/         stores the previews of frames, and the contact sheet
//! notify/           tells a webhook that a job has ended
//! ──────────────────────────────────────────────────────────────────────────────────────────
//! error/            every way in which a job can fail → exit code and advice
//! ──────────────────────────────────────────────────────────────────────────────────────────
//! project/          scenes that travel with their files: manifests, and fetching what they name
//! ──────────────────────────────────────────────────────────────────────────────────────────
//! cli/              argv and environment → validated requests
//! │ args/             the flags of each subcommand
//! │ resolver/         flags and variables → the request of each subcommand
//! batch/            submits jobs to AWS Batch and looks them up
//! cloudwatch/       reads the logs of containers
//! storage/          list, read, write: S3 and local files
//! ──────────────────────────────────────────────────────────────────────────────────────────
//! blender/          Blender's command line, log, failures and files
//! │ setup/            the script that prepares a scene for rendering, and describes it
//! │ description/      what this script says of the scene, or why it refuses it
//! │ bake/             the script that bakes simulations
//! │ probe/            the script that asks a Blender what it can do
//! │ scene_file/       the beginning of a .blend file: its version and its frame ranges
//! ffmpeg/           FFmpeg's command line, sound, progress and failures
//! image/            file → picture → frame of a video
//! │ decode/           decodes image files, and so checks that they are whole
//! │ view/             linear light → values for a display
//! │ video_frame/      picture → raw video: fitted, laid over the background, converted
//! │ burn_in, preview, contact_sheet
//! process/          guard and PID 1, signals, Spot notice, supervisor, sandbox
//! telemetry/        the log, the progress bar, metrics
//! archive/          zip and tar: what is in them, checked before it is unpacked
//! aws/              credentials, settings and errors, shared by storage and batch
//! ──────────────────────────────────────────────────────────────────────────────────────────
//! http/             the HTTP client below the AWS SDK
//! space             free space on a disk
//! container         the container that the worker runs in, and what is mounted into it
//! ──────────────────────────────────────────────────────────────────────────────────────────
//! request/          the validated request: frames, shards, locations, jobs, videos, limits
//! ──────────────────────────────────────────────────────────────────────────────────────────
//! ending            how a process ended          placeholder  detects Git LFS pointers and such
//! error_chain       an error and its causes      printable    makes hostile text safe to print
//! exit              the exit codes               provenance   versions of worker and image
//! helpers           programs that the AWS SDK starts for credentials
//! hex               bytes in hexadecimal digits
//! ```
//!
//! To read it all, begin with `main`, [`request`], [`render`] and [`stitch`].
//!
//! # The path of a frame
//!
//! 1. `cli` turns argv and environment into a [`RenderJob`](request::RenderJob). The worker
//!    touches nothing before the whole command line is valid.
//! 2. `render::survey` opens the scene, resolves the frames that this worker renders, and lists
//!    those that the output already has. `render::reuse` keeps the ones that were made from the
//!    same inputs.
//! 3. `render::launches` starts Blender in its sandbox, with all pending frames. The setup script
//!    describes the scene in a file. If this Blender cannot render the scene, the job ends here.
//! 4. Blender prints `Saved:`. `render::delivery` opens the file, decodes it, waits for its
//!    fingerprint, and hands it to `storage`.
//! 5. `storage` writes the whole frame under its final name in one step. Only then does
//!    `render::delivery` remove the copy in scratch, and the ledger records the frame. Its preview
//!    follows.
//! 6. When Blender has ended, the verdict starts it again with the missing frames, or ends the
//!    job. The worker stores the report, and its exit code shows who must act.
//! 7. `stitch::plan` arranges the frames, and reads the frame rate, view and sound of the scene from
//!    the report. `stitch::frames` fetches and decodes each frame again, makes raw video of it, and
//!    writes it to FFmpeg. The video is stored if it has as many frames as were written.
//!
//! # Invariants
//!
//! - A frame counts once its whole file was decoded, and it is stored under its final name. Exit
//!   statuses and log lines prove nothing.
//! - A frame is stored after the files that the scene makes besides it.
//! - FFmpeg decodes no picture. What is in the video is what the worker has decoded.
//! - What accompanies the frames (previews, contact sheet, view, sound) makes none of them fail.
//! - No file under a final name is ever incomplete.
//! - Delivery deletes no frame from scratch before it is stored.
//! - A stored frame is kept only if its fingerprint matches both the inputs and its content. In
//!   doubt, it is rendered again.
//! - A child's exit status never becomes the worker's.
//! - Memory and scratch space do not grow with the number of frames.

pub mod archive;
pub mod aws;
pub mod bake;
pub mod batch;
pub mod blender;
pub mod cli;
pub mod cloudwatch;
pub mod container;
pub mod doctor;
pub mod ending;
pub mod error;
pub mod error_chain;
pub mod exit;
pub mod ffmpeg;
pub mod helpers;
pub mod hex;
pub mod http;
pub mod image;
pub mod inspect;
pub mod jobs;
pub mod notify;
pub mod pack;
pub mod placeholder;
pub mod printable;
pub mod process;
pub mod project;
pub mod provenance;
pub mod render;
pub mod request;
pub mod run;
pub mod serve;
pub mod space;
pub mod stitch;
pub mod storage;
pub mod telemetry;
pub mod watch;
pub mod worker;

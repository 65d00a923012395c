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

mod addons; // scripts and add-ons that the user adds to Blender
mod architecture; // src/: the layers of its modules, and no circular imports
mod audio; // the sound of a scene, mixed by Blender
mod backlog; // frames that cannot be stored yet: rendering continues, pauses or ends
mod blender_command; // the image's command `blender` treats arguments as Blender does
mod blender_failures; // failures of Blender: exit codes, messages, saved frames
mod config_file; // a file with settings, below variables and above defaults
mod credentials; // the sources of credentials and the region
mod devices; // CPU and GPUs, and the cache of what is compiled for them
mod disk; // a scratch disk or an output disk that is too small or becomes full
mod docs; // README.md and docs/: every command is run as written, links, contents, JSON
mod doctor; // what a machine has and what it lacks
mod download; // what jobs store comes to this machine while they are followed
mod endless; // responses without end
mod exit_codes; // the same exit codes in the reference, in --help and in the code
mod fault_rates; // a percentage of all S3 requests fails: every frame is right, or exit code 75
mod ffmpeg_failures; // FFmpeg and FFprobe that are missing, fail, lie or hang
mod fluids; // liquids, from their caches and without
mod frame_rate; // the frame rate of the video
mod guard; // the death of the worker ends all its children
mod hostile; // a malicious scene: its attempts and their results
mod init; // running as PID 1, and the initial state of children
mod inspect; // the description of a scene file from its first bytes
mod inspect_deep; // what Blender finds in a scene file
mod job_logs; // the logs of jobs, from CloudWatch Logs
mod lacking; // scenes that need features that this Blender lacks
mod logs; // the log in both formats, whatever Blender prints
mod metrics; // the figures of an attempt for CloudWatch
mod missing_files; // files that a scene needs: missing, damaged, out of reach, or not used
mod mistakes; // mistakes of a person at a terminal: what the message names, and that nothing is left
mod notify; // a webhook that is told of the end of a run or a wait
mod order; // which frames are rendered first, and what that changes: nothing else
mod outputs; // what a scene makes besides its frames: File Output nodes, further views
mod overrides; // settings of the scene that a job replaces, and their effect on pictures
mod pack; // projects: scenes with their files, packed and rendered elsewhere
mod pack_again; // packing again reads and sends only what has changed
mod pictures; // how pictures of any size, depth and alpha look in a video
mod prefix; // a project that lies on S3 as it is
mod previews; // previews of frames and the contact sheet
mod processes; // several Blenders side by side
mod project_extras; // the configuration of colours and caches of fluids in a project
mod provenance; // the versions of worker and image
mod render; // frames from a real Blender
mod renders; // scenes on the web page
mod resubmit; // jobs on AWS Batch: cancelled, retried, and submitted for missing frames only
mod resume; // another attempt renders only missing and outdated frames
mod retries; // frames at which Blender fails are retried, then skipped
mod run; // a whole scene on one machine: frames and video, previews, overrides
mod s3; // keys, requests, regions and TLS on S3
mod s3_failures; // permanent failures of S3: exit codes and messages
mod s3_parts; // large objects in parts
mod s3_recovery; // temporary failures of S3
mod s3_server_checksums; // the S3 server of the tests: checksums of multipart uploads
mod s3_server_faults; // the S3 server of the tests: faults of uploads, faults at random
mod s3_server_itself; // the S3 server of the tests: everything else
mod sandbox; // the environment and the files that programs can access
mod scene_list; // frames are stored even if the list of the scene's files cannot be
mod schedulers; // the children of array jobs on AWS Batch, Kubernetes, Slurm and Google Cloud
mod schemas; // the JSON Schemas of documents that programs read
mod scratch; // the scratch folder is removed, whatever its content
mod serve; // the web page: its API, who may use it, uploads within limits, restarts
mod signals; // SIGTERM, SIGINT and SIGHUP: saved frames are stored, the others named
mod simulations; // simulations that are not baked: refused, simulated, baked, or left out
mod slices; // how submit deals frames among children: as many as fit, or one by one
mod spot; // Spot notices: the current frame is finished, no other one begins
mod start_jitter; // workers that start together spread their first requests
mod static_binary; // the static build in nearly empty root file systems
mod status; // jobs on AWS Batch: their state, their failures, waiting for their end
mod stitch; // frames to video: selection, order, appearance, encoding
mod stop_grace; // the time between a signal and the end, and its use
mod storage; // one contract for every kind of location
mod submit; // jobs for AWS Batch: the requests, and the video that they lead to
mod submit_project; // a scene of this machine is packed, then submitted
mod support; // starting the program, reading its log, scenes, servers
mod terminal; // the progress bar and colours on a terminal
mod usage; // flags and variables: help, version, invalid values
mod video; // codecs, and sound in sync with the pictures
mod view; // what Blender's display transform does, kept with frames of linear light
mod watch; // the web page: outputs that are watched, their pictures, and what may be read
mod watchdog; // programs that stall or take too long are stopped

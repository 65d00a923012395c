//! The command line as it is typed, and the manual that `--help` prints.
//!
//! Every value is optional text here. [`super`] adds the variables and validates.

#![expect(clippy::doc_markdown, reason = "these comments are the text of --help, not Markdown")]

mod bake;
mod farm;
mod inspect;
mod overrides;
mod pack;
mod render;
mod run;
mod serve;
mod shared;
mod stitch;
mod user_code;

use clap::{Parser, Subcommand};

use bake::BAKE_EXAMPLES;
pub(super) use bake::BakeArgs;
use farm::{CANCEL_EXAMPLES, LOGS_EXAMPLES, RETRY_EXAMPLES, STATUS_EXAMPLES, SUBMIT_EXAMPLES};
pub(super) use farm::{
    CancelArgs, DEALT, FollowArgs, LogsArgs, OTHER_DEFINITION, RetryArgs, SliceArgs, StatusArgs,
    SubmitArgs,
};
use inspect::{DOCTOR_EXAMPLES, INSPECT_EXAMPLES};
pub(super) use inspect::{DoctorArgs, InspectArgs};
pub(super) use overrides::OverrideArgs;
use pack::PACK_EXAMPLES;
pub(super) use pack::{PackArgs, PackingArgs};
use render::RENDER_EXAMPLES;
pub(super) use render::{RenderArgs, RenderOptions};
use run::RUN_EXAMPLES;
pub(super) use run::{RunArgs, WATCH_PAGE};
use serve::SERVE_EXAMPLES;
pub(super) use serve::ServeArgs;
pub(super) use shared::{
    LogArgs, MainArgs, PreviewArgs, ProgramArgs, SandboxArgs, SceneArgs, StoreArgs, VideoArgs,
    WorkArgs,
};
use stitch::STITCH_EXAMPLES;
pub(super) use stitch::StitchArgs;
pub(super) use user_code::UserCodeArgs;

/// Renders Blender animations and stitches them to video, in a container.
#[derive(Debug, Parser)]
#[command(
    name = "render-worker",
    version,
    about = "Renders Blender animations and stitches them to video, in a container",
    long_about = "Renders Blender animations and stitches them to video, in a container: as a job \
                  of AWS Batch, where every child of an array job renders its own frames, or with \
                  `docker run` on one machine.\n\n\
                  Most flags can be given as an environment variable instead; the flag wins, and \
                  an empty variable counts as unset.",
    after_long_help = EXAMPLES,
    max_term_width = 100,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = false
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub action: Action,
}

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Render a scene on this machine, and make the video
    #[command(after_long_help = RUN_EXAMPLES)]
    Run(RunArgs),
    /// Render frames of a scene, and store each as soon as it is finished
    #[command(after_long_help = RENDER_EXAMPLES)]
    Render(RenderArgs),
    /// Make a video of rendered frames, or of any folder of pictures
    #[command(after_long_help = STITCH_EXAMPLES)]
    Stitch(StitchArgs),
    /// Make videos in a web page: drop pictures in, take the video out
    #[command(after_long_help = SERVE_EXAMPLES)]
    Serve(ServeArgs),
    /// Bake the simulations of a scene once, for all jobs that render it
    #[command(after_long_help = BAKE_EXAMPLES)]
    Bake(BakeArgs),
    /// Store a scene with every file that it needs, for jobs on other machines
    #[command(after_long_help = PACK_EXAMPLES)]
    Pack(PackArgs),
    /// Show what is in a scene file, and the size of the array job that renders it
    #[command(after_long_help = INSPECT_EXAMPLES)]
    Inspect(InspectArgs),
    /// Check whether this machine can render, and say what is missing
    #[command(after_long_help = DOCTOR_EXAMPLES)]
    Doctor(DoctorArgs),
    /// Submit to AWS Batch the jobs that render a scene and make the video
    #[command(after_long_help = SUBMIT_EXAMPLES)]
    Submit(SubmitArgs),
    /// Show the state of jobs on AWS Batch, and why children have failed
    #[command(after_long_help = STATUS_EXAMPLES)]
    Status(StatusArgs),
    /// Cancel jobs on AWS Batch; what is finished stays
    #[command(after_long_help = CANCEL_EXAMPLES)]
    Cancel(CancelArgs),
    /// Submit again what has failed of jobs on AWS Batch, with other settings if need be
    #[command(after_long_help = RETRY_EXAMPLES)]
    Retry(RetryArgs),
    /// Print the log of a job on AWS Batch, and follow it
    #[command(after_long_help = LOGS_EXAMPLES)]
    Logs(LogsArgs),
}

impl Action {
    /// The arguments of the subcommands that run Blender or FFmpeg.
    pub fn programs(&self) -> Option<&ProgramArgs> {
        match self {
            Self::Run(RunArgs { common, .. })
            | Self::Render(RenderArgs { common, .. })
            | Self::Stitch(StitchArgs { common, .. }) => Some(&common.programs),
            Self::Bake(args) => Some(&args.programs),
            Self::Pack(args) => Some(&args.programs),
            Self::Serve(_)
            | Self::Inspect(_)
            | Self::Doctor(_)
            | Self::Submit(_)
            | Self::Status(_)
            | Self::Cancel(_)
            | Self::Retry(_)
            | Self::Logs(_) => None,
        }
    }

    /// The arguments about the sandbox, of the subcommands that have one.
    pub fn sandbox(&self) -> Option<&SandboxArgs> {
        match self {
            Self::Inspect(args) => Some(&args.sandbox),
            Self::Doctor(args) => Some(&args.sandbox),
            Self::Submit(args) => Some(&args.sandbox),
            _ => self.programs().map(|programs| &programs.sandbox),
        }
    }

    /// The arguments of the subcommands that render with Blender.
    pub fn render_options(&self) -> Option<&RenderOptions> {
        match self {
            Self::Run(RunArgs { render: options, .. })
            | Self::Render(RenderArgs { options, .. }) => Some(options),
            Self::Stitch(_)
            | Self::Serve(_)
            | Self::Bake(_)
            | Self::Pack(_)
            | Self::Inspect(_)
            | Self::Doctor(_)
            | Self::Submit(_)
            | Self::Status(_)
            | Self::Cancel(_)
            | Self::Retry(_)
            | Self::Logs(_) => None,
        }
    }

    /// The position in an array job, of the subcommand that renders a part of the frames.
    pub fn array_index(&self) -> Option<&str> {
        match self {
            Self::Render(args) => args.array_index.as_deref(),
            Self::Run(_)
            | Self::Stitch(_)
            | Self::Serve(_)
            | Self::Pack(_)
            | Self::Bake(_)
            | Self::Inspect(_)
            | Self::Doctor(_)
            | Self::Submit(_)
            | Self::Status(_)
            | Self::Cancel(_)
            | Self::Retry(_)
            | Self::Logs(_) => None,
        }
    }

    /// The arguments about S3 and about the log, which every subcommand has.
    pub fn general(&self) -> (&StoreArgs, &LogArgs) {
        match self {
            Self::Run(RunArgs { common, .. })
            | Self::Render(RenderArgs { common, .. })
            | Self::Stitch(StitchArgs { common, .. }) => {
                (&common.programs.store, &common.programs.log)
            }
            Self::Bake(args) => (&args.programs.store, &args.programs.log),
            Self::Pack(args) => (&args.programs.store, &args.programs.log),
            Self::Serve(ServeArgs { store, log, .. })
            | Self::Inspect(InspectArgs { store, log, .. })
            | Self::Doctor(DoctorArgs { store, log, .. })
            | Self::Submit(SubmitArgs { store, log, .. })
            | Self::Status(StatusArgs { store, log, .. })
            | Self::Cancel(CancelArgs { store, log, .. })
            | Self::Retry(RetryArgs { store, log, .. })
            | Self::Logs(LogsArgs { store, log, .. }) => (store, log),
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  Render a scene on this machine, and make the video out/output.mp4:
    render-worker run -i scene.blend -o out

  The same in a container; the folder of the scene is mounted at /work:
    docker run --rm -it --user \"$(id -u):$(id -g)\" -v \"$PWD\":/work \\
      render-worker run -i scene.blend -o out

  On AWS Batch, as the command of a job definition for array jobs:
    [\"Ref::action\", \"-i\", \"Ref::inputUri\", \"-o\", \"Ref::outputUri\", \"-f\", \"Ref::framesPerJob\"]

Exit codes:
  0 success, 2 usage, 65 scene or frame unusable, 66 input missing, 69 Blender or FFmpeg
  missing, 70 Blender or FFmpeg failed, 74 local disk, 75 storage unreachable (try again),
  77 access denied, 130 stopped by ctrl-C, 137 killed, 143 stopped by SIGTERM or a Spot notice (try
  again), 1 a bug.";

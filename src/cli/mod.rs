//! From words to validated requests: argv and environment in, a [`Command`] out.
//!
//! Raw text never leaves this module. Everything unknown, contradictory or out of
//! range is refused here, before anything is touched, in words that name the flag
//! and the variable.

mod args;
mod batch;
mod children;
mod limits;
mod resolver;
mod settings;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser as _;
use clap::error::ErrorKind;

pub use settings::{Environment, Setting, UsageError};

use crate::provenance::Provenance;
use crate::request::{
    Attempt, Confinement, FrameSet, InspectJob, Limits, Metrics, RenderJob, StatusJob, StitchJob,
    StopGrace, SubmitJob, Then, Transfers,
};
use crate::telemetry::logging::{LogFormat, LogLevel};
use args::Cli;
use resolver::{LOG_FORMAT, Resolver, provenance};
use settings::unset_parameter;

/// A validated command line.
#[derive(Debug)]
pub struct Command {
    /// What to do.
    pub action: JobRequest,
    /// Which run of the container this is.
    pub attempt: Attempt,
    /// What worker and image were built from.
    pub provenance: Provenance,
    /// Where programs are looked for, as `PATH` has it.
    pub search_path: Option<String>,
    /// What bounds the transfers from and to S3.
    pub transfers: Transfers,
    /// The frames that are named one by one, where they are not taken in the order in which
    /// they are written.
    pub sorted: Option<FrameSet>,
    /// What the numbers of the attempt are grouped by, if they are told.
    pub metrics: Option<Metrics>,
    /// Where temporary files go, if not to the system's folder for them.
    pub scratch_dir: Option<PathBuf>,
    /// What the programs are given and may reach.
    pub confinement: Confinement,
    /// How long stopping may take.
    pub stop_grace: StopGrace,
    /// Whether the instance may be asked if it goes: `AWS_EC2_METADATA_DISABLED` says no.
    pub asks_instance: bool,
    /// What bounds the attempt.
    pub limits: Limits,
    /// How the log looks; `None` leaves it to what standard error is.
    pub log_format: Option<LogFormat>,
    /// How much is logged.
    pub log_level: LogLevel,
}

/// What to do.
#[derive(Debug)]
pub enum JobRequest {
    /// Render frames.
    Render {
        /// What was asked for.
        job: RenderJob,
        /// The Blender to use: a path, or a name to look for.
        blender: PathBuf,
    },
    /// Make a video.
    Stitch {
        /// What was asked for.
        job: StitchJob,
        /// The FFmpeg to use: a path, or a name to look for.
        ffmpeg: PathBuf,
        /// The `FFprobe` to use: a path, or a name to look for.
        ffprobe: PathBuf,
    },
    /// Look at a scene file.
    Inspect(InspectJob),
    /// Submit jobs to AWS Batch.
    Submit(Box<SubmitJob>),
    /// See how jobs on AWS Batch are.
    Status(StatusJob),
}

impl JobRequest {
    /// Whether it is carried out by programs that are started and locked in, and leaves a
    /// report.
    pub fn runs_programs(&self) -> bool {
        match self {
            Self::Render { .. } | Self::Stitch { .. } => true,
            Self::Inspect(_) | Self::Submit(_) | Self::Status(_) => false,
        }
    }

    /// Whether it waits for others to carry it out.
    fn waits(&self) -> bool {
        match self {
            Self::Render { .. } | Self::Stitch { .. } | Self::Inspect(_) => false,
            Self::Submit(job) => matches!(job.then, Then::Wait(_)),
            Self::Status(job) => job.wait.is_some(),
        }
    }
}

/// Why there is no [`Command`].
#[derive(Debug)]
pub enum Refusal {
    /// Help or the version was asked for: this text, for standard output.
    Answer(String),
    /// Something is wrong, to be logged in the format that was asked for, if one was.
    Usage(UsageError, Option<LogFormat>),
}

/// Reads a command line, the program's name first.
///
/// # Errors
/// If it is none that can be carried out, or if it asks for help or the version.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    environment: &Environment,
) -> Result<Command, Refusal> {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let format_unless_wrong = |flag| LOG_FORMAT.value(flag, environment).ok().flatten();
    for argument in arguments.iter().skip(1).filter_map(|argument| argument.to_str()) {
        if argument.starts_with("Ref::") {
            let error = unset_parameter(argument, "the command line");
            return Err(Refusal::Usage(error, format_unless_wrong(None)));
        }
    }
    let cli = Cli::try_parse_from(arguments).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp => Refusal::Answer(error.to_string()),
        ErrorKind::DisplayVersion => Refusal::Answer(format!("{}\n", provenance(environment))),
        _ => {
            let text = error.to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            // One event, one line.
            let lines: Vec<_> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
            Refusal::Usage(UsageError(lines.join("; ")), format_unless_wrong(None))
        }
    })?;
    let log_format = format_unless_wrong(cli.action.log().log_format.as_deref());
    Resolver { environment }.command(&cli.action).map_err(|error| Refusal::Usage(error, log_format))
}

#[cfg(test)]
mod tests;

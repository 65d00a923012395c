//! A validated command line.

use std::num::NonZeroU32;
use std::path::PathBuf;

use super::args::{Action, CommonArgs};
use super::names::{
    ALLOW_READ, BLENDER, FFMPEG, FFPROBE, FRAMES, LOG_FORMAT, LOG_LEVEL, MAX_TRANSFERS, METRICS,
    PASS_ENV, SANDBOX, SCRATCH_DIR, STOP_GRACE, UPLOAD_BUFFER,
};
use super::resolver::Resolver;
use super::setting::{Environment, UsageError};
use super::{batch, children, limits};
use crate::provenance::{Image, Provenance};
use crate::request::{
    ArrayPosition, Attempt, Confinement, FrameSet, InspectJob, Limits, Location, Metrics,
    MetricsFormat, Paths, RenderJob, StatusJob, StitchJob, StopGrace, SubmitJob, Then, Transfers,
    VariableNames, is_ascending,
};
use crate::telemetry::logging::{LogFormat, LogLevel};

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
    pub(super) fn waits(&self) -> bool {
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

impl Resolver<'_> {
    /// # Errors
    /// If something is missing, contradictory or out of range.
    pub fn command(&self, action: &Action) -> Result<Command, UsageError> {
        let env = self.environment;
        // The AWS SDK, too, takes what it cannot read for unset: it would ask another store.
        env.readable(|name| name.starts_with("AWS_") || name.starts_with("RENDER_WORKER_"))?;
        let attempt = self.attempt()?;
        let request = match action {
            Action::Render(args) => JobRequest::Render {
                job: self.render_job(args, &attempt)?,
                blender: self.program(BLENDER, args.blender.as_deref(), "blender")?,
            },
            Action::Stitch(args) => JobRequest::Stitch {
                job: self.stitch_job(args)?,
                ffmpeg: self.program(FFMPEG, args.ffmpeg.as_deref(), "ffmpeg")?,
                ffprobe: self.program(FFPROBE, args.ffprobe.as_deref(), "ffprobe")?,
            },
            Action::Inspect(args) => JobRequest::Inspect(self.inspect_job(args)?),
            Action::Submit(args) => JobRequest::Submit(Box::new(batch::submit_job(self, args)?)),
            Action::Status(args) => JobRequest::Status(batch::status_job(self, args)?),
        };
        // Whoever runs no program is not refused for what is set for those who do.
        let (nothing, nobody) = (CommonArgs::default(), Environment::default());
        let (common, settings) = match action.common() {
            Some(common) => (common, self),
            None => (&nothing, &Resolver { environment: &nobody }),
        };
        let answers = !request.runs_programs() && !request.waits();
        let log_level = LOG_LEVEL.value(action.log().log_level.as_deref(), env)?;
        Ok(Command {
            provenance: provenance(env),
            search_path: env.text("PATH")?.map(str::to_owned),
            transfers: Transfers {
                attempts: self.number("AWS_MAX_ATTEMPTS")?.and_then(NonZeroU32::new),
                requester_pays: self.requester_pays(action.store())?,
                ..settings.transfers(common)?
            },
            sorted: self.sorted(action)?,
            metrics: settings.metrics(common, &attempt)?,
            scratch_dir: settings.scratch_dir(common)?,
            confinement: settings.confinement(common)?,
            stop_grace: STOP_GRACE
                .value(common.stop_grace.as_deref(), settings.environment)?
                .unwrap_or_default(),
            // Nothing is lost with the instance where there is nothing but an answer.
            asks_instance: request.runs_programs()
                && !env
                    .get("AWS_EC2_METADATA_DISABLED")
                    .is_some_and(|disabled| disabled.eq_ignore_ascii_case("true")),
            limits: limits::resolve(action, common, settings.environment)?,
            attempt,
            log_format: LOG_FORMAT.value(action.log().log_format.as_deref(), env)?,
            // An answer is what matters, not how it was come to.
            log_level: log_level.unwrap_or(if answers {
                LogLevel::WARN
            } else {
                LogLevel::default()
            }),
            action: request,
        })
    }

    fn scratch_dir(&self, common: &CommonArgs) -> Result<Option<PathBuf>, UsageError> {
        match SCRATCH_DIR.value(common.scratch_dir.as_deref(), self.environment)? {
            None => Ok(None),
            Some(Location::Local(path)) => Ok(Some(path)),
            Some(elsewhere @ Location::S3 { .. }) => Err(SCRATCH_DIR
                .refuse(format_args!("`{elsewhere}` is on S3; give a folder on this machine"))),
        }
    }

    /// The frames that are named one by one, if not in the order in which they are taken.
    fn sorted(&self, action: &Action) -> Result<Option<FrameSet>, UsageError> {
        let work = match action {
            Action::Render(args) => &args.common.work,
            Action::Stitch(args) => &args.common.work,
            Action::Submit(args) => &args.work,
            Action::Inspect(_) | Action::Status(_) => return Ok(None),
        };
        let (flag, env) = (work.frames.as_deref(), self.environment);
        let text: Option<String> = FRAMES.value(flag, env)?;
        if text.is_none_or(|text| is_ascending(&text)) { Ok(None) } else { FRAMES.value(flag, env) }
    }

    fn metrics(
        &self,
        common: &CommonArgs,
        attempt: &Attempt,
    ) -> Result<Option<Metrics>, UsageError> {
        let env = self.environment;
        let format = METRICS.value(common.metrics.as_deref(), env)?;
        let wanted = match format {
            Some(MetricsFormat::Emf) => true,
            Some(MetricsFormat::Off) => false,
            None => attempt.job_id.is_some(),
        };
        if !wanted {
            return Ok(None);
        }
        let told = |variable| Ok(env.text(variable)?.map(str::to_owned));
        Ok(Some(Metrics {
            job_queue: told("AWS_BATCH_JQ_NAME")?,
            job_definition: told("JOB_DEFINITION")?,
        }))
    }

    fn transfers(&self, common: &CommonArgs) -> Result<Transfers, UsageError> {
        let env = self.environment;
        let defaults = Transfers::default();
        let upload_buffer = UPLOAD_BUFFER.value(common.upload_buffer.as_deref(), env)?;
        Ok(Transfers {
            attempts: None,
            requester_pays: false,
            at_once: MAX_TRANSFERS
                .value(common.max_transfers.as_deref(), env)?
                .unwrap_or(defaults.at_once),
            upload_buffer: upload_buffer.unwrap_or(defaults.upload_buffer),
        })
    }

    fn confinement(&self, common: &CommonArgs) -> Result<Confinement, UsageError> {
        let env = self.environment;
        let all =
            |given: &[String], separator: &str| (!given.is_empty()).then(|| given.join(separator));
        let paths = all(&common.allow_read, ":");
        let Paths(paths) = ALLOW_READ.value(paths.as_deref(), env)?.unwrap_or_default();
        let names = all(&common.pass_env, ",");
        let VariableNames(passed) = PASS_ENV.value(names.as_deref(), env)?.unwrap_or_default();
        let environment = children::environment(env, &passed)?;
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        let mut readable: Vec<_> = paths.into_iter().map(absolute).collect();
        readable.extend(children::named_paths(&environment));
        let sandbox = SANDBOX.value(common.sandbox.as_deref(), env)?.unwrap_or_default();
        Ok(Confinement { environment, passed, readable, sandbox })
    }

    fn attempt(&self) -> Result<Attempt, UsageError> {
        let index = self.number("AWS_BATCH_JOB_ARRAY_INDEX")?;
        let size = self.number("AWS_BATCH_JOB_ARRAY_SIZE")?;
        let array = index.map(|index| ArrayPosition::new(index, size)).transpose();
        Ok(Attempt {
            job_id: self.environment.get("AWS_BATCH_JOB_ID").map(str::to_owned),
            number: self.number("AWS_BATCH_JOB_ATTEMPT")?,
            array: array
                .map_err(|error| UsageError(format!("AWS_BATCH_JOB_ARRAY_INDEX: {error}")))?,
        })
    }
}

/// What the image says of itself.
pub fn provenance(environment: &Environment) -> Provenance {
    let told = |variable| environment.get(variable).map(str::to_owned);
    Provenance::new(Image {
        version: told("RENDER_WORKER_VERSION"),
        revision: told("RENDER_WORKER_REVISION"),
        branch: told("RENDER_WORKER_BRANCH"),
        created: told("RENDER_WORKER_CREATED"),
    })
}

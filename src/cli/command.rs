//! A validated command line.

use std::num::NonZeroU32;
use std::path::PathBuf;

use super::args::{Action, ProgramArgs, SandboxArgs};
use super::names::{
    ALLOW_READ, BLENDER, FFMPEG, FFPROBE, FRAMES, LOG_FORMAT, LOG_LEVEL, MAX_TRANSFERS, METRICS,
    PASS_ENV, SANDBOX, SCRATCH_DIR, STOP_GRACE, UPLOAD_BUFFER,
};
use super::resolver::{Resolver, children, farm, limits, pack, serve, video};
use super::setting::{Environment, Setting, UsageError};
use crate::provenance::{Image, Provenance};
use crate::request::{
    Attempt, BakeJob, Confinement, DoctorJob, FrameSet, InspectJob, JobId, Limits, Location,
    LogsJob, Metrics, MetricsFormat, Notify, PackJob, Paths, RenderJob, RetryJob, RunJob, ServeJob,
    StatusJob, StitchJob, StopGrace, SubmitJob, SubmitMode, Transfers, VariableNames, is_ascending,
};
use crate::telemetry::logging::{LogFormat, LogLevel};

/// A validated command line.
#[derive(Debug)]
pub struct Command {
    /// The request.
    pub action: JobRequest,
    /// The attempt of the container.
    pub attempt: Attempt,
    /// The origin of worker and image.
    pub provenance: Provenance,
    /// The search path for programs, as in `PATH`.
    pub search_path: Option<String>,
    /// The limits of transfers from and to S3.
    pub transfers: Transfers,
    /// The frames of `--frames`, if they were not given in the order in which they are taken.
    pub sorted: Option<FrameSet>,
    /// The dimensions of the metrics; `None` if no metrics are printed.
    pub metrics: Option<Metrics>,
    /// The folder for temporary files; `None` is the system's.
    pub scratch_dir: Option<PathBuf>,
    /// What the programs get and can reach.
    pub confinement: Confinement,
    /// The time for stopping.
    pub stop_grace: StopGrace,
    /// Whether to poll the instance for a Spot notice; not if `AWS_EC2_METADATA_DISABLED` is true.
    pub asks_instance: bool,
    /// The time and failure limits of the attempt.
    pub limits: Limits,
    /// The format of the log; `None` depends on whether standard error is a terminal.
    pub log_format: Option<LogFormat>,
    /// The level of the log.
    pub log_level: LogLevel,
    /// Who is told of the end.
    pub notify: Option<Notify>,
}

/// The request of a subcommand.
#[derive(Debug)]
pub enum JobRequest {
    /// Render frames, and make a video of them.
    Run {
        /// The job.
        job: Box<RunJob>,
        /// The Blender to use: a path, or a name to look for.
        blender: PathBuf,
        /// The FFmpeg to use: a path, or a name to look for.
        ffmpeg: PathBuf,
        /// The `FFprobe` to use: a path, or a name to look for.
        ffprobe: PathBuf,
    },
    /// Render frames.
    Render {
        /// The job.
        job: Box<RenderJob>,
        /// The Blender to use: a path, or a name to look for.
        blender: PathBuf,
    },
    /// Make a video.
    Stitch {
        /// The job.
        job: Box<StitchJob>,
        /// The FFmpeg to use: a path, or a name to look for.
        ffmpeg: PathBuf,
        /// The `FFprobe` to use: a path, or a name to look for.
        ffprobe: PathBuf,
    },
    /// Serve the web page.
    Serve(ServeJob),
    /// Bake the simulations of a scene.
    Bake {
        /// The job.
        job: BakeJob,
        /// The Blender to use: a path, or a name to look for.
        blender: PathBuf,
    },
    /// Store a scene with every file that it needs.
    Pack {
        /// The job.
        job: PackJob,
        /// The Blender to use: a path, or a name to look for.
        blender: PathBuf,
    },
    /// Look at a scene file.
    Inspect {
        /// The job.
        job: InspectJob,
        /// The Blender to use: a path, or a name to look for.
        blender: PathBuf,
    },
    /// Check this machine.
    Doctor {
        /// What to check.
        job: DoctorJob,
        /// The Blender to check: a path, or a name to look for.
        blender: PathBuf,
        /// The FFmpeg to check: a path, or a name to look for.
        ffmpeg: PathBuf,
        /// The `FFprobe` to check: a path, or a name to look for.
        ffprobe: PathBuf,
    },
    /// Submit jobs to AWS Batch.
    Submit {
        /// The jobs.
        job: Box<SubmitJob>,
        /// The Blender that lists the files of a project: a path, or a name to look for.
        blender: PathBuf,
    },
    /// Show the state of jobs on AWS Batch.
    Status(StatusJob),
    /// Cancel jobs on AWS Batch.
    Cancel(JobId),
    /// Submit again what has failed on AWS Batch.
    Retry(RetryJob),
    /// Print the log of a job on AWS Batch.
    Logs(LogsJob),
}

impl JobRequest {
    /// Whether it runs Blender or FFmpeg, in a sandbox, and leaves a report.
    pub fn runs_programs(&self) -> bool {
        match self {
            Self::Run { .. } | Self::Render { .. } | Self::Stitch { .. } | Self::Bake { .. } => {
                true
            }
            Self::Serve(_)
            | Self::Pack { .. }
            | Self::Inspect { .. }
            | Self::Doctor { .. }
            | Self::Submit { .. }
            | Self::Status(_)
            | Self::Cancel(_)
            | Self::Retry(_)
            | Self::Logs(_) => false,
        }
    }

    /// Whether it starts a program, in a sandbox.
    pub fn has_sandbox(&self) -> bool {
        match self {
            Self::Inspect { job, .. } => job.deep.is_some(),
            Self::Submit { job, .. } => job.project.is_some(),
            Self::Serve(_) | Self::Doctor { .. } | Self::Pack { .. } => true,
            _ => self.runs_programs(),
        }
    }

    /// Whether it only answers: it runs no program that renders or encodes, and waits for nothing.
    pub(super) fn answers(&self) -> bool {
        match self {
            Self::Run { .. }
            | Self::Render { .. }
            | Self::Stitch { .. }
            | Self::Bake { .. }
            | Self::Pack { .. }
            | Self::Serve(_) => false,
            Self::Inspect { .. } | Self::Doctor { .. } | Self::Cancel(_) => true,
            Self::Logs(job) => !job.follow,
            Self::Retry(job) => !matches!(job.mode, SubmitMode::SubmitAndWait(_)),
            Self::Submit { job, .. } => {
                job.project.is_none() && !matches!(job.mode, SubmitMode::SubmitAndWait(_))
            }
            Self::Status(job) => job.wait.is_none(),
        }
    }
}

/// Why there is no [`Command`].
#[derive(Debug)]
pub enum Refusal {
    /// The command line asks for a text, such as help or the version, for standard output.
    Answer(String),
    /// The command line is wrong.
    Usage {
        /// The error, in one line.
        error: UsageError,
        /// The same with advice, in several lines, for a person who typed the command line.
        text: String,
        /// The format of the log, if one was given.
        format: Option<LogFormat>,
    },
}

impl Resolver<'_> {
    /// # Errors
    /// If something is missing, contradictory or out of range.
    pub fn command(&self, action: &Action) -> Result<Command, UsageError> {
        let env = self.environment;
        // The AWS SDK ignores variables that are not UTF-8, and would ask another store.
        let prefixes = ["AWS_", "RENDER_WORKER_", "SLURM_", "BATCH_TASK_", "JOB_COMPLETION_INDEX"];
        env.readable(|name| prefixes.iter().any(|prefix| name.starts_with(prefix)))?;
        let attempt = self.attempt(action.array_index())?;
        let request = match action {
            Action::Run(args) => JobRequest::Run {
                job: Box::new(video::run_job(self, args, &attempt)?),
                blender: self.program(BLENDER, args.render.blender.as_deref())?,
                ffmpeg: self.program(FFMPEG, args.stitch.ffmpeg.as_deref())?,
                ffprobe: self.program(FFPROBE, args.stitch.ffprobe.as_deref())?,
            },
            Action::Render(args) => JobRequest::Render {
                job: Box::new(self.render_job(args, &attempt)?),
                blender: self.program(BLENDER, args.options.blender.as_deref())?,
            },
            Action::Stitch(args) => JobRequest::Stitch {
                job: Box::new(video::stitch_job(self, args)?),
                ffmpeg: self.program(FFMPEG, args.options.ffmpeg.as_deref())?,
                ffprobe: self.program(FFPROBE, args.options.ffprobe.as_deref())?,
            },
            Action::Serve(args) => JobRequest::Serve(serve::serve_job(self, args)?),
            Action::Bake(args) => JobRequest::Bake {
                job: self.bake_job(args)?,
                blender: self.program(BLENDER, args.blender.as_deref())?,
            },
            Action::Pack(args) => JobRequest::Pack {
                job: pack::pack_job(self, args)?,
                blender: self.program(BLENDER, args.packing.blender.as_deref())?,
            },
            Action::Inspect(args) => {
                let job = self.inspect_job(args)?;
                let nobody = Resolver { environment: &Environment::default() };
                let settings = if job.deep.is_some() { self } else { &nobody };
                JobRequest::Inspect {
                    job,
                    blender: settings.program(BLENDER, args.blender.as_deref())?,
                }
            }
            Action::Doctor(args) => JobRequest::Doctor {
                job: self.doctor_job(args)?,
                blender: self.program(BLENDER, args.blender.as_deref())?,
                ffmpeg: self.program(FFMPEG, args.ffmpeg.as_deref())?,
                ffprobe: self.program(FFPROBE, args.ffprobe.as_deref())?,
            },
            Action::Submit(args) => JobRequest::Submit {
                job: Box::new(farm::submit_job(self, args)?),
                blender: self.program(BLENDER, args.packing.blender.as_deref())?,
            },
            Action::Status(args) => JobRequest::Status(farm::status_job(self, args)?),
            Action::Cancel(args) => JobRequest::Cancel(farm::job_id(&args.job)?),
            Action::Retry(args) => JobRequest::Retry(farm::retry_job(self, args)?),
            Action::Logs(args) => JobRequest::Logs(farm::logs_job(args)?),
        };
        // Subcommands that run no program ignore the variables of those that do.
        let (nothing, nobody) = (ProgramArgs::default(), Environment::default());
        let (common, settings) = match action.programs() {
            Some(common) => (common, self),
            None if request.has_sandbox() => (&nothing, self),
            None => (&nothing, &Resolver { environment: &nobody }),
        };
        let sandbox = action.sandbox().unwrap_or(&common.sandbox);
        let (store, log) = action.general();
        let log_level = LOG_LEVEL.value(log.log_level.as_deref(), env)?;
        Ok(Command {
            provenance: provenance(env),
            search_path: env.text("PATH")?.map(str::to_owned),
            transfers: Transfers {
                attempts: self.number("AWS_MAX_ATTEMPTS")?.and_then(NonZeroU32::new),
                requester_pays: self.requester_pays(store)?,
                ..settings.transfers(common)?
            },
            sorted: self.sorted(action)?,
            metrics: settings.metrics(common, &attempt)?,
            scratch_dir: settings.folder(SCRATCH_DIR, sandbox.scratch_dir.as_deref())?,
            confinement: settings.confinement(sandbox)?,
            stop_grace: STOP_GRACE
                .value_or_default(common.stop_grace.as_deref(), settings.environment)?,
            // Subcommands that only print lose nothing with the instance.
            asks_instance: request.runs_programs()
                && !env
                    .get("AWS_EC2_METADATA_DISABLED")
                    .is_some_and(|disabled| disabled.eq_ignore_ascii_case("true")),
            limits: limits::resolve(action, common, settings.environment)?,
            attempt,
            log_format: LOG_FORMAT.value(log.log_format.as_deref(), env)?,
            // Where the output is the result, the log only has what went wrong.
            log_level: log_level.unwrap_or(if request.answers() {
                LogLevel::WARN
            } else {
                LogLevel::default()
            }),
            notify: self.notify(action, &request)?,
            action: request,
        })
    }

    /// A folder on this machine.
    pub(super) fn folder(
        &self,
        setting: Setting,
        flag: Option<&str>,
    ) -> Result<Option<PathBuf>, UsageError> {
        match setting.value(flag, self.environment)? {
            None => Ok(None),
            Some(Location::Local(path)) => Ok(Some(path)),
            Some(elsewhere @ Location::S3 { .. }) => Err(setting
                .refuse(format_args!("`{elsewhere}` is on S3; give a folder on this machine"))),
        }
    }

    /// The frames of `--frames`, if they were not given in ascending order.
    fn sorted(&self, action: &Action) -> Result<Option<FrameSet>, UsageError> {
        let work = match action {
            Action::Run(args) => &args.common.work,
            Action::Render(args) => &args.common.work,
            Action::Stitch(args) => &args.common.work,
            Action::Submit(args) => &args.work,
            Action::Serve(_)
            | Action::Bake(_)
            | Action::Pack(_)
            | Action::Inspect(_)
            | Action::Doctor(_)
            | Action::Status(_)
            | Action::Cancel(_)
            | Action::Retry(_)
            | Action::Logs(_) => return Ok(None),
        };
        let (flag, env) = (work.frames.as_deref(), self.environment);
        let text: Option<String> = FRAMES.value(flag, env)?;
        if text.is_none_or(|text| is_ascending(&text)) { Ok(None) } else { FRAMES.value(flag, env) }
    }

    fn metrics(
        &self,
        common: &ProgramArgs,
        attempt: &Attempt,
    ) -> Result<Option<Metrics>, UsageError> {
        let env = self.environment;
        let format = METRICS.value(common.metrics.as_deref(), env)?;
        let wanted = match format {
            Some(MetricsFormat::Emf) => true,
            Some(MetricsFormat::Off) => false,
            None => attempt.is_on_batch(),
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

    fn transfers(&self, common: &ProgramArgs) -> Result<Transfers, UsageError> {
        let env = self.environment;
        Ok(Transfers {
            attempts: None,
            requester_pays: false,
            at_once: MAX_TRANSFERS.value_or_default(common.max_transfers.as_deref(), env)?,
            upload_buffer: UPLOAD_BUFFER.value_or_default(common.upload_buffer.as_deref(), env)?,
        })
    }

    fn confinement(&self, args: &SandboxArgs) -> Result<Confinement, UsageError> {
        let env = self.environment;
        let all =
            |given: &[String], separator: &str| (!given.is_empty()).then(|| given.join(separator));
        let paths = all(&args.allow_read, ":");
        let Paths(paths) = ALLOW_READ.value(paths.as_deref(), env)?.unwrap_or_default();
        let names = all(&args.pass_env, ",");
        let VariableNames(passed) = PASS_ENV.value(names.as_deref(), env)?.unwrap_or_default();
        let environment = children::environment(env, &passed)?;
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        let mut readable: Vec<_> = paths.into_iter().map(absolute).collect();
        readable.extend(children::named_paths(&environment));
        let sandbox = SANDBOX.value_or_default(args.sandbox.as_deref(), env)?;
        Ok(Confinement { environment, passed, readable, sandbox })
    }
}

/// The origin of the image, from the variables that it sets.
pub fn provenance(environment: &Environment) -> Provenance {
    let told = |variable| environment.get(variable).map(str::to_owned);
    Provenance::new(Image {
        version: told("RENDER_WORKER_VERSION"),
        revision: told("RENDER_WORKER_REVISION"),
        branch: told("RENDER_WORKER_BRANCH"),
        created: told("RENDER_WORKER_CREATED"),
    })
}

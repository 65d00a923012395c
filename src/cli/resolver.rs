//! From what was given to what was meant: flags, or the variables behind them, become the
//! values of a [`Command`].

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use super::args::{
    Action, CommonArgs, InspectArgs, RenderArgs, SceneArgs, StitchArgs, StoreArgs, VideoArgs,
    WorkArgs,
};
use super::settings::{Environment, Setting, Switch, UsageError};
use super::{Command, JobRequest, batch, children, limits};
use crate::provenance::{Image, Provenance};
use crate::request::{
    AllowMissing, ArrayPosition, Attempt, ByteSize, Codec, Confinement, Engine, FirstFrame,
    FrameSelection, FrameSet, FramesPerJob, InspectJob, Location, Metrics, MetricsFormat,
    OutputName, Paths, RenderJob, RequestPayer, SequenceSelection, StartJitter, StitchJob,
    TotalFrames, Transfers, VariableNames, VideoSettings, is_ascending,
};
use crate::telemetry::logging::LogLevel;

pub(super) const INPUT_URI: Setting = Setting { flag: "--input-uri", variable: "INPUT_URI" };
pub(super) const OUTPUT_URI: Setting = Setting { flag: "--output-uri", variable: "OUTPUT_URI" };
pub(super) const FRAMES_PER_JOB: Setting =
    Setting { flag: "--frames-per-job", variable: "F_PER_JOB" };
pub(super) const TOTAL_FRAMES: Setting =
    Setting { flag: "--total-frames", variable: "TOTAL_FRAMES" };
pub(super) const FIRST_FRAME: Setting = Setting { flag: "--first-frame", variable: "FIRST_FRAME" };
pub(super) const FRAMES: Setting = Setting { flag: "--frames", variable: "FRAMES" };
const SCRATCH_DIR: Setting = Setting { flag: "--scratch-dir", variable: "SCRATCH_DIR" };
const SANDBOX: Setting = Setting { flag: "--sandbox", variable: "SANDBOX" };
const ALLOW_READ: Setting = Setting { flag: "--allow-read", variable: "ALLOW_READ" };
const PASS_ENV: Setting = Setting { flag: "--pass-env", variable: "PASS_ENV" };
const STOP_GRACE: Setting = Setting { flag: "--stop-grace", variable: "STOP_GRACE" };
pub(super) const LOG_FORMAT: Setting = Setting { flag: "--log-format", variable: "LOG_FORMAT" };
const METRICS: Setting = Setting { flag: "--metrics", variable: "METRICS" };
const LOG_LEVEL: Setting = Setting { flag: "--log-level", variable: "LOG_LEVEL" };
const ENGINE: Setting = Setting { flag: "--engine", variable: "ENGINE" };
const CYCLES_DEVICE: Setting = Setting { flag: "--cycles-device", variable: "CYCLES_DEVICE" };
pub(super) const DENOISE: Setting = Setting { flag: "--denoise", variable: "DENOISE" };
pub(super) const ALLOW_MISSING: Setting =
    Setting { flag: "--allow-missing", variable: "ALLOW_MISSING" };
pub(super) const BLENDER_VERSION: Setting =
    Setting { flag: "--blender-version", variable: "BLENDER_VERSION" };
const ENABLE_AUTOEXEC: Setting = Setting { flag: "--enable-autoexec", variable: "ENABLE_AUTOEXEC" };
const MAX_BACKLOG: Setting = Setting { flag: "--max-backlog", variable: "MAX_BACKLOG" };
const MAX_TRANSFERS: Setting = Setting { flag: "--max-transfers", variable: "MAX_TRANSFERS" };
const UPLOAD_BUFFER: Setting = Setting { flag: "--upload-buffer", variable: "UPLOAD_BUFFER" };
pub(super) const REQUEST_PAYER: Setting =
    Setting { flag: "--request-payer", variable: "REQUEST_PAYER" };
const MAX_PREFETCH: Setting = Setting { flag: "--max-prefetch", variable: "MAX_PREFETCH" };
const NO_RESUME: Setting = Setting { flag: "--no-resume", variable: "NO_RESUME" };
const START_JITTER: Setting = Setting { flag: "--start-jitter", variable: "START_JITTER" };
const BLENDER: Setting = Setting { flag: "--blender", variable: "BLENDER" };
pub(super) const FPS: Setting = Setting { flag: "--fps", variable: "FPS" };
pub(super) const CODEC: Setting = Setting { flag: "--codec", variable: "CODEC" };
pub(super) const CRF: Setting = Setting { flag: "--crf", variable: "CRF" };
pub(super) const PRESET: Setting = Setting { flag: "--preset", variable: "PRESET" };
pub(super) const OUTPUT_NAME: Setting = Setting { flag: "--output-name", variable: "OUTPUT_NAME" };
pub(super) const ALLOW_GAPS: Setting = Setting { flag: "--allow-gaps", variable: "ALLOW_GAPS" };
const FFMPEG: Setting = Setting { flag: "--ffmpeg", variable: "FFMPEG" };
const FFPROBE: Setting = Setting { flag: "--ffprobe", variable: "FFPROBE" };

/// Fills in variables and validates.
pub(super) struct Resolver<'a> {
    pub environment: &'a Environment,
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

    pub fn requester_pays(&self, store: &StoreArgs) -> Result<bool, UsageError> {
        let payer: Option<RequestPayer> =
            REQUEST_PAYER.value(store.request_payer.as_deref(), self.environment)?;
        Ok(payer.is_some())
    }

    fn render_job(&self, args: &RenderArgs, attempt: &Attempt) -> Result<RenderJob, UsageError> {
        let env = self.environment;
        let (scene, output) = self.locations(&args.common.work)?;
        is_file(&scene)?;
        Ok(RenderJob {
            scene,
            output,
            frames: self.frame_selection(&args.common.work, attempt.array)?,
            engine: ENGINE
                .value(args.engine.as_deref(), env)?
                .unwrap_or_else(|| Engine::Named("CYCLES".to_owned())),
            cycles_device: CYCLES_DEVICE.value(args.cycles_device.as_deref(), env)?,
            denoise: DENOISE.value(args.scene.denoise.as_deref(), env)?.unwrap_or_default(),
            allow_missing: self.allow_missing(&args.scene)?,
            enable_autoexec: self.switch(ENABLE_AUTOEXEC, args.enable_autoexec)?,
            max_backlog: MAX_BACKLOG
                .value(args.max_backlog.as_deref(), env)?
                .unwrap_or(ByteSize::gib(1)),
            resume: !self.switch(NO_RESUME, args.no_resume)?,
            start_jitter: START_JITTER
                .value(args.start_jitter.as_deref(), env)?
                .unwrap_or_else(|| StartJitter::of_array(attempt.array)),
        })
    }

    /// What a scene may lack.
    pub fn allow_missing(&self, args: &SceneArgs) -> Result<AllowMissing, UsageError> {
        let given = (!args.allow_missing.is_empty()).then(|| args.allow_missing.join(","));
        Ok(ALLOW_MISSING.value(given.as_deref(), self.environment)?.unwrap_or_default())
    }

    fn stitch_job(&self, args: &StitchArgs) -> Result<StitchJob, UsageError> {
        let env = self.environment;
        let (input, output) = self.locations(&args.common.work)?;
        Ok(StitchJob {
            input,
            output,
            frames: self.sequence_selection(&args.common.work)?,
            allow_gaps: self.switch(ALLOW_GAPS, args.video.allow_gaps)?,
            max_prefetch: MAX_PREFETCH
                .value(args.max_prefetch.as_deref(), env)?
                .unwrap_or(ByteSize::mib(64)),
            video: self.video_settings(&args.video)?,
        })
    }

    fn video_settings(&self, args: &VideoArgs) -> Result<VideoSettings, UsageError> {
        let env = self.environment;
        let codec: Codec = CODEC.value(args.codec.as_deref(), env)?.unwrap_or_default();
        let name: Option<String> = OUTPUT_NAME.value(args.output_name.as_deref(), env)?;
        let name = match name {
            None => OutputName::default_for(codec),
            Some(name) => {
                OutputName::new(&name, codec).map_err(|error| OUTPUT_NAME.refuse(error))?
            }
        };
        let video = VideoSettings {
            codec,
            crf: CRF.value(args.crf.as_deref(), env)?,
            preset: PRESET.value(args.preset.as_deref(), env)?,
            fps: FPS.value(args.fps.as_deref(), env)?,
            name,
        };
        for (setting, given) in [(CRF, video.crf.is_some()), (PRESET, video.preset.is_some())] {
            if given && !codec.has_rate_factor() {
                return Err(setting.refuse(format_args!(
                    "means nothing to {CODEC} {codec}; leave one of them out"
                )));
            }
        }
        Ok(video)
    }

    fn inspect_job(&self, args: &InspectArgs) -> Result<InspectJob, UsageError> {
        let env = self.environment;
        let scene = INPUT_URI.required(args.input_uri.as_deref(), env)?;
        is_file(&scene)?;
        let frames_per_job = FRAMES_PER_JOB.value(args.frames_per_job.as_deref(), env)?;
        let renderer = BLENDER_VERSION.value(args.renderer.blender_version.as_deref(), env)?;
        Ok(InspectJob { scene, frames_per_job, renderer, json: args.json })
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

    pub fn locations(&self, work: &WorkArgs) -> Result<(Location, Location), UsageError> {
        let input = INPUT_URI.required(work.input_uri.as_deref(), self.environment)?;
        let output = OUTPUT_URI.required(work.output_uri.as_deref(), self.environment)?;
        Ok((input, output))
    }

    /// Which frames `render` is to render.
    fn frame_selection(
        &self,
        work: &WorkArgs,
        array: Option<ArrayPosition>,
    ) -> Result<FrameSelection, UsageError> {
        let per_job = FRAMES_PER_JOB.value(work.frames_per_job.as_deref(), self.environment)?;
        let (frames, first, total) = self.frame_settings(work)?;
        match (frames, per_job, array) {
            (Some(frames), _, None) => Ok(FrameSelection::Exactly(frames)),
            (Some(frames), Some(per_job), Some(array)) => {
                Ok(FrameSelection::PartOf { frames, per_job, array })
            }
            (Some(_), None, Some(_)) => Err(FRAMES.refuse(format_args!(
                "every child of this array job would render the same frames; \
                 say with {FRAMES_PER_JOB} how many of them each takes"
            ))),
            (None, None, _) => Err(FRAMES_PER_JOB
                .refuse(format_args!("is required and not set, unless {FRAMES} names the frames"))),
            (None, Some(per_job), array) => Ok(FrameSelection::Slice {
                per_job,
                array,
                first: first.unwrap_or(FirstFrame::DEFAULT),
                total,
            }),
        }
    }

    /// Which frames `stitch` must find.
    fn sequence_selection(&self, work: &WorkArgs) -> Result<SequenceSelection, UsageError> {
        // Not used here, but a value that render would refuse is refused.
        let _: Option<FramesPerJob> =
            FRAMES_PER_JOB.value(work.frames_per_job.as_deref(), self.environment)?;
        let (frames, first, total) = self.frame_settings(work)?;
        Ok(match frames {
            Some(frames) => SequenceSelection::Exactly(frames),
            None => SequenceSelection::Range { first, total },
        })
    }

    /// The frames that are named one by one, or else where the animation begins and how
    /// many frames it has.
    #[expect(clippy::type_complexity, reason = "three settings, each given or not")]
    pub fn frame_settings(
        &self,
        work: &WorkArgs,
    ) -> Result<(Option<FrameSet>, Option<FirstFrame>, Option<TotalFrames>), UsageError> {
        let env = self.environment;
        let frames: Option<FrameSet> = FRAMES.value(work.frames.as_deref(), env)?;
        let first = FIRST_FRAME.value(work.first_frame.as_deref(), env)?;
        let total = TOTAL_FRAMES.value(work.total_frames.as_deref(), env)?;
        for (setting, given) in [(FIRST_FRAME, first.is_some()), (TOTAL_FRAMES, total.is_some())] {
            if frames.is_some() && given {
                return Err(FRAMES.refuse(format_args!("contradicts {setting}; give one of them")));
            }
        }
        Ok((frames, first, total))
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

    fn number(&self, variable: &str) -> Result<Option<u32>, UsageError> {
        let Some(text) = self.environment.get(variable) else {
            return Ok(None);
        };
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse().ok().filter(|_| digits);
        number.map(Some).ok_or_else(|| {
            UsageError(format!("{variable}: `{text}` is refused; it must be a whole number"))
        })
    }

    /// A flag without a value, whose variable says yes or no.
    pub fn switch(&self, setting: Setting, flag: bool) -> Result<bool, UsageError> {
        let variable: Option<Switch> = setting.value(None, self.environment)?;
        Ok(flag || variable.is_some_and(|Switch(on)| on))
    }

    fn program(
        &self,
        setting: Setting,
        flag: Option<&str>,
        name: &str,
    ) -> Result<PathBuf, UsageError> {
        let given = setting.value::<NonEmpty>(flag, self.environment)?;
        Ok(given.map_or_else(|| name.into(), |NonEmpty(path)| path.into()))
    }
}

/// Whether `scene` can be a scene file.
pub(super) fn is_file(scene: &Location) -> Result<(), UsageError> {
    if scene.is_root() {
        return Err(
            INPUT_URI.refuse(format_args!("`{scene}` is a bucket; name the .blend file in it"))
        );
    }
    Ok(())
}

struct NonEmpty(String);

impl FromStr for NonEmpty {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            Err("is empty; leave it out or give a value")
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

/// What the image says of itself.
pub(super) fn provenance(environment: &Environment) -> Provenance {
    let told = |variable| environment.get(variable).map(str::to_owned);
    Provenance::new(Image {
        version: told("RENDER_WORKER_VERSION"),
        revision: told("RENDER_WORKER_REVISION"),
        branch: told("RENDER_WORKER_BRANCH"),
        created: told("RENDER_WORKER_CREATED"),
    })
}

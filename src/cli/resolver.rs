//! The requests of `render`, `stitch` and `inspect`, from flags and variables.

use std::path::PathBuf;
use std::str::FromStr;

use super::args::{InspectArgs, RenderArgs, SceneArgs, StitchArgs, StoreArgs, VideoArgs, WorkArgs};
use super::names::{
    ALLOW_GAPS, ALLOW_MISSING, BLENDER_VERSION, CODEC, CRF, CYCLES_DEVICE, DENOISE,
    ENABLE_AUTOEXEC, ENGINE, FIRST_FRAME, FPS, FRAMES, FRAMES_PER_JOB, INPUT_URI, MAX_BACKLOG,
    MAX_PREFETCH, NO_RESUME, OUTPUT_NAME, OUTPUT_URI, PRESET, REQUEST_PAYER, START_JITTER,
    TOTAL_FRAMES,
};
use super::setting::{Environment, Setting, Switch, UsageError};
use crate::request::{
    AllowMissing, ArrayPosition, Attempt, Codec, FirstFrame, FrameSelection, FrameSet,
    FramesPerJob, InspectJob, Location, OutputName, RenderJob, RequestPayer, SequenceSelection,
    StartJitter, StitchJob, TotalFrames, VideoSettings,
};

/// Takes each setting from its flag or its variable, and validates it.
pub(super) struct Resolver<'a> {
    pub environment: &'a Environment,
}

impl Resolver<'_> {
    pub fn requester_pays(&self, store: &StoreArgs) -> Result<bool, UsageError> {
        let payer: Option<RequestPayer> =
            REQUEST_PAYER.value(store.request_payer.as_deref(), self.environment)?;
        Ok(payer.is_some())
    }

    pub fn render_job(
        &self,
        args: &RenderArgs,
        attempt: &Attempt,
    ) -> Result<RenderJob, UsageError> {
        let env = self.environment;
        let (scene, output) = self.locations(&args.common.work)?;
        is_file(&scene)?;
        Ok(RenderJob {
            scene,
            output,
            frames: self.frame_selection(&args.common.work, attempt.array)?,
            engine: ENGINE.value_or_default(args.engine.as_deref(), env)?,
            cycles_device: CYCLES_DEVICE.value(args.cycles_device.as_deref(), env)?,
            denoise: DENOISE.value_or_default(args.scene.denoise.as_deref(), env)?,
            allow_missing: self.allow_missing(&args.scene)?,
            enable_autoexec: self.switch(ENABLE_AUTOEXEC, args.enable_autoexec)?,
            max_backlog: MAX_BACKLOG.value_or_default(args.max_backlog.as_deref(), env)?,
            resume: !self.switch(NO_RESUME, args.no_resume)?,
            start_jitter: START_JITTER
                .value(args.start_jitter.as_deref(), env)?
                .unwrap_or_else(|| StartJitter::of_array(attempt.array)),
        })
    }

    /// The features that a scene may lack.
    pub fn allow_missing(&self, args: &SceneArgs) -> Result<AllowMissing, UsageError> {
        let given = (!args.allow_missing.is_empty()).then(|| args.allow_missing.join(","));
        Ok(ALLOW_MISSING.value(given.as_deref(), self.environment)?.unwrap_or_default())
    }

    pub fn stitch_job(&self, args: &StitchArgs) -> Result<StitchJob, UsageError> {
        let env = self.environment;
        let (input, output) = self.locations(&args.common.work)?;
        Ok(StitchJob {
            input,
            output,
            frames: self.sequence_selection(&args.common.work)?,
            allow_gaps: self.switch(ALLOW_GAPS, args.video.allow_gaps)?,
            max_prefetch: MAX_PREFETCH.value_or_default(args.max_prefetch.as_deref(), env)?,
            video: self.video_settings(&args.video)?,
        })
    }

    fn video_settings(&self, args: &VideoArgs) -> Result<VideoSettings, UsageError> {
        let env = self.environment;
        let codec: Codec = CODEC.value_or_default(args.codec.as_deref(), env)?;
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

    pub fn inspect_job(&self, args: &InspectArgs) -> Result<InspectJob, UsageError> {
        let env = self.environment;
        let scene = INPUT_URI.value_or_default(args.input_uri.as_deref(), env)?;
        is_file(&scene)?;
        let frames_per_job = FRAMES_PER_JOB.value(args.frames_per_job.as_deref(), env)?;
        let renderer = BLENDER_VERSION.value(args.renderer.blender_version.as_deref(), env)?;
        Ok(InspectJob { scene, frames_per_job, renderer, json: args.json })
    }

    pub fn locations(&self, work: &WorkArgs) -> Result<(Location, Location), UsageError> {
        let input = INPUT_URI.value_or_default(work.input_uri.as_deref(), self.environment)?;
        let output = OUTPUT_URI.value_or_default(work.output_uri.as_deref(), self.environment)?;
        Ok((input, output))
    }

    /// The frames that `render` renders.
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

    /// The frames that `stitch` requires.
    fn sequence_selection(&self, work: &WorkArgs) -> Result<SequenceSelection, UsageError> {
        // stitch ignores the value, but refuses what render would refuse.
        let _: Option<FramesPerJob> =
            FRAMES_PER_JOB.value(work.frames_per_job.as_deref(), self.environment)?;
        let (frames, first, total) = self.frame_settings(work)?;
        Ok(match frames {
            Some(frames) => SequenceSelection::Exactly(frames),
            None => SequenceSelection::Range { first, total },
        })
    }

    /// The frames of `--frames`, or else the first frame and the number of frames.
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

    pub fn number(&self, variable: &str) -> Result<Option<u32>, UsageError> {
        let Some(text) = self.environment.get(variable) else {
            return Ok(None);
        };
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse().ok().filter(|_| digits);
        number.map(Some).ok_or_else(|| {
            UsageError(format!("{variable}: `{text}` is refused; it must be a whole number"))
        })
    }

    /// A flag without a value, whose variable is true or false.
    pub fn switch(&self, setting: Setting, flag: bool) -> Result<bool, UsageError> {
        let Switch(on) = setting.value_or_default(None, self.environment)?;
        Ok(flag || on)
    }

    pub fn program(&self, setting: Setting, flag: Option<&str>) -> Result<PathBuf, UsageError> {
        let NonEmpty(path) = setting.value_or_default(flag, self.environment)?;
        Ok(path.into())
    }
}

/// Refuses a location that cannot be a scene file.
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

//! The requests of `render` and `inspect`, from flags and variables.

mod attempt;
pub(super) mod children;
pub(super) mod farm;
pub(super) mod limits;
mod notify;
mod overrides;
pub(super) mod pack;
pub(super) mod serve;
mod user_code;
pub(super) mod video;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use crate::archive::ArchiveFormat;
use crate::cli::args::{
    BakeArgs, DoctorArgs, InspectArgs, MainArgs, PreviewArgs, RenderArgs, RenderOptions, SceneArgs,
    StoreArgs, WorkArgs,
};
use crate::cli::names::{
    ALLOW_MISSING, ALLOW_UNBAKED, BLENDER_VERSION, CACHE_DIR, CACHE_SIZE, CYCLES_DEVICE,
    ENABLE_AUTOEXEC, ENGINE, FIRST_FRAME, FRAMES, FRAMES_PER_JOB, GPUS_PER_PROCESS, INPUT_URI,
    MAIN, MAX_BACKLOG, MISSING_FILES, NO_PREVIEWS, NO_RESUME, ORDER, OUTPUT_URI, PREVIEW,
    PROCESSES, REQUEST_PAYER, SIMULATE, START_JITTER, STRICT, STRIDE, TOTAL_FRAMES,
};
use crate::cli::setting::{Environment, Setting, Switch, UsageError};
use crate::request::{
    AllowMissing, AnimationRange, ArrayPosition, Attempt, BakeJob, ByteSize, Cameras, DoctorJob,
    Engine, FirstFrame, FrameOrder, FrameSelection, FrameSet, InspectJob, Location, MissingFiles,
    OutputName, Processes, ProjectPath, RenderJob, RenderOverrides, RequestPayer, StartJitter,
    TotalFrames, Unbaked, UserCode,
};

/// Variables or tags: their names and values.
type Variables = BTreeMap<String, String>;

/// The engine of `render` where none is given, as in the reference script.
const ENGINE_OF_THE_REFERENCE: &str = "CYCLES";

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
        let RenderArgs { common, preview, options, .. } = args;
        let frames = match STRIDE.value(args.stride.as_deref(), self.environment)? {
            Some(stride) => self.dealt(&common.work, stride, attempt.array)?,
            None => self.frame_selection(&common.work, attempt.array, None)?,
        };
        let engine = Engine::Named(ENGINE_OF_THE_REFERENCE.to_owned());
        self.rendering(&common.work, preview, options, attempt, frames, engine)
    }

    /// The rendering that `render` and `run` do. `engine` is the one that applies if none is given.
    pub fn rendering(
        &self,
        work: &WorkArgs,
        preview: &PreviewArgs,
        options: &RenderOptions,
        attempt: &Attempt,
        frames: FrameSelection,
        engine: Engine,
    ) -> Result<RenderJob, UsageError> {
        let env = self.environment;
        let (scene, output) = self.locations(work)?;
        is_file(&scene)?;
        let main = self.main(&options.scene.main, &scene)?;
        is_folder(&output)?;
        let no_previews = self.switch(NO_PREVIEWS, preview.no_previews)?;
        let preview = self.switch(PREVIEW, preview.preview)?;
        let overrides = self.overrides(&options.scene.overrides, engine, preview)?;
        Ok(RenderJob {
            scene,
            main,
            output: if preview { output.of_preview() } else { output },
            frames,
            order: ORDER.value_or_default(options.scene.order.as_deref(), env)?,
            settings: self.settings(options, &overrides.engine, preview)?,
            overrides,
            processes: self.processes(options)?,
            cache_dir: self.folder(CACHE_DIR, options.cache_dir.as_deref())?,
            cache_size: CACHE_SIZE.value_or_default(options.cache_size.as_deref(), env)?,
            cameras: self.cameras(&options.scene.overrides)?,
            cycles_device: CYCLES_DEVICE.value(options.cycles_device.as_deref(), env)?,
            allow_missing: self.allow_missing(&options.scene)?,
            user_code: self.user_code(&options.scene.user_code)?,
            missing_files: MISSING_FILES
                .value_or_default(options.scene.missing_files.as_deref(), env)?,
            strict: self.switch(STRICT, options.strict)?,
            unbaked: self.unbaked(&options.scene)?,
            enable_autoexec: self.switch(ENABLE_AUTOEXEC, options.enable_autoexec)?,
            max_backlog: MAX_BACKLOG.value_or_default(options.max_backlog.as_deref(), env)?,
            resume: !self.switch(NO_RESUME, options.no_resume)?,
            previews: !no_previews,
            start_jitter: START_JITTER
                .value(options.start_jitter.as_deref(), env)?
                .unwrap_or_else(|| StartJitter::of_array(attempt.array)),
        })
    }

    fn processes(&self, options: &RenderOptions) -> Result<Processes, UsageError> {
        let env = self.environment;
        let number = PROCESSES.value(options.processes.as_deref(), env)?;
        let gpus = GPUS_PER_PROCESS.value(options.gpus_per_process.as_deref(), env)?;
        match (number, gpus) {
            (Some(_), Some(_)) => {
                Err(PROCESSES
                    .refuse(format_args!("contradicts {GPUS_PER_PROCESS}; give one of them")))
            }
            (Some(number), None) => Ok(Processes::Number(number)),
            (None, Some(gpus)) => Ok(Processes::ForGpus(gpus)),
            (None, None) => Ok(Processes::default()),
        }
    }

    /// The features that a scene may lack.
    pub fn allow_missing(&self, args: &SceneArgs) -> Result<AllowMissing, UsageError> {
        let given = (!args.allow_missing.is_empty()).then(|| args.allow_missing.join(","));
        Ok(ALLOW_MISSING.value(given.as_deref(), self.environment)?.unwrap_or_default())
    }

    /// The scene file in `scene`, an archive or a folder.
    pub fn main(
        &self,
        args: &MainArgs,
        scene: &Location,
    ) -> Result<Option<ProjectPath>, UsageError> {
        let main: Option<ProjectPath> = MAIN.value(args.main.as_deref(), self.environment)?;
        let name = scene.split().map_or("", |(_, name)| name);
        let is_archive = ArchiveFormat::of_name(name).is_some();
        if main.is_none() || is_archive {
            return Ok(main);
        }
        if scene.is_manifest() || name.to_lowercase().ends_with(".blend") {
            return Err(MAIN.refuse(format_args!(
                "names a file in an archive or a folder, and `{scene}` is neither; leave it out"
            )));
        }
        Ok(main)
    }

    /// The settings about the scene that are given, as variables for jobs that get no flags.
    pub fn given_about_scene(&self, args: &SceneArgs) -> Result<Variables, UsageError> {
        let allowed = (!args.allow_missing.is_empty()).then(|| args.allow_missing.join(","));
        let others = [
            (ALLOW_MISSING, allowed),
            (MISSING_FILES, args.missing_files.clone()),
            (ORDER, args.order.clone()),
            (MAIN, args.main.main.clone()),
        ];
        let mut variables = Variables::new();
        for (setting, flag) in overrides::as_variables(&args.overrides)
            .into_iter()
            .chain(user_code::as_variables(&args.user_code))
            .chain(others)
        {
            let text: Option<String> = setting.value(flag.as_deref(), self.environment)?;
            variables.extend(text.map(|text| (setting.variable.to_owned(), text)));
        }
        let unbaked = match self.unbaked(args)? {
            Unbaked::Refuse => None,
            Unbaked::Simulate => Some(SIMULATE),
            Unbaked::Allow => Some(ALLOW_UNBAKED),
        };
        variables.extend(unbaked.map(|it| (it.variable.to_owned(), "true".to_owned())));
        Ok(variables)
    }

    /// What the frames are rendered with, as the variables of a job that renders more of them.
    fn settings(
        &self,
        options: &RenderOptions,
        engine: &Engine,
        preview: bool,
    ) -> Result<Variables, UsageError> {
        let mut settings = self.given_about_scene(&options.scene)?;
        // That job may read the scene from another place.
        settings.remove(MAIN.variable);
        settings.insert(ENGINE.variable.to_owned(), engine.to_string());
        for (setting, on) in [
            (PREVIEW, preview),
            (STRICT, self.switch(STRICT, options.strict)?),
            (ENABLE_AUTOEXEC, self.switch(ENABLE_AUTOEXEC, options.enable_autoexec)?),
        ] {
            if on {
                settings.insert(setting.variable.to_owned(), "true".to_owned());
            }
        }
        Ok(settings)
    }

    /// What to do about simulations that are not baked.
    pub fn unbaked(&self, args: &SceneArgs) -> Result<Unbaked, UsageError> {
        let simulate = self.switch(SIMULATE, args.simulate)?;
        match (simulate, self.switch(ALLOW_UNBAKED, args.allow_unbaked)?) {
            (false, false) => Ok(Unbaked::Refuse),
            (true, false) => Ok(Unbaked::Simulate),
            (false, true) => Ok(Unbaked::Allow),
            (true, true) => {
                Err(SIMULATE.refuse(format_args!("contradicts {ALLOW_UNBAKED}; give one of them")))
            }
        }
    }

    pub fn inspect_job(&self, args: &InspectArgs) -> Result<InspectJob, UsageError> {
        let env = self.environment;
        let scene = INPUT_URI.value_or_default(args.input_uri.as_deref(), env)?;
        is_file(&scene)?;
        let main = self.main(&args.main, &scene)?;
        let frames_per_job = FRAMES_PER_JOB.value(args.frames_per_job.as_deref(), env)?;
        let renderer = BLENDER_VERSION.value(args.renderer.blender_version.as_deref(), env)?;
        let deep = args.deep.then(|| Box::new(described(&scene, main.clone())));
        Ok(InspectJob { scene, main, frames_per_job, renderer, deep, json: args.json })
    }

    pub fn doctor_job(&self, args: &DoctorArgs) -> Result<DoctorJob, UsageError> {
        let env = self.environment;
        let scene: Option<Location> = INPUT_URI.value(args.input_uri.as_deref(), env)?;
        scene.as_ref().map(is_file).transpose()?;
        let output: Option<Location> = OUTPUT_URI.value(args.output_uri.as_deref(), env)?;
        output.as_ref().map(is_folder).transpose()?;
        let cache_dir = self.folder(CACHE_DIR, args.cache_dir.as_deref())?;
        Ok(DoctorJob { scene, output, cache_dir, json: args.json })
    }

    pub fn bake_job(&self, args: &BakeArgs) -> Result<BakeJob, UsageError> {
        let env = self.environment;
        let scene: Location = INPUT_URI.value_or_default(args.input_uri.as_deref(), env)?;
        is_file(&scene)?;
        let beside = || scene.split().map(|(folder, name)| folder.join(&BakeJob::baked_name(name)));
        let output: Option<Location> = OUTPUT_URI.value(args.output_uri.as_deref(), env)?;
        let output = output.or_else(beside);
        let output = output.ok_or_else(|| OUTPUT_URI.refuse("is required and not set"))?;
        if output.split().is_none_or(|(_, name)| name.strip_suffix(".blend").is_none()) {
            return Err(OUTPUT_URI.refuse(format_args!(
                "`{output}` is not the name of a .blend file; give one, or leave it out for a file \
                 beside the scene"
            )));
        }
        if output == scene {
            return Err(OUTPUT_URI.refuse("is the scene itself, which bake does not change"));
        }
        let enable_autoexec = self.switch(ENABLE_AUTOEXEC, args.enable_autoexec)?;
        let missing_files = MISSING_FILES.value_or_default(args.missing_files.as_deref(), env)?;
        Ok(BakeJob { scene, output, missing_files, enable_autoexec })
    }

    pub fn locations(&self, work: &WorkArgs) -> Result<(Location, Location), UsageError> {
        let input = INPUT_URI.value_or_default(work.input_uri.as_deref(), self.environment)?;
        let output = OUTPUT_URI.value_or_default(work.output_uri.as_deref(), self.environment)?;
        Ok((input, output))
    }

    /// The frames that are rendered. `start` is where they begin if nothing says so; `None` is frame
    /// 1, as in the reference script, or for a whole animation the scene's first frame.
    pub fn frame_selection(
        &self,
        work: &WorkArgs,
        array: Option<ArrayPosition>,
        start: Option<FirstFrame>,
    ) -> Result<FrameSelection, UsageError> {
        let per_job = FRAMES_PER_JOB.value(work.frames_per_job.as_deref(), self.environment)?;
        let (frames, first, total) = self.frame_settings(work)?;
        let first = first.or(start);
        match (frames, per_job, array) {
            (Some(frames), _, None) => Ok(FrameSelection::Exactly(frames)),
            (Some(frames), Some(per_job), Some(array)) => {
                Ok(FrameSelection::PartOf { frames, per_job, array })
            }
            (Some(_), None, Some(_)) => Err(FRAMES.refuse(format_args!(
                "every child of this array job would render the same frames; \
                 say with {FRAMES_PER_JOB} how many of them each takes"
            ))),
            (None, None, Some(_)) => Err(FRAMES_PER_JOB.refuse(format_args!(
                "is required and not set: {} says that this is a child of an array job, which \
                 renders a part of the frames",
                self.index_source()
            ))),
            (None, None, None) => Ok(FrameSelection::Animation(AnimationRange { first, total })),
            (None, Some(per_job), array) => Ok(FrameSelection::Slice {
                per_job,
                array,
                first: first.unwrap_or(FirstFrame::DEFAULT),
                total,
            }),
        }
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

/// The rendering of a scene whose preparation `inspect --deep` and `pack` look at. Nothing is rendered, so its
/// frames and its output mean nothing.
pub(super) fn described(scene: &Location, main: Option<ProjectPath>) -> RenderJob {
    RenderJob {
        scene: scene.clone(),
        main,
        output: scene.split().map_or_else(|| scene.clone(), |(folder, _)| folder),
        frames: FrameSelection::Animation(AnimationRange { first: None, total: None }),
        order: FrameOrder::Sequential,
        overrides: RenderOverrides::default(),
        settings: Variables::new(),
        processes: Processes::default(),
        cache_dir: None,
        cache_size: ByteSize::gib(1),
        cameras: Cameras::One,
        cycles_device: None,
        allow_missing: AllowMissing::default(),
        missing_files: MissingFiles::default(),
        strict: false,
        unbaked: Unbaked::default(),
        user_code: UserCode::default(),
        enable_autoexec: false,
        max_backlog: ByteSize::gib(1),
        resume: false,
        previews: false,
        start_jitter: StartJitter::default(),
    }
}

/// Refuses an output that is meant as a video file: frames are stored in a folder.
fn is_folder(output: &Location) -> Result<(), UsageError> {
    match output.split() {
        Some((_, name)) if OutputName::looks_like_video(name) => {
            Err(OUTPUT_URI.refuse(format_args!(
                "`{output}` is the name of a video, and frames are stored in a folder; give a \
                 folder (--output-name names the video)"
            )))
        }
        _ => Ok(()),
    }
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

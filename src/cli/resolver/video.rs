//! The requests of `stitch` and `run`, which make videos, from flags and variables.

use super::Resolver;
use crate::cli::args::{RunArgs, StitchArgs, VideoArgs, WorkArgs};
use crate::cli::names::{
    ALLOW_GAPS, ALPHA, AUDIO, AUDIO_OFFSET, BACKGROUND, BIT_DEPTH, BURN_IN, CODEC, CRF,
    FIRST_FRAME, FPS, FRAMES, FRAMES_PER_JOB, IN_ORDER, INPUT_URI, LAYER, MAX_PREFETCH, NO_AUDIO,
    NO_PREVIEWS, OUTPUT_NAME, OUTPUT_URI, PRESET, PREVIEW, SIZE, TOTAL_FRAMES, VIEW,
};
use crate::cli::setting::{Setting, UsageError};
use crate::request::{
    Attempt, BitDepth, Codec, Crf, Engine, FirstFrame, FramesPerJob, Location, Look, NamePattern,
    OutputName, PictureOrder, Preset, RunJob, SequenceSelection, Sound, StitchJob, ValueError,
    VideoSettings,
};

/// The variable with the folder that FOLDER is relative to.
pub(super) const INPUT_DIR: &str = "INPUT_DIR";

/// The variable with the folder that VIDEO is relative to.
pub(super) const OUTPUT_DIR: &str = "OUTPUT_DIR";

/// Where the pictures are, and where the video goes.
struct Places {
    input: Location,
    output: Location,
    /// The name of the video, if one was given with its location.
    name: Option<String>,
    /// Whether the folder was given without a flag: then it is any folder of pictures.
    is_any_folder: bool,
}

/// The request of `run`.
///
/// # Errors
/// If a setting is missing, contradictory or out of range.
pub(in crate::cli) fn run_job(
    resolver: &Resolver<'_>,
    args: &RunArgs,
    attempt: &Attempt,
) -> Result<RunJob, UsageError> {
    if attempt.array.is_some() {
        return Err(UsageError(format!(
            "run renders a whole scene on one machine, and {} says that this is a child of an array \
             job; use render, or unset it",
            resolver.index_source()
        )));
    }
    let RunArgs { common, preview, render, stitch, watch, .. } = args;
    let env = resolver.environment;
    let frames = resolver.frame_selection(&common.work, None, Some(FirstFrame::Scene))?;
    Ok(RunJob {
        render: resolver.rendering(
            &common.work,
            preview,
            render,
            attempt,
            frames,
            Engine::Scene,
        )?,
        allow_gaps: resolver.switch(ALLOW_GAPS, stitch.video.allow_gaps)?,
        max_prefetch: MAX_PREFETCH.value_or_default(stitch.max_prefetch.as_deref(), env)?,
        video: settings(resolver, &stitch.video, None)?,
        watch: *watch,
    })
}

/// The request of `stitch`.
///
/// # Errors
/// If a setting is missing, contradictory or out of range.
pub(in crate::cli) fn stitch_job(
    resolver: &Resolver<'_>,
    args: &StitchArgs,
) -> Result<StitchJob, UsageError> {
    let env = resolver.environment;
    let StitchArgs { common, preview, in_order, options, .. } = args;
    let Places { input, output, name, is_any_folder } = places(resolver, args)?;
    let no_previews = resolver.switch(NO_PREVIEWS, preview.no_previews)?;
    let preview = resolver.switch(PREVIEW, preview.preview)?;
    let place = |location: Location| if preview { location.of_preview() } else { location };
    let frames = sequence_selection(resolver, &common.work)?;
    let order: Option<PictureOrder> = IN_ORDER.value(in_order.as_deref(), env)?;
    let takes_all = order.is_some_and(|order| order != PictureOrder::Number);
    if takes_all && frames != SequenceSelection::EVERYTHING {
        return Err(IN_ORDER.refuse(format_args!(
            "takes every picture, so {FRAMES}, {FIRST_FRAME} and {TOTAL_FRAMES} mean nothing; \
             leave one of them out"
        )));
    }
    let (input, images) = NamePattern::split(input);
    Ok(StitchJob {
        input: place(input),
        images,
        output: place(output),
        frames,
        is_any_folder,
        order,
        allow_gaps: resolver.switch(ALLOW_GAPS, options.video.allow_gaps)?,
        max_prefetch: MAX_PREFETCH.value_or_default(options.max_prefetch.as_deref(), env)?,
        // Whoever names a file does not expect folders beside it.
        previews: !no_previews && !is_any_folder,
        video: settings(resolver, &options.video, name)?,
    })
}

/// The input and the output, from FOLDER and VIDEO or from the flags and variables.
fn places(resolver: &Resolver<'_>, args: &StitchArgs) -> Result<Places, UsageError> {
    let env = resolver.environment;
    let work = &args.common.work;
    let Some(folder) = &args.folder else {
        let (input, output) = resolver.locations(work)?;
        let (output, name) = split(output)?;
        return Ok(Places { input, output, name, is_any_folder: false });
    };
    if work.input_uri.is_some() {
        return Err(INPUT_URI.refuse(format_args!(
            "contradicts the folder `{folder}`, which is given without a flag; leave one of them out"
        )));
    }
    let parse = |what: &str, text: &str| -> Result<Location, UsageError> {
        text.parse().map_err(|error| UsageError(format!("{what}: {error}")))
    };
    let base = |variable| env.text(variable)?.map(|text| parse(variable, text)).transpose();
    let within = |base: Option<Location>, location| match (location, base) {
        (Location::Local(path), Some(base)) if path.is_relative() => {
            base.join(&path.to_string_lossy())
        }
        (location, _) => location,
    };
    let input = within(base(INPUT_DIR)?, parse("FOLDER", folder)?);
    let (output, name) = match &args.video {
        Some(video) if work.output_uri.is_some() => {
            return Err(OUTPUT_URI.refuse(format_args!(
                "contradicts the video `{video}`, which is given without a flag; leave one of them \
                 out"
            )));
        }
        Some(video) => {
            let name = video.rsplit('/').next().unwrap_or_default();
            if !OutputName::is_video(name) {
                return Err(UsageError(format!(
                    "VIDEO: `{video}` does not end like the name of a video; give one such as \
                     film.mp4"
                )));
            }
            split(within(base(OUTPUT_DIR)?, parse("VIDEO", video)?))?
        }
        None => {
            let output: Option<Location> = OUTPUT_URI.value(work.output_uri.as_deref(), env)?;
            match (work.output_uri.is_some(), base(OUTPUT_DIR)?, output) {
                (false, Some(folder), _) => (folder, None),
                (_, _, Some(output)) => split(output)?,
                (_, _, None) => {
                    return Err(UsageError(format!(
                        "VIDEO: is required and not set; give the file of the video, such as \
                         stitch {folder} film.mp4"
                    )));
                }
            }
        }
    };
    Ok(Places { input, output, name, is_any_folder: true })
}

/// The folder of an output, and the name of the video if the output is a file.
fn split(output: Location) -> Result<(Location, Option<String>), UsageError> {
    match output.split() {
        Some((folder, name)) if OutputName::is_video(name) => Ok((folder, Some(name.to_owned()))),
        Some((_, name)) if OutputName::looks_like_video(name) => Err(OUTPUT_URI.refuse(
            format_args!("`{name}` has no extension of a video that can be made, such as .mp4"),
        )),
        _ => Ok((output, None)),
    }
}

/// The frames that `stitch` requires.
fn sequence_selection(
    resolver: &Resolver<'_>,
    work: &WorkArgs,
) -> Result<SequenceSelection, UsageError> {
    // stitch ignores the value, but refuses what render would refuse.
    let _: Option<FramesPerJob> =
        FRAMES_PER_JOB.value(work.frames_per_job.as_deref(), resolver.environment)?;
    let (frames, first, total) = resolver.frame_settings(work)?;
    Ok(match frames {
        Some(frames) => SequenceSelection::Exactly(frames),
        None => SequenceSelection::Range { first, total },
    })
}

/// The settings of the video; `name` is its name if the output is a file.
///
/// # Errors
/// If a setting is contradictory or out of range.
pub(super) fn settings(
    resolver: &Resolver<'_>,
    args: &VideoArgs,
    name: Option<String>,
) -> Result<VideoSettings, UsageError> {
    let env = resolver.environment;
    let (setting, name) = match (OUTPUT_NAME.value(args.output_name.as_deref(), env)?, name) {
        (Some(_), Some(file)) => {
            return Err(OUTPUT_NAME.refuse(format_args!(
                "contradicts {OUTPUT_URI}, which names the file {file}; leave one of them out"
            )));
        }
        (Some(name), None) => (OUTPUT_NAME, Some(name)),
        (None, file) => (OUTPUT_URI, file),
    };
    let codec: Codec = match CODEC.value(args.codec.as_deref(), env)? {
        Some(codec) => codec,
        None => name.as_deref().and_then(OutputName::codec_of).unwrap_or_default(),
    };
    let name = match name {
        None => OutputName::default_for(codec),
        Some(name) => OutputName::new(&name, codec).map_err(|error| setting.refuse(error))?,
    };
    let of_encoder = |setting: Setting, error: Option<ValueError>| {
        let means_nothing = format_args!("means nothing to {CODEC} {codec}; leave one of them out");
        error.map_or_else(|| setting.refuse(means_nothing), |error| setting.refuse(error))
    };
    let crf: Option<String> = CRF.value(args.crf.as_deref(), env)?;
    let crf = crf.map(|text| Crf::new(&text, codec)).transpose();
    let preset: Option<String> = PRESET.value(args.preset.as_deref(), env)?;
    let preset = preset.map(|text| Preset::new(&text, codec)).transpose();
    let depth: Option<BitDepth> = BIT_DEPTH.value(args.bit_depth.as_deref(), env)?;
    let alpha = resolver.switch(ALPHA, args.alpha)?;
    if alpha && !codec.keeps_alpha() {
        return Err(ALPHA.refuse(format_args!(
            "{CODEC} {codec} has no alpha; give vp9, prores4444 or gif, or a --background"
        )));
    }
    if alpha && codec == Codec::Vp9 && name.container() == "mp4" {
        let why = format_args!("is lost in {}; vp9 keeps it in .webm and .mkv", name.as_str());
        return Err(ALPHA.refuse(why));
    }
    let pixels = codec.pixel_format(depth, alpha).ok_or_else(|| {
        let alpha = if alpha { " with alpha" } else { "" };
        BIT_DEPTH.refuse(format_args!("{CODEC} {codec}{alpha} has no such depth; leave it out"))
    })?;
    let background: Option<_> = BACKGROUND.value(args.background.as_deref(), env)?;
    Ok(VideoSettings {
        codec,
        pixels,
        crf: crf.map_err(|error| of_encoder(CRF, error))?,
        preset: preset.map_err(|error| of_encoder(PRESET, error))?,
        fps: FPS.value(args.fps.as_deref(), env)?,
        name,
        look: Look {
            size: SIZE.value(args.size.as_deref(), env)?,
            background: background.unwrap_or_default(),
            view: VIEW.value_or_default(args.view.as_deref(), env)?,
            layer: LAYER.value(args.layer.as_deref(), env)?,
            burn_in: BURN_IN.value(args.burn_in.as_deref(), env)?,
        },
        sound: sound(resolver, args, codec)?,
    })
}

fn sound(resolver: &Resolver<'_>, args: &VideoArgs, codec: Codec) -> Result<Sound, UsageError> {
    let env = resolver.environment;
    let file: Option<Location> = AUDIO.value(args.audio.as_deref(), env)?;
    let offset = AUDIO_OFFSET.value(args.audio_offset.as_deref(), env)?;
    let silent = resolver.switch(NO_AUDIO, args.no_audio)?;
    if silent && file.is_some() {
        return Err(NO_AUDIO.refuse(format_args!("contradicts {AUDIO}; leave one of them out")));
    }
    if offset.is_some() && file.is_none() {
        return Err(AUDIO_OFFSET.refuse(format_args!("needs {AUDIO}")));
    }
    if file.is_some() && !codec.has_sound() {
        return Err(AUDIO.refuse(format_args!("{CODEC} {codec} has no sound; leave it out")));
    }
    Ok(match file {
        Some(file) => Sound::File { file, offset: offset.unwrap_or_default() },
        None if silent || !codec.has_sound() => Sound::Silence,
        None => Sound::Scene,
    })
}

//! The requests of `submit` and `status`, from flags and variables.

use std::path::PathBuf;

use super::slices::slices;
use crate::cli::args::{FollowArgs, LogsArgs, RetryArgs, StatusArgs, SubmitArgs, VideoArgs};
use crate::cli::names::{
    ADDONS_DIR, ALLOW_GAPS, ALPHA, AUDIO, AUDIO_OFFSET, BACKGROUND, BIT_DEPTH, BLENDER_VERSION,
    BURN_IN, CAMERA, CODEC, CRF, DOWNLOAD, FIRST_FRAME, FPS, FRAMES, FRAMES_PER_JOB, INPUT_URI,
    JOB_DEFINITION, JOB_NAME, JOB_QUEUE, LAYER, NO_AUDIO, NO_PREVIEWS, OUTPUT_NAME, OUTPUT_URI,
    POLL_INTERVAL, PRESET, PREVIEW, PRICE_PER_HOUR, PROJECT, PYTHON_FILE, REQUEST_PAYER, SCENE,
    SHARE_IDENTIFIER, SIZE, STITCH_JOB_DEFINITION, STRIDE, TOTAL_FRAMES, VIEW,
};
use crate::cli::resolver::pack::project_of_submit;
use crate::cli::resolver::{Resolver, Variables, is_file};
use crate::cli::setting::{Setting, UsageError};
use crate::request::{
    Animation, AnimationRange, ByteSize, Cameras, Feature, JobId, JobName, JobTemplate, Location,
    LogsJob, NamedFrames, PollInterval, RequestPayer, RetryJob, StatusJob, StatusOf, SubmitJob,
    SubmitMode, whole_number,
};

/// An upper limit for processors, above that of any instance.
const LARGEST_VCPUS: u32 = 10_000;

/// The most attempts of a job: `attempts` of `RetryStrategy` in the AWS Batch API reference.
const MOST_ATTEMPTS: u32 = 10;

/// The unit in which Batch counts memory, in bytes.
const MIB: u64 = 1024 * 1024;

/// The request of `submit`.
///
/// # Errors
/// If a setting is missing, contradictory or out of range.
pub(in crate::cli) fn submit_job(
    resolver: &Resolver<'_>,
    args: &SubmitArgs,
) -> Result<SubmitJob, UsageError> {
    let env = resolver.environment;
    let (scene, output) = resolver.locations(&args.work)?;
    is_file(&scene)?;
    let project = project_of_submit(resolver, args, &scene)?;
    let main = resolver.main(&args.scene.main, &scene)?;
    check_places(resolver, args, &scene, &output)?;
    check_cameras(resolver, args)?;
    let (frames, first, total) = resolver.frame_settings(&args.work)?;
    let slices = slices(resolver, args)?;
    let name = JOB_NAME.value(args.job_name.as_deref(), env)?;
    let text = |setting: Setting, flag: &Option<String>| {
        setting.value::<String>(flag.as_deref(), env).map(|text| text.filter(|it| !it.is_empty()))
    };
    let definition_of_render = text(JOB_DEFINITION, &args.job_definition)?
        .ok_or_else(|| JOB_DEFINITION.refuse("is required and not set"))?;
    let queue = text(JOB_QUEUE, &args.job_queue)?
        .ok_or_else(|| JOB_QUEUE.refuse("is required and not set"))?;
    let mut variables = variables(&args.env)?;
    if resolver.requester_pays(&args.store)? {
        // The containers use the same buckets.
        let name = REQUEST_PAYER.variable.to_owned();
        variables.entry(name).or_insert_with(|| RequestPayer::REQUESTER.to_owned());
    }
    if resolver.switch(NO_PREVIEWS, args.preview.no_previews)? {
        insert(&mut variables, "--env", NO_PREVIEWS.variable.to_owned(), "true".to_owned())?;
    }
    let mut variables_of_render = variables.clone();
    for (name, value) in resolver.given_about_scene(&args.scene)? {
        insert(&mut variables_of_render, "--env", name, value)?;
    }
    let preview = resolver.switch(PREVIEW, args.preview.preview)?;
    if preview {
        insert(&mut variables_of_render, "--env", PREVIEW.variable.to_owned(), "true".to_owned())?;
    }
    let allowed = resolver.allow_missing(&args.scene)?;
    let renderer = BLENDER_VERSION.value(args.renderer.blender_version.as_deref(), env)?;
    let render = JobTemplate {
        definition: definition_of_render.clone(),
        variables: variables_of_render,
        vcpus: args.vcpus.as_deref().map(vcpus).transpose()?,
        memory: args.memory.as_deref().map(mebibytes).transpose()?,
    };
    let stitch = if args.no_stitch {
        None
    } else {
        let definition = text(STITCH_JOB_DEFINITION, &args.stitch_job_definition)?;
        let mut variables = variables;
        for (name, value) in video_variables(resolver, &args.video)? {
            insert(&mut variables, "--env", name, value)?;
        }
        Some(JobTemplate {
            definition: definition.unwrap_or(definition_of_render),
            variables,
            vcpus: None,
            memory: None,
        })
    };
    let job = SubmitJob {
        frames: match frames {
            Some(frames) => {
                let text = text(FRAMES, &args.work.frames)?.unwrap_or_else(|| frames.to_string());
                Animation::Exactly(NamedFrames { frames, text })
            }
            None => Animation::Range(AnimationRange { first, total }),
        },
        renderer: renderer.filter(|_| !allowed.0.contains(&Feature::NewerBlender)),
        slices,
        missing: args.missing,
        name: name.unwrap_or_else(|| JobName::of_scene(&scene)),
        queue,
        share_identifier: text(SHARE_IDENTIFIER, &args.share_identifier)?,
        render,
        stitch,
        tags: tags(&args.tag)?,
        mode: mode(resolver, args.dry_run, &args.follow)?,
        download: download(resolver, &args.follow)?,
        json: args.follow.json,
        scene_name: SCENE.value(args.scene.overrides.scene.as_deref(), env)?,
        scene,
        project,
        main,
        output: if preview { output.of_preview() } else { output },
    };
    Ok(job)
}

/// Refuses places that only this machine has: the containers could not reach them.
fn check_places(
    resolver: &Resolver<'_>,
    args: &SubmitArgs,
    scene: &Location,
    output: &Location,
) -> Result<(), UsageError> {
    let code = resolver.user_code(&args.scene.user_code)?;
    let scripts = code.scripts.0.iter().map(|script| (PYTHON_FILE, script));
    let addons = code.addons_dir.iter().map(|addons| (ADDONS_DIR, addons));
    let project: Option<Location> = PROJECT.value(args.project.as_deref(), resolver.environment)?;
    // The jobs read the scene where it is, or the project.
    let input = project.as_ref().map_or((INPUT_URI, scene), |project| (PROJECT, project));
    for (setting, location) in
        [input, (OUTPUT_URI, output)].into_iter().chain(scripts).chain(addons)
    {
        if matches!(location, Location::Local(path) if path.is_relative()) {
            return Err(setting.refuse(format_args!(
                "`{location}` is relative to a folder of this machine; give s3://BUCKET/KEY, or \
                 the whole path of a file system that the containers mount"
            )));
        }
    }
    Ok(())
}

/// Refuses a stitch job for the frames of each camera, which are sequences of their own.
fn check_cameras(resolver: &Resolver<'_>, args: &SubmitArgs) -> Result<(), UsageError> {
    match resolver.cameras(&args.scene.overrides)? {
        Cameras::Each if !args.no_stitch => Err(CAMERA.refuse(
            "`each` stores the frames of each camera in a folder of their own, of which one stitch job \
             makes no video; give --no-stitch, and make them with stitch -i OUTPUT_URI/cameras/NAME",
        )),
        Cameras::Each | Cameras::One => Ok(()),
    }
}

/// The request of `status`.
///
/// # Errors
/// If the job id, the output or the interval is invalid, or if it is not clear which is meant.
pub(in crate::cli) fn status_job(
    resolver: &Resolver<'_>,
    args: &StatusArgs,
) -> Result<StatusJob, UsageError> {
    let env = resolver.environment;
    let of = match &args.job {
        Some(_) if args.output_uri.is_some() => {
            return Err(UsageError(format!("{OUTPUT_URI}: give either a JOB-ID or an output")));
        }
        Some(job) => {
            StatusOf::Job { job: job_id(job)?, download: download(resolver, &args.follow)? }
        }
        None if args.follow.download.is_some() => {
            return Err(DOWNLOAD.refuse("brings home what jobs store; give a JOB-ID"));
        }
        None => {
            let output = OUTPUT_URI.value(args.output_uri.as_deref(), env)?;
            StatusOf::Output(output.ok_or_else(|| {
                UsageError(format!("JOB-ID: give the id of a job, or an output with {OUTPUT_URI}"))
            })?)
        }
    };
    Ok(StatusJob {
        of,
        wait: wait(resolver, &args.follow)?,
        price: PRICE_PER_HOUR.value(args.price_per_hour.as_deref(), env)?,
        json: args.follow.json,
    })
}

/// The id of a job.
///
/// # Errors
/// If it is invalid.
pub(in crate::cli) fn job_id(text: &str) -> Result<JobId, UsageError> {
    text.parse().map_err(|error| UsageError(format!("JOB-ID: {error}")))
}

/// The request of `logs`.
///
/// # Errors
/// If the job id or the attempt is invalid.
pub(in crate::cli) fn logs_job(args: &LogsArgs) -> Result<LogsJob, UsageError> {
    let number = |text: &str| {
        let number = whole_number(text, 1, MOST_ATTEMPTS);
        number.map_err(|error| UsageError(format!("--attempt: {error}")))
    };
    Ok(LogsJob {
        job: job_id(&args.job)?,
        attempt: args.attempt.as_deref().map(number).transpose()?,
        follow: args.follow,
    })
}

/// The request of `retry`.
///
/// # Errors
/// If the job id or another value is invalid.
pub(in crate::cli) fn retry_job(
    resolver: &Resolver<'_>,
    args: &RetryArgs,
) -> Result<RetryJob, UsageError> {
    Ok(RetryJob {
        job: job_id(&args.job)?,
        definition: args.job_definition.clone().filter(|text| !text.is_empty()),
        vcpus: args.vcpus.as_deref().map(vcpus).transpose()?,
        memory: args.memory.as_deref().map(mebibytes).transpose()?,
        mode: mode(resolver, args.dry_run, &args.follow)?,
        download: download(resolver, &args.follow)?,
        json: args.follow.json,
    })
}

fn mode(
    resolver: &Resolver<'_>,
    dry_run: bool,
    follow: &FollowArgs,
) -> Result<SubmitMode, UsageError> {
    Ok(match wait(resolver, follow)? {
        _ if dry_run => SubmitMode::DryRun,
        Some(interval) => SubmitMode::SubmitAndWait(interval),
        None => SubmitMode::Submit,
    })
}

/// The folder for what the jobs store, if they are followed.
fn download(resolver: &Resolver<'_>, args: &FollowArgs) -> Result<Option<PathBuf>, UsageError> {
    if args.download.is_some() && !args.wait {
        return Err(DOWNLOAD.refuse("is for jobs that are followed; give --wait as well"));
    }
    resolver.folder(DOWNLOAD, args.download.as_deref()).map(|folder| folder.filter(|_| args.wait))
}

fn wait(resolver: &Resolver<'_>, args: &FollowArgs) -> Result<Option<PollInterval>, UsageError> {
    let interval =
        POLL_INTERVAL.value_or_default(args.poll_interval.as_deref(), resolver.environment)?;
    Ok(args.wait.then_some(interval))
}

/// The settings about the video that are given, as variables for the stitch job.
fn video_variables(resolver: &Resolver<'_>, args: &VideoArgs) -> Result<Variables, UsageError> {
    let mut variables = Variables::new();
    for (setting, flag) in [
        (FPS, &args.fps),
        (CODEC, &args.codec),
        (CRF, &args.crf),
        (PRESET, &args.preset),
        (BIT_DEPTH, &args.bit_depth),
        (BACKGROUND, &args.background),
        (SIZE, &args.size),
        (VIEW, &args.view),
        (LAYER, &args.layer),
        (BURN_IN, &args.burn_in),
        (AUDIO, &args.audio),
        (AUDIO_OFFSET, &args.audio_offset),
        (OUTPUT_NAME, &args.output_name),
    ] {
        let text: Option<String> = setting.value(flag.as_deref(), resolver.environment)?;
        variables.extend(text.map(|text| (setting.variable.to_owned(), text)));
    }
    for (setting, flag) in
        [(ALPHA, args.alpha), (NO_AUDIO, args.no_audio), (ALLOW_GAPS, args.allow_gaps)]
    {
        if resolver.switch(setting, flag)? {
            variables.insert(setting.variable.to_owned(), "true".to_owned());
        }
    }
    Ok(variables)
}

/// The tags of `--tag`.
fn tags(given: &[String]) -> Result<Variables, UsageError> {
    let mut tags = Variables::new();
    for given in given {
        let (key, value) = pair("--tag", "KEY=VALUE", given)?;
        insert(&mut tags, "--tag", key, value)?;
    }
    Ok(tags)
}

/// The variables of `--env`.
fn variables(given: &[String]) -> Result<Variables, UsageError> {
    /// The settings that `submit` itself passes to the containers.
    const OURS: [Setting; 7] =
        [INPUT_URI, OUTPUT_URI, FRAMES_PER_JOB, FIRST_FRAME, TOTAL_FRAMES, FRAMES, STRIDE];

    let mut variables = Variables::new();
    for given in given {
        let (name, value) = pair("--env", "NAME=VALUE", given)?;
        if let Some(setting) = OURS.iter().find(|setting| setting.variable == name) {
            return Err(UsageError(format!(
                "--env: {name} is set by submit itself; say it with {}",
                setting.flag
            )));
        }
        if name.starts_with("AWS_BATCH") {
            return Err(UsageError(format!("--env: {name} is AWS Batch's own to set")));
        }
        insert(&mut variables, "--env", name, value)?;
    }
    Ok(variables)
}

/// Inserts a name that must not be there yet.
fn insert(to: &mut Variables, flag: &str, name: String, value: String) -> Result<(), UsageError> {
    if to.contains_key(&name) {
        return Err(UsageError(format!("{flag}: {name} is given twice; leave one of them out")));
    }
    to.insert(name, value);
    Ok(())
}

fn pair(flag: &str, form: &str, text: &str) -> Result<(String, String), UsageError> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(UsageError(format!("{flag}: `{text}` is refused; give {form}"))),
    }
}

fn vcpus(text: &str) -> Result<u32, UsageError> {
    whole_number(text, 1, LARGEST_VCPUS).map_err(|error| UsageError(format!("--vcpus: {error}")))
}

fn mebibytes(text: &str) -> Result<u32, UsageError> {
    let refuse = |why: &dyn std::fmt::Display| UsageError(format!("--memory: {why}"));
    let size: ByteSize = text.parse().map_err(|error| refuse(&error))?;
    let mebibytes = u32::try_from(size.bytes() / MIB).ok().filter(|&size| size > 0);
    mebibytes.ok_or_else(|| {
        refuse(&format_args!("`{text}` is refused; give 1MiB or more, such as 16GiB"))
    })
}

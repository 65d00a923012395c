//! `stitch`: fetches the frames in order, encodes them with FFmpeg, and stores the video once it is
//! proven to hold every one of them.

mod decoding;
mod encode;
mod frame_feeder;
mod frame_maker;
mod numbered_name;
mod prefetch;
mod preview_queue;
mod render_reports;
mod sequence;
mod sound;
mod video_check;

pub use sequence::{Sequence, Slot};

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::blender::SceneInfo;
use crate::error::{Error, frames_are};
use crate::error_chain::chain;
use crate::ffmpeg::Encode;
use crate::image::{FrameFormat, View};
use crate::request::{
    Codec, FRAMES_DIR, FrameRange, FrameRate, FrameSet, Location, PREVIEWS_DIR, PixelFormat,
    REPORTS_DIR, SequenceSelection, StitchJob, VideoSettings, VideoSize, ViewTransform,
};
use crate::storage::Entry;
use crate::worker::Worker;
use crate::worker::contact_sheet;
use crate::worker::previews::Previews;
use crate::worker::programs::{FFMPEG, FFPROBE};
use crate::worker::report::{Action, Report, VideoReport};
use crate::worker::scratch::Scratch;
use decoding::{Decoding, Image};
use encode::encode_sequence;
use frame_feeder::First;
use frame_maker::{FrameMaker, Stamp, Traits};
use prefetch::Prefetch;
use preview_queue::PreviewQueue;
use render_reports::RenderReports;
use video_check::{Goal, probe};

/// Makes the video of `job`, and stores a report.
///
/// # Errors
/// The error that kept the video from being stored with every frame in it. The report contains it,
/// too.
pub async fn stitch(
    worker: &Worker,
    job: &StitchJob,
    ffmpeg: &Path,
    ffprobe: &Path,
) -> Result<(), Error> {
    let mut report =
        Report::begin(Action::Stitch, &worker.attempt, &worker.provenance, &job.input, &job.output);
    let result = attempt(worker, job, ffmpeg, ffprobe, &mut report).await;
    worker.conclude(report, result.as_ref().copied()).await;
    result
}

async fn attempt(
    worker: &Worker,
    job: &StitchJob,
    ffmpeg: &Path,
    ffprobe: &Path,
    report: &mut Report,
) -> Result<(), Error> {
    let ffmpeg = worker.programs.find(ffmpeg, FFMPEG)?;
    let ffprobe = worker.programs.find(ffprobe, FFPROBE)?;
    worker.sandbox.ensure_required().map_err(Error::Sandbox)?;
    let scratch = Scratch::create(worker)?;
    let found = async {
        let (frames, reports) = tokio::join!(find_frames(worker, job), read_reports(worker, job));
        // If both fail, the error about the frames is the more useful one.
        Ok::<_, Error>((frames?, reports?))
    };
    let ((folder, entries), reports) = worker.unless_stopped(found).await?;
    let range = reports.scene.as_ref().and_then(SceneInfo::range);
    let sequence = Sequence::arrange(&folder, entries, job, range)?;
    let fps = frame_rate(job, &reports, &sequence)?;
    let frames: FrameSet = sequence.slots.iter().map(|slot| slot.number).collect();
    report.set_requested_frames(&frames);
    let goal = Goal { video: job.output.join(job.video.name.as_str()), frames };
    let look = &job.video.look;
    let scene = reports.scene.as_ref();
    let view = worker.unless_stopped(view(worker, job, &reports)).await?;
    let maker = FrameMaker {
        layer: look.layer.clone(),
        view: view.clone(),
        fits: look.size.is_some(),
        stamp: look.burn_in.clone().map(|burn_in| Stamp {
            burn_in,
            fps,
            scene: scene.map_or_else(String::new, |scene| scene.name.clone()),
            date: today(),
        }),
        previews: None,
    };
    let largest = match job.video.look.size {
        Some(VideoSize::Largest) => {
            let frames = prefetch(worker, job, &folder, sequence.clone());
            let largest = largest_size(frames, maker.clone());
            worker.unless_stopped(largest).await?
        }
        Some(VideoSize::First | VideoSize::Exactly { .. }) | None => None,
    };
    let (formats, left_out) = (sequence.formats(), sequence.left_out);
    let range = range.filter(|_| sequence.is_numbered);
    // Fetch the first frames while the report is being stored.
    let frames = prefetch(worker, job, &folder, sequence);
    worker.prepare_output(&job.output, report).await?;
    if job.input != job.output {
        worker.warn_if_lost(&job.output);
    }
    let frame_count = goal.frames.len() as u64;
    let formats: Vec<_> = formats.iter().map(ToString::to_string).collect();
    tracing::info!(
        frames = goal.frames.to_string(),
        "stitching {frame_count} {} frames, {}, of {folder} at {fps} frames a second",
        formats.join(" and "),
        goal.frames
    );
    if left_out > 0 {
        let are = if left_out == 1 { "frame is" } else { "frames are" };
        tracing::warn!("{left_out} other {are} in {folder}, and not part of the video");
    }
    if let Some(range) = range {
        warn_of_differences(&job.frames, &goal.frames, range);
    }
    warn_of_players(&job.video, fps);

    let previews = previews_of(worker, job).await;
    let maker = FrameMaker { previews: previews.as_ref().map(|(_, there)| there.clone()), ..maker };
    let first = First::find(folder, frames, maker, job.allow_gaps);
    let first = worker.unless_stopped(first).await?;
    let format = first.shape().format(look.size, largest, job.video.pixels, look.background);
    tell_of_pictures(&first, &view, &job.video, &format);
    let sound = sound::find(worker, job, &reports, &scratch, &goal.frames, fps);
    let sound = worker.unless_stopped(sound).await?;
    let has_previews = previews.is_some();
    let queue = previews.map(|(previews, _)| PreviewQueue::new(previews));
    let feeder = worker.unless_stopped(first.feed(format, queue)).await?;
    let video = scratch.path().join(job.video.name.as_str());
    let encode = Encode {
        ffmpeg: &ffmpeg,
        size: format.coded_size(),
        pixel_aspect: (format.aspect.width, format.aspect.height),
        fps,
        video: &job.video,
        sound: sound.as_ref(),
        output: &video,
        environment: &worker.confinement.environment,
    };
    let tail = encode_sequence(worker, encode, feeder, &goal).await?;
    let found = probe(worker, &ffprobe, &video, &goal, &tail).await?;
    if found.frames != frame_count {
        return Err(goal.wrong_result(&found.to_string(), &tail));
    }
    let bytes = upload(worker, video, &goal.video).await?;
    if has_previews {
        report.previews = Some(format!("{PREVIEWS_DIR}/"));
        let sheet = contact_sheet::store(worker, &job.output, &goal.frames, true);
        report.contact_sheet = sheet.await;
    }
    tracing::info!(bytes, frames = frame_count, "stored {}: {found}, {bytes} bytes", goal.video);
    report.video = Some(VideoReport {
        file: job.video.name.as_str().to_owned(),
        bytes,
        frames: found.frames,
        fps: fps.to_string(),
        codec: found.codec,
        width: found.width,
        height: found.height,
        ffmpeg: found.ffmpeg,
    });
    Ok(())
}

/// Starts to fetch the frames of a sequence.
fn prefetch(worker: &Worker, job: &StitchJob, folder: &Location, sequence: Sequence) -> Prefetch {
    Prefetch::start(worker.storage.clone(), folder.clone(), sequence, job.max_prefetch)
}

/// The largest width and height of the pictures that are whole; `None` if none is.
///
/// # Errors
/// [`Error::Storage`] if a frame cannot be read.
async fn largest_size(frames: Prefetch, maker: FrameMaker) -> Result<Option<(u32, u32)>, Error> {
    let mut frames = Decoding::start(frames, Arc::new(maker), None);
    let mut largest: Option<(u32, u32)> = None;
    while let Some(frame) = frames.next().await.transpose()? {
        if let Image::Whole { shape, .. } = frame.image {
            let (width, height) = largest.unwrap_or_default();
            largest = Some((width.max(shape.width), height.max(shape.height)));
        }
    }
    Ok(largest)
}

/// What stores previews, and the frames that have one already; `None` if none are wanted or they
/// cannot be listed.
async fn previews_of(worker: &Worker, job: &StitchJob) -> Option<(Previews, FrameSet)> {
    if !job.previews {
        return None;
    }
    let there = contact_sheet::list(&worker.storage, &job.output.join(PREVIEWS_DIR)).await;
    let there = there.inspect_err(|error| {
        tracing::warn!("cannot list the previews, and makes none: {}", chain(error));
    });
    let (storage, shutdown) = (worker.storage.clone(), worker.shutdown.clone());
    let previews = Previews::new(storage, &job.output, shutdown, worker.timeouts.preview);
    Some((previews, there.ok()?.into_keys().collect()))
}

/// Today's date in UTC: `2026-11-29`.
fn today() -> String {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    now.split('T').next().unwrap_or_default().to_owned()
}

/// How linear pictures are shown.
///
/// # Errors
/// [`Error::Storage`] or [`Error::ViewLut`] if the scene's own view cannot be read.
async fn view(worker: &Worker, job: &StitchJob, reports: &RenderReports) -> Result<View, Error> {
    Ok(match job.video.look.view {
        ViewTransform::Scene => {
            reports.view(&worker.storage, &job.input).await?.unwrap_or_default()
        }
        ViewTransform::Standard => View::Srgb,
        ViewTransform::None => View::Data,
    })
}

/// Warns about settings that common players do not support.
fn warn_of_players(video: &VideoSettings, fps: FrameRate) {
    let lossless = video.crf.is_some_and(|crf| crf.get() == 0);
    if video.codec == Codec::H264 && (lossless || video.pixels != PixelFormat::Yuv420p) {
        let why = if lossless { "with --crf 0 (CRF)" } else { "of 10 bits" };
        tracing::warn!("h264 {why} does not play in browsers, QuickTime and most televisions");
    }
    if video.codec == Codec::Gif && fps.numerator() > fps.denominator().saturating_mul(50) {
        tracing::warn!(
            "players slow down a GIF of more than 50 frames a second, and this one has {fps}; \
             --fps (FPS) sets another rate"
        );
    }
}

/// Tells how the pictures become those of the video, as far as that is not obvious.
fn tell_of_pictures(first: &First, view: &View, video: &VideoSettings, format: &FrameFormat) {
    let Traits { linear, alpha, layer, .. } = first.traits();
    if let Some(layer) = layer {
        tracing::info!("the picture is the layer {layer} (--layer, LAYER)");
    }
    if *linear {
        let how = match view {
            View::Lut(_) => "as Blender does, with the view transform of the scene",
            View::Srgb => "with the curve of sRGB",
            View::Data => "as they are, from 0 to 1",
        };
        tracing::info!("the pictures are linear light: showing them {how} (--view, VIEW)");
    }
    if *alpha && !format.pixels.has_alpha() {
        tracing::info!(
            "the pictures have alpha: laying them over the colour {} (--background, BACKGROUND)",
            video.look.background
        );
    }
    let (shape, (width, height)) = (first.shape(), format.coded_size());
    if (shape.width, shape.height) != (width, height) {
        tracing::info!("the pictures become {width}x{height}; the first one is {shape}");
    }
}

/// Warns about differences between the frames of the video and the scene's own `range`, unless the
/// job says where the video begins and ends.
fn warn_of_differences(selection: &SequenceSelection, frames: &FrameSet, range: FrameRange) {
    let SequenceSelection::Range { first, total } = selection else { return };
    let whole = FrameSet::from(range);
    let (outside, missing) = (frames.without(&whole), whole.without(frames));
    if !outside.is_empty() && (first.is_none() || total.is_none()) {
        tracing::warn!(
            "{} outside of the scene's own range, {range}, and part of the video; --first-frame \
             scene (FIRST_FRAME) and --total-frames scene (TOTAL_FRAMES) leave them out",
            frames_are(&outside)
        );
    }
    if !missing.is_empty() && first.is_none() && total.is_none() {
        tracing::warn!(
            "the video has {} of the scene's {} frames: {} not there; --first-frame scene \
             (FIRST_FRAME) and --total-frames scene (TOTAL_FRAMES) make that an error",
            whole.len() - missing.len(),
            whole.len(),
            frames_are(&missing)
        );
    }
}

/// Stores the video. It is whole, so a stop request does not abort the upload while time is left.
async fn upload(worker: &Worker, path: PathBuf, video: &Location) -> Result<u64, Error> {
    let file = File::open(&path).map_err(|source| Error::Scratch { path, source })?;
    tokio::select! {
        stored = worker.storage.upload(file, video, None) => Ok(stored?),
        () = worker.shutdown.no_time_to_store() => match worker.shutdown.requested() {
            Some(by) => {
                Err(Error::Interrupted { by, left: format!("{video} is made, but not stored") })
            }
            None => Err(Error::Internal("out of time without a stop request".to_owned())),
        }
    }
}

/// The folder that holds the frames, and its entries: `frames/` below the input, or else the input
/// itself.
async fn find_frames(worker: &Worker, job: &StitchJob) -> Result<(Location, Vec<Entry>), Error> {
    worker.storage.ensure_folder(&job.input).await?;
    let frames = job.input.join(FRAMES_DIR);
    let entries = worker.storage.list(&frames).await?;
    if entries.is_empty() {
        // If this folder is empty, too, the error names it: it is the one that the user gave.
        let entries = worker.storage.list(&job.input).await?;
        return Ok((job.input.clone(), entries));
    }
    Ok((frames, entries))
}

/// Reads the reports beside the frames. A job that can do without them gets a warning if they cannot
/// be read.
async fn read_reports(worker: &Worker, job: &StitchJob) -> Result<RenderReports, Error> {
    let reports = RenderReports::find(&worker.storage, &job.input).await;
    let optional = job.video.fps.is_some() && !sequence::needs_scene_range(&job.frames);
    match reports {
        Err(error) if optional => {
            tracing::warn!(
                "cannot read the reports of render, so the scene's view transform and sound are \
                 not known: {}",
                chain(&error)
            );
            Ok(RenderReports::default())
        }
        reports => Ok(reports?),
    }
}

/// The frame rate of the video: that of the job, or else that of the scene. If neither is known,
/// images from elsewhere get a default and a warning. For frames of `render`, it is an error: their
/// reports should contain it.
fn frame_rate(
    job: &StitchJob,
    reports: &RenderReports,
    sequence: &Sequence,
) -> Result<FrameRate, Error> {
    let scene = reports.scene.as_ref();
    let known = job.video.fps.or_else(|| scene.and_then(SceneInfo::frame_rate));
    if let Some(fps) = known {
        return Ok(fps);
    }
    if reports.has_reports && sequence.is_named_by_blender() {
        return Err(Error::NoFrameRate { reports: job.input.join(REPORTS_DIR) });
    }
    let fps = job.fallback_fps;
    tracing::warn!(
        "no report of render contains the scene's frame rate: taking {fps} frames a second \
         (--fps, FPS)"
    );
    Ok(fps)
}

//! `stitch`: fetches the frames in order, encodes them with FFmpeg, and stores the video once it is
//! proven to hold every one of them.

mod encode;
mod frames;
mod plan;
mod remarks;
mod render_reports;
mod sequence;
mod sound;
mod video_check;

pub use render_reports::RenderReports;
pub use sequence::{Sequence, Slot};

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::Error;
use crate::ffmpeg::Encode;
use crate::image::PixelAspect;
use crate::request::{Location, PREVIEWS_DIR, StitchJob, VideoSize};
use crate::worker::Worker;
use crate::worker::previews::contact_sheet;
use crate::worker::programs::{FFMPEG, FFPROBE};
use crate::worker::report::{Action, Report, VideoReport};
use crate::worker::scratch::Scratch;
use encode::encode_sequence;
use frames::decoding::{Decoding, Image};
use frames::feeder::First;
use frames::maker::{FrameMaker, Shape};
use frames::prefetch::Prefetch;
use frames::previews;
use frames::previews::PreviewQueue;
use plan::Plan;
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
    let plan = worker.unless_stopped(Plan::make(worker, job)).await?;
    report.set_requested_frames(&plan.frames);
    let goal =
        Goal { video: job.output.join(job.video.name.as_str()), frames: plan.frames.clone() };
    let maker = plan.maker(job);
    let largest = match plan.size {
        Some(VideoSize::Largest) => {
            let largest = largest_size(plan.prefetch(worker, job), maker.clone());
            worker.unless_stopped(largest).await?
        }
        Some(VideoSize::First | VideoSize::Exactly { .. }) | None => None,
    };
    // Fetch the first frames while the report is being stored.
    let frames = plan.prefetch(worker, job);
    worker.prepare_output(&job.output, report).await?;
    if job.input != job.output {
        worker.warn_if_lost(&job.output);
    }
    remarks::announce(job, &plan);

    // Previews show the frames, not what the scene makes besides them.
    let has_own_reports = plan.rendered == job.input;
    let up_to_date = if job.previews && has_own_reports {
        previews::up_to_date(worker, job, &plan).await
    } else {
        None
    };
    let has_previews = up_to_date.is_some();
    let queue = has_previews.then(|| PreviewQueue::new(worker, &job.output));
    let maker = FrameMaker { previews: up_to_date, ..maker };
    let first =
        First::find(plan.folder.clone(), frames, maker, job.allow_gaps, plan.size.is_none());
    let first = worker.unless_stopped(first).await?;
    let format = first.shape().format(&job.video, plan.size, largest).map_err(|problem| {
        Error::UnusableFrames { folder: plan.folder.clone(), problems: vec![problem] }
    })?;
    remarks::tell_of_pictures(&first, &plan.view, &job.video, &format);
    let sound = worker.unless_stopped(sound::find(worker, job, &plan, &scratch)).await?;
    let feeder = worker.unless_stopped(first.feed(format, queue)).await?;
    let video = scratch.path().join(job.video.name.as_str());
    let encode = Encode {
        ffmpeg: &ffmpeg,
        size: format.coded_size(),
        pixel_aspect: (format.aspect.width, format.aspect.height),
        fps: plan.fps,
        video: &job.video,
        sound: sound.as_ref(),
        output: &video,
        environment: &worker.confinement.environment,
    };
    let sheet = async {
        if !has_previews {
            return None;
        }
        let frames = contact_sheet::On::Only(&goal.frames);
        contact_sheet::store(worker, &job.output, frames, true).await
    };
    let (tail, sheet) = encode_sequence(worker, encode, feeder, &goal, sheet).await?;
    let found = probe(worker, &ffprobe, &video, &goal, &tail).await?;
    let frame_count = goal.frames.len() as u64;
    if found.frames != frame_count {
        return Err(goal.wrong_result(&found.to_string(), &tail));
    }
    let bytes = upload(worker, video, &goal.video).await?;
    if has_previews {
        report.previews = Some(format!("{PREVIEWS_DIR}/"));
        report.contact_sheet = sheet;
    }
    tracing::info!(bytes, frames = frame_count, "stored {}: {found}, {bytes} bytes", goal.video);
    report.video = Some(VideoReport {
        file: job.video.name.as_str().to_owned(),
        bytes,
        frames: found.frames,
        fps: plan.fps.to_string(),
        codec: found.codec,
        width: found.width,
        height: found.height,
        ffmpeg: found.ffmpeg,
    });
    Ok(())
}

/// The largest width and height of the pictures that are whole, and the shape of their pixels, square
/// if that differs; `None` if none is whole.
///
/// # Errors
/// [`Error::Storage`] if a frame cannot be read.
async fn largest_size(frames: Prefetch, maker: FrameMaker) -> Result<Option<Shape>, Error> {
    let mut frames = Decoding::start(frames, Arc::new(maker), None);
    let mut largest: Option<Shape> = None;
    while let Some(frame) = frames.next().await.transpose()? {
        if let Image::Whole { shape, .. } = frame.image {
            let so_far = largest.unwrap_or(shape);
            let same = so_far.aspect == shape.aspect;
            largest = Some(Shape {
                width: so_far.width.max(shape.width),
                height: so_far.height.max(shape.height),
                aspect: if same { shape.aspect } else { PixelAspect::SQUARE },
            });
        }
    }
    Ok(largest)
}

/// Stores the video. It is whole, so a stop request does not abort the upload while time is left.
async fn upload(worker: &Worker, path: PathBuf, video: &Location) -> Result<u64, Error> {
    let file = File::open(&path).map_err(|source| Error::Scratch { path, source })?;
    tokio::select! {
        stored = worker.storage.upload(file, video, None) => Ok(stored?),
        () = worker.shutdown.no_time_to_store() => {
            Err(worker.interrupted(format!("{video} is made, but not stored")))
        }
    }
}

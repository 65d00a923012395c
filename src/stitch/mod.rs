//! `stitch`: fetches the frames in order, encodes them with FFmpeg, and stores the video once it is
//! proven to hold every one of them.

mod frame_feeder;
mod numbered_name;
mod prefetch;
mod render_reports;
mod sequence;
mod video_check;

pub use sequence::{Sequence, Slot};

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::blender::SceneInfo;
use crate::ending::Ending;
use crate::error::{Error, frames_are};
use crate::ffmpeg;
use crate::ffmpeg::{Cause, Encode, LogTail, ProgressParser};
use crate::process::shutdown::Stage;
use crate::process::supervisor::memory::MemoryWatch;
use crate::process::supervisor::watchdog::Watchdog;
use crate::process::supervisor::{End, Event, Running, Stdin, Stream, shell_line};
use crate::request::{
    FRAMES_DIR, FrameRange, FrameRate, FrameSet, Location, REPORTS_DIR, SequenceSelection,
    StitchJob,
};
use crate::storage::Entry;
use crate::telemetry::logging::DETAILS;
use crate::worker::log_rate_limiter::LogRateLimiter;
use crate::worker::programs::{FFMPEG, FFPROBE};
use crate::worker::progress::Progress;
use crate::worker::report::{Action, Report, VideoReport};
use crate::worker::scratch::Scratch;
use crate::worker::{CHILD_GRACE, Worker, sandbox_policy};
use frame_feeder::FrameFeeder;
use prefetch::Prefetch;
use render_reports::RenderReports;
use video_check::{Goal, describe_alarm, probe};

/// How often progress is logged.
const HEARTBEAT: Duration = Duration::from_secs(5);

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
    // Fetch the first frames while the report is being stored.
    let window = job.max_prefetch;
    let (format, left_out) = (sequence.format, sequence.left_out);
    let range = range.filter(|_| sequence.is_numbered);
    let frames = Prefetch::start(worker.storage.clone(), folder.clone(), sequence, window);
    worker.prepare_output(&job.output, report).await?;
    if job.input != job.output {
        worker.warn_if_lost(&job.output);
    }
    let frame_count = goal.frames.len() as u64;
    tracing::info!(
        frames = goal.frames.to_string(),
        "stitching {frame_count} {format} frames, {}, of {folder} at {fps} frames a second",
        goal.frames
    );
    if left_out > 0 {
        let are = if left_out == 1 { "frame is" } else { "frames are" };
        tracing::warn!("{left_out} other {are} in {folder}, and not part of the video");
    }
    if let Some(range) = range {
        warn_of_differences(&job.frames, &goal.frames, range);
    }

    let video = scratch.path().join(job.video.name.as_str());
    let encode = Encode {
        ffmpeg: &ffmpeg,
        format,
        layer: None,
        fps,
        video: &job.video,
        output: &video,
        environment: &worker.confinement.environment,
    };
    let feeder = FrameFeeder::new(folder, frames, job.allow_gaps);
    let tail = encode_sequence(worker, encode, feeder, &goal).await?;
    let found = probe(worker, &ffprobe, &video, &goal, &tail).await?;
    if found.frames != frame_count {
        return Err(goal.wrong_result(&found.to_string(), &tail));
    }
    let bytes = upload(worker, video, &goal.video).await?;
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

/// Reads the reports beside the frames, unless the job needs nothing from them.
async fn read_reports(worker: &Worker, job: &StitchJob) -> Result<RenderReports, Error> {
    if job.video.fps.is_some() && !sequence::needs_scene_range(&job.frames) {
        return Ok(RenderReports::default());
    }
    Ok(RenderReports::find(&worker.storage, &job.input).await?)
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
    let fps = FrameRate::FALLBACK;
    tracing::warn!(
        "no report of render contains the scene's frame rate: taking {fps} frames a second \
         (--fps, FPS)"
    );
    Ok(fps)
}

/// Encodes the sequence to a file in scratch. The result is the end of FFmpeg's log.
async fn encode_sequence(
    worker: &Worker,
    mut encode: Encode<'_>,
    mut feeder: FrameFeeder,
    goal: &Goal,
) -> Result<LogTail, Error> {
    // FFmpeg's command line depends on the first frame: it selects the layer with the picture.
    let first = worker.unless_stopped(feeder.first()).await?;
    let layer = first.frame.layer.clone();
    encode.layer = layer.as_deref();
    let command = encode.command();
    tracing::info!(target: DETAILS, "starting {}", shell_line(&command));
    let policy = sandbox_policy::for_ffmpeg(worker, encode.ffmpeg, encode.output);
    let memory = MemoryWatch::begin();
    let mut child = Running::start(command, Stdin::Piped, &worker.sandbox, policy)
        .map_err(|error| Error::spawn(error, encode.ffmpeg.to_owned(), FFMPEG))?;
    let stdin = child.take_stdin();
    let stdin = stdin.ok_or_else(|| Error::Internal("FFmpeg has no standard input".to_owned()))?;

    let limits = worker.limits;
    let folders = encode.output.parent().map(Path::to_owned).into_iter().collect();
    let mut watchdog = Watchdog::watch(child.group(), folders, limits.stall.get(), None);
    let fetching = feeder.fetching();
    let mut feeding = std::pin::pin!(feeder.feed(first, stdin));
    let mut fed = None;
    let mut stage = Stage::Working;
    let mut stalled = None;
    let mut output = OutputMonitor::new(goal.frames.len());
    let end = loop {
        // An FFmpeg that waits for a frame has not stalled if that is still being fetched.
        let starved = fed.is_none() && fetching.load(Ordering::Relaxed);
        let stopping = stalled.is_some() || stage >= Stage::Stopping;
        tokio::select! {
            event = child.next() => match event {
                Event::Line(stream, line) => {
                    watchdog.sign_of_life();
                    output.line(stream, &line);
                }
                Event::Ended(end) => break end,
            },
            () = watchdog.sample(), if !stopping => {}
            result = &mut feeding, if fed.is_none() => {
                if result.is_err() {
                    child.stop(CHILD_GRACE);
                }
                fed = Some(result);
            }
            reached = worker.shutdown.beyond(stage) => {
                stage = reached;
                worker.stop_child(&child, stage);
            }
        }
        watchdog.time_passes(starved);
        if let Some(alarm) = watchdog.alarm().filter(|_| !stopping) {
            let why = describe_alarm("FFmpeg", alarm);
            tracing::warn!("{why}: stopping it");
            stalled = Some(why);
            child.stop(CHILD_GRACE);
        }
    };
    output.log.end();
    if let (Some(why), None) = (stalled, worker.shutdown.requested()) {
        return Err(goal.failed(Cause::Failed(why), &output.tail));
    }
    match (fed, end) {
        // A frame that cannot be read or used is the cause of FFmpeg's end, not the reverse.
        (Some(Err(error)), _) => Err(error),
        (_, End::Own(Ending::Code(0))) => match output.frame_mismatch() {
            None => Ok(output.tail),
            Some(found) => Err(goal.wrong_result(&found, &output.tail)),
        },
        _ => Err(goal.no_result(worker, end, memory.killer(), &output.tail)),
    }
}

/// Handles the output of FFmpeg while it encodes.
struct OutputMonitor {
    parser: ProgressParser,
    reached: ffmpeg::Progress,
    progress: Progress,
    tail: LogTail,
    log: LogRateLimiter,
}

impl OutputMonitor {
    fn new(total: usize) -> Self {
        Self {
            parser: ProgressParser::default(),
            reached: ffmpeg::Progress::default(),
            progress: Progress::begin(total),
            tail: LogTail::default(),
            log: LogRateLimiter::new("ffmpeg"),
        }
    }

    fn line(&mut self, stream: Stream, line: &str) {
        match stream {
            Stream::Stdout => {
                if let Some(reached) = self.parser.push(line) {
                    self.reached = reached;
                    self.progress.set_done(usize::try_from(reached.frames).unwrap_or(usize::MAX));
                    if self.progress.is_due(HEARTBEAT) {
                        tracing::info!("encoded {}", self.progress);
                    }
                }
            }
            Stream::Stderr => {
                self.tail.push(line);
                self.log.pass(|| tracing::error!(program = "ffmpeg", "{line}"));
            }
        }
    }

    /// The frames that FFmpeg reports as duplicated or dropped, if there are any.
    fn frame_mismatch(&self) -> Option<String> {
        let ffmpeg::Progress { duplicated, dropped, .. } = self.reached;
        (duplicated > 0 || dropped > 0)
            .then(|| format!("it duplicated {duplicated} and dropped {dropped} of them"))
    }
}

//! `stitch`: frames flow in order out of storage into FFmpeg; the video goes out
//! when it is proven to hold every one of them.

mod frame_feeder;
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
use crate::error::Error;
use crate::ffmpeg;
use crate::ffmpeg::{Cause, Encode, LogTail, ProgressParser};
use crate::process::shutdown::Stage;
use crate::process::supervisor::memory::MemoryWatch;
use crate::process::supervisor::watchdog::Watchdog;
use crate::process::supervisor::{End, Event, Running, Stdin, Stream, shell_line};
use crate::request::{FRAMES_DIR, FrameRate, FrameSet, Location, REPORTS_DIR, StitchJob};
use crate::storage::Entry;
use crate::worker::log_rate_limiter::LogRateLimiter;
use crate::worker::programs::{FFMPEG, FFPROBE};
use crate::worker::progress::Progress;
use crate::worker::report::{Action, Report, VideoReport};
use crate::worker::scratch::Scratch;
use crate::worker::{CHILD_GRACE, Worker, sandbox_policy};
use frame_feeder::FrameFeeder;
use prefetch::Prefetch;
use render_reports::Rendered;
use video_check::{Goal, probe, words};

/// How often progress is told.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Stitches what `job` asks for, and leaves a report of it.
///
/// # Errors
/// If the video is not stored, with every frame in it, in the end.
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
    worker.sandbox.suffices().map_err(Error::Sandbox)?;
    let scratch = Scratch::make(worker)?;
    let found = async {
        let (frames, rendered) = tokio::join!(find_frames(worker, job), find_scene(worker, job));
        // Where neither can be listed, it is said of the frames.
        Ok::<_, Error>((frames?, rendered?))
    };
    let ((folder, entries), rendered) = worker.unless_stopped(found).await?;
    let range = rendered.scene.as_ref().and_then(SceneInfo::range);
    let sequence = Sequence::arrange(&folder, entries, &job.frames, range, job.allow_gaps)?;
    let fps = frame_rate(job, &rendered, &sequence)?;
    let frames: FrameSet = sequence.slots.iter().map(|slot| slot.number).collect();
    report.asked(&frames);
    let goal = Goal { video: job.output.join(job.video.name.as_str()), frames };
    // The first frames come while the report goes.
    let window = job.max_prefetch;
    let (format, left_out) = (sequence.format, sequence.left_out);
    let frames = Prefetch::start(worker.storage.clone(), folder.clone(), sequence, window);
    worker.prepare_output(&job.output, report).await?;
    let given = goal.frames.len() as u64;
    tracing::info!(
        frames = goal.frames.to_string(),
        "stitching {given} {format} frames, {}, of {folder} at {fps} frames a second",
        goal.frames
    );
    if left_out > 0 {
        tracing::warn!("{left_out} frames in {folder} are not part of the video");
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
    let supply = FrameFeeder::new(folder, frames, job.allow_gaps);
    let tail = encode_sequence(worker, encode, supply, &goal).await?;
    let found = probe(worker, &ffprobe, &video, &goal, &tail).await?;
    if found.frames != given {
        return Err(goal.wrong(&found.to_string(), &tail));
    }
    let bytes = upload(worker, video, &goal.video).await?;
    tracing::info!(bytes, frames = given, "stored {}: {found}, {bytes} bytes", goal.video);
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

/// Stores the video. It is whole, so after a signal it is stored as long as there is time.
async fn upload(worker: &Worker, path: PathBuf, video: &Location) -> Result<u64, Error> {
    let file = File::open(&path).map_err(|source| Error::Scratch { path, source })?;
    tokio::select! {
        stored = worker.storage.upload(file, video, None) => Ok(stored?),
        () = worker.shutdown.no_time_to_store() => match worker.shutdown.requested() {
            Some(by) => Err(Error::Interrupted { by, left: format!("{video} is made and not stored") }),
            None => Err(Error::Internal("time was up, and nobody set a time".to_owned())),
        }
    }
}

/// The folder that holds the frames, and what lies in it: `frames/` below the input,
/// or the input itself where that is a folder of images.
async fn find_frames(worker: &Worker, job: &StitchJob) -> Result<(Location, Vec<Entry>), Error> {
    let frames = job.input.join(FRAMES_DIR);
    let entries = worker.storage.list(&frames).await?;
    if entries.is_empty() {
        // Where there is nothing either, it is this folder that was named.
        let beside = worker.storage.list(&job.input).await?;
        return Ok((job.input.clone(), beside));
    }
    Ok((frames, entries))
}

/// What is known of the scene that the frames were rendered from, where that is needed.
async fn find_scene(worker: &Worker, job: &StitchJob) -> Result<Rendered, Error> {
    if job.video.fps.is_some() && !sequence::needs_scene_range(&job.frames) {
        return Ok(Rendered::default());
    }
    Ok(Rendered::find(&worker.storage, &job.input).await?)
}

/// How many frames a second the video has. Of images from anywhere that is guessed, with a
/// warning; of what we have rendered it is known, or a mistake to be told of.
fn frame_rate(
    job: &StitchJob,
    rendered: &Rendered,
    sequence: &Sequence,
) -> Result<FrameRate, Error> {
    let scene = rendered.scene.as_ref();
    let known = job.video.fps.or_else(|| scene.and_then(SceneInfo::frame_rate));
    if let Some(fps) = known {
        return Ok(fps);
    }
    if rendered.has_reports && sequence.is_named_by_blender() {
        return Err(Error::NoFrameRate { reports: job.input.join(REPORTS_DIR) });
    }
    let fps = FrameRate::FALLBACK;
    tracing::warn!(
        "no report of render tells the scene's frame rate: taking {fps} frames a second (--fps, FPS)"
    );
    Ok(fps)
}

/// Encodes the sequence to a file in scratch; the result is what FFmpeg said.
async fn encode_sequence(
    worker: &Worker,
    mut encode: Encode<'_>,
    mut supply: FrameFeeder,
    goal: &Goal,
) -> Result<LogTail, Error> {
    // Looked at before FFmpeg starts: it tells which layer is the picture.
    let first = worker.unless_stopped(supply.first()).await?;
    let layer = first.frame.layer.clone();
    encode.layer = layer.as_deref();
    let command = encode.command();
    tracing::info!("starting {}", shell_line(&command));
    let policy = sandbox_policy::for_ffmpeg(worker, encode.ffmpeg, encode.output);
    let memory = MemoryWatch::begin();
    let mut child = Running::start(command, Stdin::Piped, &worker.sandbox, policy)
        .map_err(|error| Error::spawn(error, encode.ffmpeg.to_owned(), FFMPEG))?;
    let stdin = child.take_stdin();
    let stdin = stdin.ok_or_else(|| Error::Internal("FFmpeg has no standard input".to_owned()))?;

    let limits = worker.limits;
    let folders = encode.output.parent().map(Path::to_owned).into_iter().collect();
    let mut watchdog = Watchdog::watch(child.group(), folders, limits.stall.get(), None);
    let fetching = supply.fetching();
    let mut feeding = std::pin::pin!(supply.feed(first, stdin));
    let mut fed = None;
    let mut stage = Stage::Working;
    let mut stalled = None;
    let mut watch = Watch::begin(goal.frames.len());
    let end = loop {
        // FFmpeg, that waits for a frame that is still on its way to us, is not to blame.
        let starved = fed.is_none() && fetching.load(Ordering::Relaxed);
        let stopping = stalled.is_some() || stage >= Stage::Stopping;
        tokio::select! {
            event = child.next() => match event {
                Event::Line(stream, line) => {
                    watchdog.sign_of_life();
                    watch.line(stream, &line);
                }
                Event::Ended(end) => break end,
            },
            () = watchdog.look(), if !stopping => {}
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
            let why = words("FFmpeg", alarm);
            tracing::warn!("{why}: stopping it");
            stalled = Some(why);
            child.stop(CHILD_GRACE);
        }
    };
    watch.flood.end();
    if let (Some(why), None) = (stalled, worker.shutdown.requested()) {
        return Err(goal.failed(Cause::Failed(why), &watch.tail));
    }
    match (fed, end) {
        // A frame that cannot be had or used explains FFmpeg's end, not the reverse.
        (Some(Err(error)), _) => Err(error),
        (_, End::Own(Ending::Code(0))) => match watch.unfaithful() {
            None => Ok(watch.tail),
            Some(found) => Err(goal.wrong(&found, &watch.tail)),
        },
        _ => Err(goal.missed(worker, end, memory.killer(), &watch.tail)),
    }
}

/// What FFmpeg tells while it encodes.
struct Watch {
    parser: ProgressParser,
    reached: ffmpeg::Progress,
    progress: Progress,
    tail: LogTail,
    flood: LogRateLimiter,
}

impl Watch {
    fn begin(total: usize) -> Self {
        Self {
            parser: ProgressParser::default(),
            reached: ffmpeg::Progress::default(),
            progress: Progress::begin(total),
            tail: LogTail::default(),
            flood: LogRateLimiter::of("ffmpeg"),
        }
    }

    fn line(&mut self, stream: Stream, line: &str) {
        match stream {
            Stream::Stdout => {
                if let Some(reached) = self.parser.push(line) {
                    self.reached = reached;
                    self.progress.reached(usize::try_from(reached.frames).unwrap_or(usize::MAX));
                    if self.progress.is_due(HEARTBEAT) {
                        tracing::info!("encoded {}", self.progress);
                    }
                }
            }
            Stream::Stderr => {
                self.tail.push(line);
                self.flood.pass(|| tracing::error!(program = "ffmpeg", "{line}"));
            }
        }
    }

    /// The frames that FFmpeg says it invented or left out, if there are any.
    fn unfaithful(&self) -> Option<String> {
        let ffmpeg::Progress { duplicated, dropped, .. } = self.reached;
        (duplicated > 0 || dropped > 0)
            .then(|| format!("it duplicated {duplicated} and dropped {dropped} of them"))
    }
}

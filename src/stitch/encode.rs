//! Runs FFmpeg: feeds it frames, follows it, and judges how it ended.

use std::path::Path;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::frames::feeder::FrameFeeder;
use super::video_check::{Goal, describe_alarm};
use crate::ending::Ending;
use crate::error::Error;
use crate::ffmpeg;
use crate::ffmpeg::{Cause, Encode, LogTail, ProgressParser};
use crate::process::shutdown::Stage;
use crate::process::supervisor::memory::MemoryWatch;
use crate::process::supervisor::watchdog::Watchdog;
use crate::process::supervisor::{End, Event, Running, Stdin, Stream, shell_line};
use crate::telemetry::logging::DETAILS;
use crate::worker::log_rate_limiter::LogRateLimiter;
use crate::worker::programs::FFMPEG;
use crate::worker::progress::Progress;
use crate::worker::{CHILD_GRACE, Worker, sandbox_policy};

/// How often progress is logged.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Encodes the sequence to a file in scratch. Once FFmpeg has all frames, `contact_sheet` runs while
/// FFmpeg finishes. The results are the end of FFmpeg's log and what `contact_sheet` returns.
///
/// # Errors
/// - [`Error::Program`] if FFmpeg cannot be started.
/// - [`Error::UnusableFrames`] or [`Error::Storage`] if a frame cannot be used or read.
/// - [`Error::Ffmpeg`] if FFmpeg fails, stalls, or ends with other frames than it was given.
/// - [`Error::Interrupted`] if the job is stopped meanwhile.
pub async fn encode_sequence(
    worker: &Worker,
    encode: Encode<'_>,
    feeder: FrameFeeder,
    goal: &Goal,
    contact_sheet: impl Future<Output = Option<String>>,
) -> Result<(LogTail, Option<String>), Error> {
    let command = encode.command();
    tracing::info!(target: DETAILS, "starting {}", shell_line(&command));
    let sound = encode.sound.map(|sound| sound.file.as_path());
    let policy = sandbox_policy::for_ffmpeg(worker, encode.ffmpeg, encode.output, sound);
    let memory = MemoryWatch::begin();
    let mut child = Running::start(command, Stdin::Piped, &worker.sandbox, policy)
        .map_err(|error| Error::spawn(error, encode.ffmpeg.to_owned(), FFMPEG))?;
    let stdin = child.take_stdin();
    let stdin = stdin.ok_or_else(|| Error::Internal("FFmpeg has no standard input".to_owned()))?;

    let limits = worker.limits;
    let folders = encode.output.parent().map(Path::to_owned).into_iter().collect();
    let mut watchdog = Watchdog::watch(child.group(), folders, limits.stall.get(), None);
    let waiting = feeder.waiting();
    let mut feeding = pin!(async {
        feeder.run(stdin).await?;
        Ok::<_, Error>(contact_sheet.await)
    });
    let mut fed = None;
    let mut stage = Stage::Working;
    let mut stalled = None;
    let mut output = OutputMonitor::new(goal.frames.len(), LogTail::of(sound));
    let end = loop {
        // An FFmpeg that waits for a frame has not stalled if that is still being fetched or decoded.
        let starved = fed.is_none() && waiting.load(Ordering::Relaxed);
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
    // A frame that cannot be read or used is the cause of FFmpeg's end, not the reverse.
    let fed = fed.transpose()?;
    if !matches!(end, End::Own(Ending::Code(0))) {
        return Err(goal.no_result(worker, end, memory.killer(), &output.tail));
    }
    if let Some(found) = output.frame_mismatch() {
        return Err(goal.wrong_result(&found, &output.tail));
    }
    // FFmpeg may be quicker than the storage of the last previews.
    let contact_sheet = match fed {
        Some(contact_sheet) => contact_sheet,
        None => feeding.await?,
    };
    Ok((output.tail, contact_sheet))
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
    fn new(total: usize, tail: LogTail) -> Self {
        Self {
            parser: ProgressParser::default(),
            reached: ffmpeg::Progress::default(),
            progress: Progress::of_encoding(total),
            tail,
            log: LogRateLimiter::new("ffmpeg".to_owned()),
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

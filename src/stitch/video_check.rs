//! Checks that a video is what it should be, and turns the failures of FFmpeg and `FFprobe` into
//! errors.

use std::path::Path;

use crate::ending::{Ending, Killer};
use crate::error::Error;
use crate::ffmpeg::{Cause, LogTail, VideoInfo, count_frames};
use crate::process::shutdown::Stage;
use crate::process::supervisor::memory::MemoryWatch;
use crate::process::supervisor::watchdog::{Alarm, Watchdog};
use crate::process::supervisor::{End, Event, Running, Stdin, Stream, shell_line};
use crate::request::{FrameSet, Location};
use crate::worker::programs::FFPROBE;
use crate::worker::{CHILD_GRACE, Worker, sandbox_policy};

/// How much of `FFprobe`'s output is kept, in bytes. It is always much shorter.
const MAX_OUTPUT: usize = 1024 * 1024;

/// The video to make; errors name it.
#[derive(Debug)]
pub struct Goal {
    /// The location of the video.
    pub video: Location,
    /// The frames that it must hold.
    pub frames: FrameSet,
}

impl Goal {
    /// The error when FFmpeg or `FFprobe` ended without a result.
    pub fn no_result(&self, worker: &Worker, end: End, killer: Killer, tail: &LogTail) -> Error {
        match (end, worker.shutdown.requested()) {
            (_, Some(by)) => Error::Interrupted { by, left: format!("{} is not made", self.video) },
            (End::Own(ending), None) => self.failed(tail.diagnose(ending, killer), tail),
            (End::Stopped, None) => {
                Error::Internal("FFmpeg was stopped without a reason".to_owned())
            }
        }
    }

    /// The error when FFmpeg ended with success, but made `found`.
    pub fn wrong_result(&self, found: &str, tail: &LogTail) -> Error {
        let cause = match tail.diagnose(Ending::Code(0), Killer::Unknown) {
            Cause::Failed(_) => Cause::Failed(format!(
                "FFmpeg was given {} frames, but made something else: {found}",
                self.frames.len()
            )),
            // FFmpeg 5 may end with success on a full disk.
            cause => cause,
        };
        self.failed(cause, tail)
    }

    /// The error when FFmpeg or `FFprobe` failed for a known cause.
    pub fn failed(&self, cause: Cause, tail: &LogTail) -> Error {
        let (video, frames) = (self.video.clone(), self.frames.clone());
        Error::Ffmpeg { cause, video, frames, excerpt: tail.excerpt() }
    }
}

/// Measures a video with `FFprobe`. `tail` is the end of FFmpeg's log.
///
/// # Errors
/// - [`Error::Program`] if `FFprobe` cannot be started.
/// - [`Error::Ffmpeg`] if it fails, stalls, or finds no video.
/// - [`Error::Interrupted`] if the job is stopped meanwhile.
pub async fn probe(
    worker: &Worker,
    ffprobe: &Path,
    video: &Path,
    goal: &Goal,
    tail: &LogTail,
) -> Result<VideoInfo, Error> {
    let command = count_frames(ffprobe, video, &worker.confinement.environment);
    tracing::debug!("starting {}", shell_line(&command));
    let policy = sandbox_policy::for_ffprobe(worker, ffprobe, video);
    let memory = MemoryWatch::begin();
    let mut child = Running::start(command, Stdin::Null, &worker.sandbox, policy)
        .map_err(|error| Error::spawn(error, ffprobe.to_owned(), FFPROBE))?;
    let (mut output, mut tail) = (String::new(), tail.clone());
    let mut watchdog = Watchdog::watch(child.group(), Vec::new(), worker.limits.stall.get(), None);
    let mut stage = Stage::Working;
    let mut stalled = None;
    let end = loop {
        let stopping = stalled.is_some() || stage >= Stage::Stopping;
        tokio::select! {
            event = child.next() => match event {
                Event::Line(stream, line) => {
                    watchdog.sign_of_life();
                    match stream {
                        // The limit keeps a hostile video from filling the memory.
                        Stream::Stdout if output.len() <= MAX_OUTPUT => output.push_str(&line),
                        Stream::Stdout => {}
                        Stream::Stderr => tail.push(&line),
                    }
                }
                Event::Ended(end) => break end,
            },
            () = watchdog.sample(), if !stopping => {}
            reached = worker.shutdown.beyond(stage) => {
                stage = reached;
                worker.stop_child(&child, stage);
            }
        }
        watchdog.time_passes(false);
        if let Some(alarm) = watchdog.alarm().filter(|_| !stopping) {
            let why = describe_alarm("FFprobe", alarm);
            tracing::warn!("{why}: stopping it");
            stalled = Some(why);
            child.stop(CHILD_GRACE);
        }
    };
    if let (Some(why), None) = (stalled, worker.shutdown.requested()) {
        return Err(goal.failed(Cause::Failed(why), &tail));
    }
    match (VideoInfo::parse(&output), end) {
        (Some(found), _) => Ok(found),
        (None, End::Own(ending @ Ending::Code(_))) if ending.signal().is_none() => {
            Err(goal.wrong_result(&format!("no video that FFprobe can read ({ending})"), &tail))
        }
        (None, end) => Err(goal.no_result(worker, end, memory.killer(), &tail)),
    }
}

/// Describes a stall of a program for logs and errors.
pub fn describe_alarm(program: &str, alarm: Alarm) -> String {
    let (Alarm::Stalled(span) | Alarm::Overtime(span)) = alarm;
    format!(
        "{program} stalled: no line printed, no CPU time used and no file written for {} \
         (--stall-timeout, STALL_TIMEOUT)",
        humantime::format_duration(span)
    )
}

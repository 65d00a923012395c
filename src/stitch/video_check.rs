//! What a video is to be, what it turned out to be, and what it means when that is not the same.

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

/// Longer than any answer of `FFprobe` is.
const LONGEST_ANSWER: usize = 1024 * 1024;

/// What is to be made, for errors to name.
#[derive(Debug)]
pub struct Goal {
    /// Where it goes.
    pub video: Location,
    /// What it is made of.
    pub frames: FrameSet,
}

impl Goal {
    /// What it means that FFmpeg or `FFprobe` ended without a result.
    pub fn missed(&self, worker: &Worker, end: End, killer: Killer, tail: &LogTail) -> Error {
        match (end, worker.shutdown.requested()) {
            (_, Some(by)) => Error::Interrupted { by, left: format!("{} is not made", self.video) },
            (End::Own(ending), None) => self.failed(tail.diagnose(ending, killer), tail),
            (End::Stopped, None) => {
                Error::Internal("FFmpeg was stopped, and nobody asked for it".to_owned())
            }
        }
    }

    /// What it means that FFmpeg ended as if all was well, and made `found`.
    pub fn wrong(&self, found: &str, tail: &LogTail) -> Error {
        let cause = match tail.diagnose(Ending::Code(0), Killer::Unknown) {
            // A full disk may be no failure to FFmpeg 5.
            cause @ (Cause::Lacking | Cause::Disk | Cause::Frames | Cause::Killed(_)) => cause,
            Cause::Failed(_) => Cause::Failed(format!(
                "FFmpeg was given {} frames and made something else: {found}",
                self.frames.len()
            )),
        };
        self.failed(cause, tail)
    }

    pub fn failed(&self, cause: Cause, tail: &LogTail) -> Error {
        let (video, frames) = (self.video.clone(), self.frames.clone());
        Error::Ffmpeg { cause, video, frames, said: tail.last_words() }
    }
}

/// Measures a video, of which FFmpeg said `tail`.
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
    let (mut answer, mut tail) = (String::new(), tail.clone());
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
                        // The answer is short; a video cannot make it long.
                        Stream::Stdout if answer.len() <= LONGEST_ANSWER => answer.push_str(&line),
                        Stream::Stdout => {}
                        Stream::Stderr => tail.push(&line),
                    }
                }
                Event::Ended(end) => break end,
            },
            () = watchdog.look(), if !stopping => {}
            reached = worker.shutdown.beyond(stage) => {
                stage = reached;
                worker.stop_child(&child, stage);
            }
        }
        watchdog.time_passes(false);
        if let Some(alarm) = watchdog.alarm().filter(|_| !stopping) {
            let why = words("FFprobe", alarm);
            tracing::warn!("{why}: stopping it");
            stalled = Some(why);
            child.stop(CHILD_GRACE);
        }
    };
    if let (Some(why), None) = (stalled, worker.shutdown.requested()) {
        return Err(goal.failed(Cause::Failed(why), &tail));
    }
    match (VideoInfo::parse(&answer), end) {
        (Some(found), _) => Ok(found),
        (None, End::Own(ending @ Ending::Code(_))) if ending.signal().is_none() => {
            Err(goal.wrong(&format!("no video that FFprobe can read ({ending})"), &tail))
        }
        (None, end) => Err(goal.missed(worker, end, memory.killer(), &tail)),
    }
}

/// What an alarm of a program means.
pub fn words(program: &str, alarm: Alarm) -> String {
    let (Alarm::Stalled(span) | Alarm::Overtime(span)) = alarm;
    format!(
        "{program} stalled: no line printed, no CPU time used and no file written for {} \
         (--stall-timeout, STALL_TIMEOUT)",
        humantime::format_duration(span)
    )
}

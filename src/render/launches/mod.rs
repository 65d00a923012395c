//! The rendering of a frame set: Blender is launched, what it saves is delivered, and how
//! it ended, with what is missing, becomes the verdict: all is done, or Blender is launched
//! again with what is missing, or there is no use in that.

mod crash_file;
mod disk;
mod failure_counts;
mod launch;
mod scene_answer;
mod spot_decision;
mod verdict;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use super::delivery::{Delivered, Delivery, Outcome};
use super::reuse::fingerprint_task::FingerprintTask;
use crate::blender::{Launch, SceneFile, SceneInfo};
use crate::error::Error;
use crate::error_chain::chain;
use crate::process::supervisor::{End, Running, Stdin, shell_line};
use crate::request::{FrameFile, FrameNumber, FrameSet, ImageFormat, REPORTS_DIR, RenderJob};
use crate::space::Space;
use crate::storage::StorageError;
use crate::worker::log_rate_limiter::LogRateLimiter;
use crate::worker::programs::BLENDER;
use crate::worker::progress::Progress;
use crate::worker::report::{FrameReport, FrameState, LaunchReport};
use crate::worker::{Worker, in_time, sandbox_policy};
use failure_counts::FailureCounts;
use launch::{Current, Stop};
pub use scene_answer::ANSWER;

/// Crash files that are kept of an attempt: a frame that crashes Blender does so again.
const CRASH_FILES: usize = 10;

/// Launches of Blender and the delivery of its frames.
#[derive(Debug)]
pub struct Rendering<'a> {
    worker: &'a Worker,
    job: &'a RenderJob,
    frames: &'a FrameSet,
    file: &'a SceneFile,
    frames_dir: &'a Path,
    /// Where the setup script answers.
    answer_dir: &'a Path,
    delivery: Delivery,
    /// What the frames are made from.
    origin: FingerprintTask,
    progress: Progress,
    /// The report's name, which crash files take after.
    report: String,
    strikes: FailureCounts,
    /// Whether earlier attempts left frames of this job that are as good as new.
    pub resumed: bool,
    /// The launch that runs, or was the last one.
    current: Current,
    flood: LogRateLimiter,
    /// The scene, once Blender has described it.
    pub scene: Option<SceneInfo>,
    /// Blender's own words when it last failed.
    said: Vec<String>,
    /// Every launch that has ended.
    pub launches: Vec<LaunchReport>,
    seconds: BTreeMap<FrameNumber, f64>,
    /// The frames that are stored.
    pub stored: BTreeMap<i32, FrameReport>,
    /// The frames that this launch saved and that are not whole: what is wrong.
    damaged: BTreeMap<FrameNumber, String>,
    /// The scratch disk, when a frame was not whole for want of room.
    disk_full: Option<Space>,
    /// Why frames could not be stored, so far.
    not_stored: BTreeMap<FrameNumber, StorageError>,
    /// Since when there is nothing left to do.
    all_stored: Option<Instant>,
    /// Whether Blender is stopped as soon as the frame in hand is saved.
    last_frame: bool,
}

impl<'a> Rendering<'a> {
    /// Frames of `job` that nobody has begun to render.
    pub fn new(
        worker: &'a Worker,
        job: &'a RenderJob,
        frames: &'a FrameSet,
        file: &'a SceneFile,
        (frames_dir, answer_dir): (&'a Path, &'a Path),
        origin: FingerprintTask,
        report: String,
    ) -> Self {
        Self {
            worker,
            job,
            frames,
            file,
            frames_dir,
            answer_dir,
            delivery: Delivery::new(
                worker.storage.clone(),
                &job.output,
                job.max_backlog,
                worker.shutdown.clone(),
                worker.timeouts,
            ),
            origin,
            progress: Progress::begin(frames.len()),
            report,
            strikes: FailureCounts::new(worker.limits.blender_attempts.get()),
            resumed: false,
            current: Current::begin(FrameSet::default(), None),
            flood: LogRateLimiter::of("blender"),
            scene: None,
            said: Vec::new(),
            launches: Vec::new(),
            seconds: BTreeMap::new(),
            stored: BTreeMap::new(),
            damaged: BTreeMap::new(),
            disk_full: None,
            not_stored: BTreeMap::new(),
            all_stored: None,
            last_frame: false,
        }
    }

    /// Renders and delivers them.
    ///
    /// # Errors
    /// If not every frame is stored in the end.
    pub async fn run(&mut self, launch: &Launch<'_>) -> Result<(), Error> {
        loop {
            let frames = self.next();
            if frames.is_empty() {
                return self.conclude();
            }
            if let Some(by) = self.worker.shutdown.leaving() {
                return Err(self.interrupted(by));
            }
            self.sweep(&frames);
            let (end, stop) = self.launch(&Launch { frames: &frames, ..*launch }).await?;
            if let Some(cause) = self.judge(end, stop)? {
                self.count(cause)?;
            }
        }
    }

    /// The frames that are still to be rendered.
    fn pending(&self) -> FrameSet {
        let open = |frame: &FrameNumber| {
            !self.stored.contains_key(&frame.get()) && !self.strikes.is_aside(*frame)
        };
        self.frames.iter().filter(open).collect()
    }

    /// The frames that are rendered next: all that are pending. After a failure, while none was
    /// ever stored, those that Blender has not failed at yet, from the middle on and then the last
    /// one, to see whether it is the frames.
    fn next(&self) -> FrameSet {
        let pending = self.pending();
        if self.some_stored() {
            return pending;
        }
        let untried: FrameSet =
            pending.iter().filter(|&frame| !self.strikes.has_failed_at(frame)).collect();
        let skipped = match self.strikes.frames() {
            0 => 0,
            1 => untried.len() / 2,
            _ => untried.len().saturating_sub(1),
        };
        if untried.is_empty() { pending } else { untried.iter().skip(skipped).collect() }
    }

    /// The frames that the last launch was started for and that are still to be rendered.
    fn pending_of_launch(&self) -> FrameSet {
        let of_launch = |frame: &FrameNumber| self.current.frames.contains(*frame);
        self.pending().iter().filter(of_launch).collect()
    }

    /// Whether any frame was ever stored: then the scene can be rendered.
    fn some_stored(&self) -> bool {
        self.resumed || !self.stored.is_empty()
    }

    /// The frames that are not stored.
    fn missing(&self) -> FrameSet {
        self.frames.iter().filter(|frame| !self.stored.contains_key(&frame.get())).collect()
    }

    /// Removes what an earlier launch left of these frames. What was whole is stored.
    fn sweep(&self, frames: &FrameSet) {
        // Its answer, too. What cannot be removed is no answer.
        _ = std::fs::remove_file(self.answer_dir.join(ANSWER));
        for frame in frames.iter().filter(|_| !self.launches.is_empty()) {
            for format in ImageFormat::ALL {
                let file = self.frames_dir.join(FrameFile::name(frame, format));
                if std::fs::remove_file(&file).is_ok() {
                    tracing::debug!("removed {}", file.display());
                }
            }
        }
    }

    /// One launch, from its start until everything that it saved is stored.
    async fn launch(&mut self, launch: &Launch<'_>) -> Result<(End, Option<Stop>), Error> {
        let space = Space::on(launch.frames_dir).ok();
        if let Some(space) = space.clone().filter(Space::is_full) {
            let scene = self.job.scene.clone();
            return Err(Error::ScratchFull { scene, missing: self.missing(), space, needed: None });
        }
        self.current = Current::begin(launch.frames.clone(), space);
        self.damaged.clear();
        self.all_stored = None;
        let command = launch.command();
        tracing::info!("starting {}", shell_line(&command));
        self.origin.launches();
        let policy = sandbox_policy::for_blender(self.worker, launch, &self.job.scene);
        let mut child = Running::start(command, Stdin::Null, &self.worker.sandbox, policy)
            .map_err(|error| Error::spawn(error, launch.blender.to_owned(), BLENDER))?;
        let (end, stop) = self.follow(&mut child, launch).await;
        // If it ended by itself after a notice: nothing more is begun.
        _ = self.worker.shutdown.leaving();
        self.flood.end();
        let outlived = self.deliver_the_rest().await;
        tokio::select! {
            () = self.origin.settled(self.worker.timeouts.fingerprint) => {}
            () = self.worker.shutdown.no_time_to_store() => {}
        }
        if matches!(stop, Some(Stop::Futile(_) | Stop::DiskFull(_))) {
            // Then it was for this, or for what waited and filled the disk, that Blender was
            // stopped and frames are missing.
            if let Some((frame, error)) = outlived.filter(|_| self.not_stored.is_empty()) {
                self.not_stored.insert(frame, error);
            }
        }
        let kills = self.current.memory.kills();
        if kills > 0 {
            tracing::warn!("the system killed {kills} of our processes for lack of memory");
        }
        let crash_file = self.keep_crash_file(launch.home).await;
        self.launches.push(LaunchReport {
            frames: launch.frames.to_string(),
            seconds: self.current.began.elapsed().as_secs_f64().round(),
            ended: match (&stop, end) {
                (Some(stop), _) => stop.to_string(),
                (None, End::Own(ending)) => ending.to_string(),
                (None, End::Stopped) => "stopped".to_owned(),
            },
            frame_in_hand: None,
            cause: None,
            crash_file,
        });
        Ok((end, stop))
    }

    /// Stores what Blender wrote of its crash, if it did; the result is its name.
    async fn keep_crash_file(&self, home: &Path) -> Option<String> {
        let text = crash_file::take(home)?;
        let kept = self.launches.iter().filter(|launch| launch.crash_file.is_some()).count();
        if kept >= CRASH_FILES {
            return None;
        }
        let name = format!("{}-launch-{}.crash.txt", self.report, self.launches.len() + 1);
        let location = self.job.output.join(REPORTS_DIR).join(&name);
        let written = self.worker.storage.write(&location, text.into());
        let no_time = self.worker.shutdown.no_time_to_store();
        match in_time(written, no_time, self.worker.timeouts.crash_file).await {
            Ok(()) => {
                tracing::warn!("Blender crashed and wrote why: {location}");
                Some(name)
            }
            Err(why) => {
                tracing::warn!("the crash file of Blender is not stored: {why}");
                None
            }
        }
    }

    /// Why it makes no sense to render on, if it makes none.
    fn futile(&self) -> Option<String> {
        let lasts = |error: &StorageError| !error.failure().passes();
        if self.not_stored.values().any(lasts) {
            return Some("stopping Blender: what cannot be stored need not be rendered".to_owned());
        }
        let backlog = self.delivery.backlog();
        backlog.is_hopeless(Instant::now().into()).then(|| {
            let (size, limit) = (backlog.size(), self.job.max_backlog);
            format!(
                "stopping Blender: none of the {size} that wait could be stored, and {limit} may \
                 wait (--max-backlog, MAX_BACKLOG)"
            )
        })
    }

    fn delivered(&mut self, Delivered { frame, outcome }: Delivered) {
        match outcome {
            Outcome::Stored { file, bytes } => {
                let seconds = self.seconds.get(&frame).copied().unwrap_or_default();
                self.damaged.remove(&frame);
                self.not_stored.remove(&frame);
                let state = FrameState::Rendered;
                let report = FrameReport { state, file, bytes, seconds: Some(seconds) };
                let before = self.stored.insert(frame.get(), report);
                self.progress.reached(self.stored.len());
                if before.is_none() && self.current.frames.contains(frame) {
                    self.current.left = self.current.left.saturating_sub(1);
                    if self.current.left == 0 {
                        self.all_stored = Some(Instant::now());
                    }
                }
                tracing::info!(
                    frame = frame.get(),
                    bytes,
                    seconds,
                    "frame {frame} stored: {}",
                    self.progress
                );
            }
            Outcome::Damaged { damage, disk_full } => {
                // What was only found, and not announced, may be the frame that Blender
                // was at when it ended.
                if self.current.saved.contains(&frame) {
                    // A script in the scene may announce it as often as it likes.
                    if self.damaged.insert(frame, damage.clone()).is_none() {
                        tracing::warn!(
                            frame = frame.get(),
                            "frame {frame} is not whole: its file {damage}"
                        );
                    }
                    self.disk_full = self.disk_full.take().or(disk_full);
                }
            }
            Outcome::NotStored(error) => {
                let text = chain(&error);
                let number = frame.get();
                if !error.failure().passes() {
                    tracing::error!(frame = number, "frame {frame} is not stored: {text}");
                } else if self.not_stored.contains_key(&frame) {
                    // Each time after the first one the backlog speaks for all of them.
                    tracing::debug!(frame = number, "frame {frame} is not stored yet: {text}");
                } else {
                    tracing::warn!(
                        frame = number,
                        "frame {frame} is not stored yet and waits: {text}"
                    );
                }
                self.not_stored.insert(frame, error);
            }
        }
    }

    /// After Blender's end: the frames that are still on their way, and those that it
    /// saved without saying so. What could not be stored for a while gets another chance;
    /// the result is why it needed one.
    async fn deliver_the_rest(&mut self) -> Option<(FrameNumber, StorageError)> {
        if !self.drain().await {
            return None;
        }
        let passes = |error: &StorageError| error.failure().passes();
        let passing: Vec<_> = self.not_stored.extract_if(.., |_, error| passes(error)).collect();
        let missing = self.pending();
        for frame in missing.iter().filter(|_| self.not_stored.is_empty()) {
            let files = ImageFormat::ALL.map(|format| FrameFile::name(frame, format));
            let mut files = files.iter().map(|name| self.frames_dir.join(name));
            if let Some(file) = files.find(|file| file.is_file()) {
                self.delivery.accept(frame, file, self.origin.of(frame));
            }
        }
        if !self.drain().await && self.worker.shutdown.requested().is_none() {
            // They were given up before they had failed once more. It is storage that failed.
            let open = |frame: &FrameNumber| !self.stored.contains_key(&frame.get());
            for (frame, error) in passing.into_iter().filter(|(frame, _)| open(frame)) {
                self.not_stored.entry(frame).or_insert(error);
            }
            return None;
        }
        passing.into_iter().next()
    }

    /// Waits for what is under way, as long as that moves; false if time was up before, or
    /// nothing gets through. Then frames that were saved are not stored, and why is known of
    /// each.
    async fn drain(&mut self) -> bool {
        let shutdown = self.worker.shutdown.clone();
        loop {
            tokio::select! {
                delivered = self.delivery.next_of_the_rest() => match delivered {
                    Some(delivered) => self.delivered(delivered),
                    None => return self.delivery.under_way() == 0,
                },
                () = shutdown.no_time_to_store() => {
                    self.delivery.give_up().await;
                    return false;
                }
            }
        }
    }
}

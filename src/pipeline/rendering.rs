//! The rendering of a frame set: Blender is launched, what it saves is delivered, and how
//! it ended, with what is missing, becomes the verdict.

mod launch;

use std::collections::BTreeMap;
use std::path::Path;
use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::delivery::{Delivered, Delivery, Outcome};
use super::programs::BLENDER;
use super::progress::Progress;
use super::report::FrameReport;
use super::{Worker, walls};
use crate::blender::{Cause, Launch, LogTail, SceneFile, SceneInfo};
use crate::ending::Ending;
use crate::error::{Error, chain, frames};
use crate::process::supervisor::{End, Running, Stdin, shell_line};
use crate::request::{FRAMES_DIR, FrameFile, FrameNumber, FrameSet, ImageFormat, RenderJob};
use crate::storage::{Failure, StorageError};

/// How long no frame has got through before nothing more is expected, Blender having
/// ended: longer than all attempts at one of them take.
const LAST_TRY: Duration = Duration::from_mins(4);

/// One launch of Blender and the delivery of its frames.
#[derive(Debug)]
pub struct Rendering<'a> {
    worker: &'a Worker,
    job: &'a RenderJob,
    frames: &'a FrameSet,
    file: &'a SceneFile,
    frames_dir: &'a Path,
    delivery: Delivery,
    progress: Progress,
    tail: LogTail,
    /// The scene, once Blender has described it.
    pub scene: Option<SceneInfo>,
    /// When the frame in hand was begun, as far as we know.
    frame_began: Instant,
    seconds: BTreeMap<FrameNumber, f64>,
    /// The frames that are stored.
    pub stored: BTreeMap<i32, FrameReport>,
    damaged: BTreeMap<FrameNumber, (String, bool)>,
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
        frames_dir: &'a Path,
    ) -> Self {
        Self {
            worker,
            job,
            frames,
            file,
            frames_dir,
            delivery: Delivery::new(worker.storage.clone(), &job.output, job.max_backlog),
            progress: Progress::begin(frames.len()),
            tail: LogTail::default(),
            scene: None,
            frame_began: Instant::now(),
            seconds: BTreeMap::new(),
            stored: BTreeMap::new(),
            damaged: BTreeMap::new(),
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
        if self.worker.shutdown.leaving().is_some() {
            return self.verdict(End::Stopped);
        }
        let command = launch.command();
        tracing::info!("starting {}", shell_line(&command));
        let walls = walls::of_blender(self.worker, launch, &self.job.scene);
        let mut child = Running::start(command, Stdin::Null, &self.worker.sandbox, walls)
            .map_err(|error| Error::spawn(error, launch.blender.to_owned(), BLENDER))?;
        let end = self.follow(&mut child).await;
        // If it ended by itself after a notice: nothing more is begun.
        _ = self.worker.shutdown.leaving();
        let outlived = self.deliver_the_rest().await;
        if end == End::Stopped && self.worker.shutdown.requested().is_none() {
            // Then it was for this that Blender was stopped and frames are missing.
            if let Some((frame, error)) = outlived.filter(|_| self.not_stored.is_empty()) {
                self.not_stored.insert(frame, error);
            }
        }
        self.verdict(end)
    }

    /// Why it makes no sense to render on, if it makes none.
    fn futile(&self) -> Option<String> {
        let lasts = |error: &StorageError| match error.failure() {
            Failure::Denied(_) | Failure::Missing(_) | Failure::Io(_) => true,
            Failure::Transient(_) => false,
        };
        if self.not_stored.values().any(lasts) {
            return Some("stopping Blender: what cannot be stored need not be rendered".to_owned());
        }
        let backlog = self.delivery.backlog();
        backlog.is_hopeless(Instant::now()).then(|| {
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
                self.stored.insert(frame.get(), FrameReport { file, bytes, seconds });
                self.progress.reached(self.stored.len());
                if self.stored.len() == self.frames.len() {
                    self.all_stored = Some(Instant::now());
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
                if self.seconds.contains_key(&frame) {
                    self.damaged.insert(frame, (damage.clone(), disk_full));
                    tracing::warn!(
                        frame = frame.get(),
                        "frame {frame} is not whole: its file {damage}"
                    );
                }
            }
            Outcome::NotStored(error) => {
                let text = chain(&error);
                let number = frame.get();
                match error.failure() {
                    // Each time after the first one the backlog speaks for all of them.
                    Failure::Transient(_) if self.not_stored.contains_key(&frame) => {
                        tracing::debug!(frame = number, "frame {frame} is not stored yet: {text}");
                    }
                    Failure::Transient(_) => {
                        tracing::warn!(
                            frame = number,
                            "frame {frame} is not stored yet and waits: {text}"
                        );
                    }
                    Failure::Denied(_) | Failure::Missing(_) | Failure::Io(_) => {
                        tracing::error!(frame = number, "frame {frame} is not stored: {text}");
                    }
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
        let passes = |error: &StorageError| matches!(error.failure(), Failure::Transient(_));
        let passing: Vec<_> = self.not_stored.extract_if(.., |_, error| passes(error)).collect();
        let missing = self.frames.iter().filter(|frame| !self.stored.contains_key(&frame.get()));
        for frame in missing.filter(|_| self.not_stored.is_empty()) {
            let files = ImageFormat::ALL.map(|format| FrameFile::name(frame, format));
            let mut files = files.iter().map(|name| self.frames_dir.join(name));
            if let Some(file) = files.find(|file| file.is_file()) {
                self.delivery.accept(frame, file);
            }
        }
        self.drain().await;
        passing.into_iter().next()
    }

    /// Waits for what is under way; false if time was up before, or nothing gets through.
    async fn drain(&mut self) -> bool {
        let shutdown = self.worker.shutdown.clone();
        let mut stored = self.stored.len();
        let mut patience = pin!(sleep(LAST_TRY));
        while self.delivery.under_way() > 0 {
            tokio::select! {
                delivered = self.delivery.next() => self.delivered(delivered),
                () = shutdown.no_time_to_store() => {
                    self.delivery.give_up().await;
                    return false;
                }
                () = patience.as_mut() => return false,
            }
            if stored < self.stored.len() {
                stored = self.stored.len();
                patience.set(sleep(LAST_TRY));
            }
        }
        true
    }

    /// What to make of it all.
    fn verdict(&mut self, end: End) -> Result<(), Error> {
        let missing: FrameSet =
            self.frames.iter().filter(|frame| !self.stored.contains_key(&frame.get())).collect();
        if missing.is_empty() {
            if let End::Own(ending) = end
                && ending != Ending::Code(0)
            {
                tracing::warn!("Blender ended with {ending} after it had saved every frame");
            }
            tracing::info!("all {} frames are stored", self.frames.len());
            return Ok(());
        }
        // One that does not pass is the cause of all.
        let lasts = |error: &StorageError| !matches!(error.failure(), Failure::Transient(_));
        let first = self.not_stored.iter().find(|(_, error)| lasts(error));
        let first = first.or_else(|| self.not_stored.first_key_value()).map(|(frame, _)| *frame);
        if let Some(source) = first.and_then(|frame| self.not_stored.remove(&frame)) {
            return Err(Error::NotStored { missing, source });
        }
        if let Some(by) = self.worker.shutdown.requested() {
            let stored: FrameSet =
                self.frames.iter().filter(|frame| self.stored.contains_key(&frame.get())).collect();
            let kept = if stored.is_empty() {
                "nothing is stored".to_owned()
            } else {
                format!("{} stored in {}", frames(&stored), self.job.output.join(FRAMES_DIR))
            };
            let left = format!(
                "{} of {} frames are left: {missing}; {kept}",
                missing.len(),
                self.frames.len()
            );
            return Err(Error::Interrupted { by, left });
        }
        let End::Own(ending) = end else {
            let what =
                format!("Blender was stopped, and nobody asked for it: {missing} are missing");
            return Err(Error::Internal(what));
        };
        let cause = self.tail.diagnose(ending, self.file.saved_by);
        let (scene, said) = (self.job.scene.clone(), self.tail.last_words());
        match (self.damaged.pop_first(), cause) {
            // Blender believes that all is well: the file tells more than the log.
            (Some((first, (damage, disk_full))), Cause::Failed(_)) => {
                let mut damaged: Vec<_> = vec![first];
                damaged.extend(self.damaged.keys());
                let damaged = damaged.into_iter().collect();
                let disk_full = disk_full || self.damaged.values().any(|(_, full)| *full);
                Err(Error::DamagedFrames { scene, missing, damaged, damage, disk_full, said })
            }
            (_, cause) => Err(Error::Blender { cause, missing, scene, said }),
        }
    }
}

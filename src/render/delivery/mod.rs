//! Delivery: verifies saved frames, stores them, and removes them from scratch, while Blender
//! renders the next one.
//!
//! A frame is *saved* when Blender reports it or its file is found, *verified* when the whole file
//! was decoded, *stored* when it is in the output under its final name. Only then is the copy in
//! scratch removed. Its preview is made while it is verified, and follows once it is stored. The
//! [`side_files`] of a frame are part of it: each of them is verified and stored first.
//!
//! A frame that cannot be stored for now waits in the [`Backlog`]. It is retried as soon as another
//! frame is stored, or after a pause.

mod backlog;
pub mod side_files;
mod task;
mod verified;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::reuse::fingerprint_task::PendingFingerprint;
use crate::image::View;
use crate::process::shutdown::Shutdown;
use crate::request::{FrameNumber, ImageFormat, Location, MissingFiles, RenderJob};
use crate::storage::{Failure, Storage, TransferProgress};
use crate::worker::file_check::{Clearance, FileCheck};
use crate::worker::previews::Previews;
use crate::worker::storage_timeouts::StorageTimeouts;
use backlog::{Backlog, Saved};
use side_files::{SideFile, SideFiles};
use task::DeliveryTask;

pub use task::Outcome;

/// The most frames that are verified and stored concurrently. Each has a file open, and a process
/// may have a thousand. Storage limits concurrent uploads itself.
const CONCURRENT_FRAMES: usize = 128;

/// The most frames that are decoded concurrently. Each is in memory twice: as its file and as a
/// picture.
const CONCURRENT_DECODES: usize = 2;

/// The outcome for a frame.
#[derive(Debug)]
pub struct Delivered {
    /// The frame.
    pub frame: FrameNumber,
    /// The outcome.
    pub outcome: Outcome,
}

/// Delivers saved frames, and reports the outcome of every attempt, in any order. The last report
/// on a frame is that it is stored or never will be.
#[derive(Debug)]
pub struct Delivery {
    storage: Arc<Storage>,
    output: Location,
    permits: Arc<Semaphore>,
    decodes: Arc<Semaphore>,
    /// Stores the previews; `None` if there are none.
    previews: Option<Previews>,
    /// How the previews of linear frames are shown.
    view: View,
    /// What frames wait for before they are stored.
    clearance: Option<Clearance>,
    sender: mpsc::UnboundedSender<Delivered>,
    receiver: mpsc::UnboundedReceiver<Delivered>,
    backlog: Backlog,
    tasks: JoinSet<()>,
    shutdown: Shutdown,
    timeouts: StorageTimeouts,
}

impl Delivery {
    /// Delivers to `frames/` below the output of `job`, and previews to `previews/`. Once `shutdown`
    /// reports a stop request, frames no longer wait for their fingerprints.
    pub fn new(
        storage: Arc<Storage>,
        job: &RenderJob,
        shutdown: Shutdown,
        timeouts: StorageTimeouts,
    ) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let (output, clones) = (&job.output, (storage.clone(), shutdown.clone()));
        let previews =
            job.previews.then(|| Previews::new(clones.0, output, clones.1, timeouts.preview));
        Self {
            storage,
            output: output.clone(),
            permits: Arc::new(Semaphore::new(CONCURRENT_FRAMES)),
            decodes: Arc::new(Semaphore::new(CONCURRENT_DECODES)),
            previews,
            view: View::default(),
            clearance: None,
            sender,
            receiver,
            backlog: Backlog::new(job.max_backlog, timeouts.storing),
            tasks: JoinSet::new(),
            shutdown,
            timeouts,
        }
    }

    /// The frames that were accepted and are not stored.
    pub fn backlog(&self) -> &Backlog {
        &self.backlog
    }

    /// Sets how the previews of linear frames are shown. By default it is as sRGB.
    pub fn set_view(&mut self, view: View) {
        self.view = view;
    }

    /// Stores no frame until `check` is done, and none at all if it finds what the job does not
    /// accept.
    pub fn hold_until(&mut self, check: &FileCheck, accepted: MissingFiles) {
        self.clearance = Some(check.clearance(accepted));
    }

    /// How many frames are being verified and stored.
    pub fn under_way(&self) -> usize {
        self.backlog.under_way()
    }

    /// Starts to deliver a frame with its side files and its fingerprint, unless it is already under
    /// way.
    pub fn accept(
        &mut self,
        frame: FrameNumber,
        file: PathBuf,
        format: ImageFormat,
        sides: Vec<SideFile>,
        fingerprint: PendingFingerprint,
    ) {
        let sides = SideFiles::new(sides);
        // A missing file is reported as damaged later.
        let bytes = file.symlink_metadata().map_or(0, |metadata| metadata.len());
        let bytes = bytes + sides.size_in_scratch();
        let progress = TransferProgress::default();
        let saved = Saved { frame, file, format, sides, fingerprint, progress };
        if self.backlog.start(saved.clone(), bytes) {
            self.start(saved);
        }
    }

    fn start(&mut self, saved: Saved) {
        let (permits, sender) = (Arc::clone(&self.permits), self.sender.clone());
        let previews = self.previews.clone();
        let task = DeliveryTask {
            storage: Arc::clone(&self.storage),
            output: self.output.clone(),
            decodes: Arc::clone(&self.decodes),
            view: previews.is_some().then(|| self.view.clone()),
            clearance: self.clearance.clone(),
            shutdown: self.shutdown.clone(),
            timeouts: self.timeouts,
        };
        // Free finished tasks.
        while self.tasks.try_join_next().is_some() {}
        self.tasks.spawn(async move {
            // The semaphore is never closed.
            let _permit = permits.acquire().await;
            let frame = saved.frame;
            let delivered = task.deliver(saved).await;
            let (outcome, preview) = delivered.unwrap_or_else(|outcome| (outcome, None));
            // Fails only if the job was aborted.
            drop(sender.send(Delivered { frame, outcome }));
            if let (Some(previews), Some(preview)) = (previews, preview) {
                previews.store(frame, preview).await;
            }
        });
    }

    /// Waits until the previews of stored frames are stored, which takes little time in any case. No
    /// frame is under way any more.
    pub async fn previews_settled(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    /// Whether any preview is stored.
    pub fn has_previews(&self) -> bool {
        self.previews.as_ref().is_some_and(Previews::some_stored)
    }

    /// Aborts the frames that are under way. They are not in the output, but some of their side files
    /// may be.
    pub async fn abort(&mut self) {
        self.tasks.shutdown().await;
    }

    /// The outcome of the next frame. `None` if no frame is under way, or if none has made progress
    /// for so long that those under way are aborted. Cancel safe.
    pub async fn next_remaining(&mut self) -> Option<Delivered> {
        if self.under_way() == 0 {
            return None;
        }
        let hopeless = wait_until(self.backlog.give_up_at());
        tokio::select! {
            delivered = self.next() => Some(delivered),
            () = hopeless => {
                self.abort().await;
                None
            }
        }
    }

    /// The outcome of the next frame; waits forever if the backlog is empty. Cancel safe.
    pub async fn next(&mut self) -> Delivered {
        loop {
            let retry = wait_until(self.backlog.next_retry());
            let delivered = tokio::select! {
                // The channel never closes: `self` holds a sender.
                Some(delivered) = self.receiver.recv() => delivered,
                () = retry => {
                    let (size, frames) = (self.backlog.size(), self.backlog.frames().named());
                    tracing::info!("{size} wait to be stored: trying {frames} again");
                    self.restart(Backlog::retry);
                    continue;
                }
            };
            let frame = delivered.frame;
            match &delivered.outcome {
                Outcome::Stored { .. } => self.restart(|backlog| backlog.finish(frame, true)),
                Outcome::NotStored(error) if matches!(error.failure(), Failure::Transient(_)) => {
                    self.backlog.fail(frame, Instant::now());
                }
                Outcome::Damaged { .. } | Outcome::NotStored(_) => {
                    self.restart(|backlog| backlog.finish(frame, false));
                }
            }
            return delivered;
        }
    }

    fn restart(&mut self, take: impl FnOnce(&mut Backlog) -> Vec<Saved>) {
        for saved in take(&mut self.backlog) {
            self.start(saved);
        }
    }
}

/// Waits until `time`, or forever if there is none.
async fn wait_until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::request::{StopGrace, Transfers};

    /// Longer than any timeout.
    const LONG: Duration = Duration::from_hours(9);

    /// A delivery with frames 1 and 2 under way, but no tasks that store them.
    fn delivery() -> (Delivery, Vec<Saved>) {
        let (storage, job) = (Storage::new(Transfers::default()), RenderJob::example());
        let shutdown = Shutdown::quiet(StopGrace::default());
        let timeouts = StorageTimeouts::default();
        let mut delivery = Delivery::new(Arc::new(storage), &job, shutdown, timeouts);
        let frames = [1, 2].map(|number| {
            let frame = FrameNumber::new(number).unwrap();
            let (fingerprint, progress) =
                (PendingFingerprint::never(frame), TransferProgress::default());
            let (file, format, sides) =
                (PathBuf::from("/none"), ImageFormat::Png, SideFiles::default());
            Saved { frame, file, format, sides, fingerprint, progress }
        });
        for saved in &frames {
            assert!(delivery.backlog.start(saved.clone(), 10));
        }
        (delivery, frames.into())
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_upload_is_waited_for_however_long_it_takes() {
        let (mut delivery, frames) = delivery();
        let (sender, file) = (delivery.sender.clone(), "0001.png".to_owned());
        let frame = frames[0].frame;
        tokio::spawn(async move {
            tokio::time::sleep(LONG).await;
            drop(sender.send(Delivered {
                frame,
                outcome: Outcome::Stored { file, bytes: 10, sides: Vec::new() },
            }));
        });
        let delivered = delivery.next_remaining().await.unwrap();
        assert_eq!(delivered.frame, frame);
        assert_eq!(delivery.under_way(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn frames_are_given_up_once_all_of_them_keep_failing() {
        let (mut delivery, frames) = delivery();
        let began = Instant::now();
        let fail = |delivery: &mut Delivery, saved: &Saved| {
            for _ in 0..3 {
                delivery.backlog.fail(saved.frame, began);
                delivery.backlog.retry();
            }
        };
        fail(&mut delivery, &frames[0]);
        let next = tokio::time::timeout(LONG, delivery.next_remaining());
        assert!(next.await.is_err(), "the second one has never failed");
        fail(&mut delivery, &frames[1]);
        assert!(delivery.next_remaining().await.is_none());
        assert_eq!(delivery.under_way(), 2, "they are not stored");
    }
}

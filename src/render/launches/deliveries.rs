//! Handles the outcomes of deliveries: what they mean for the ledger and for Blender.

use std::time::Instant;

use super::launch::StopReason;
use super::rendering::Rendering;
use crate::error_chain::chain;
use crate::render::delivery::side_files::SideFile;
use crate::render::delivery::{Delivered, Outcome};
use crate::request::{FrameNumber, ImageFormat};
use crate::storage::StorageError;

impl Rendering<'_> {
    /// Records and logs the outcome of a delivery.
    pub fn delivered(&mut self, Delivered { frame, outcome }: Delivered) {
        match outcome {
            Outcome::Stored { file, bytes, sides } => {
                let (seconds, is_new) = self.ledger.record_stored(frame, file, bytes, &sides);
                self.process.progress.set_done(self.ledger.stored_count());
                if is_new && self.launch.frames.contains(frame) {
                    self.launch.frame_stored();
                }
                self.forget_announcements(frame);
                tracing::info!(
                    frame = frame.get(),
                    bytes,
                    seconds,
                    "frame {frame} stored: {}",
                    self.process.progress
                );
            }
            Outcome::Damaged { damage, disk_full } => {
                // A file that Blender has not announced may have been incomplete when it ended.
                if self.launch.saved.contains(&frame) {
                    // Log it once: a script in the scene can announce a frame over and over.
                    if self.ledger.record_damaged(frame, damage.clone()) {
                        tracing::warn!(
                            frame = frame.get(),
                            "frame {frame} is not whole: its file {damage}"
                        );
                    }
                    self.launch.disk_full = self.launch.disk_full.take().or(disk_full);
                }
            }
            Outcome::NotStored(error) => self.not_stored(frame, error),
        }
    }

    /// Starts to deliver a frame that Blender has saved, with its side files: those that Blender
    /// certainly saves, has announced, or has left in scratch.
    pub fn deliver(&mut self, frame: FrameNumber, format: ImageFormat) {
        let dirs = self.assignment.launch.saved_in();
        let sides = self.outputs.files.iter().enumerate().filter_map(|(index, output)| {
            let file = output.saved(dirs, frame);
            let announced = self.launch.announced.contains(&file);
            (output.certain || announced || file.symlink_metadata().is_ok()).then(|| SideFile {
                index,
                file,
                path: output.path(frame),
                maker: output.maker.to_string(),
            })
        });
        let sides = sides.collect();
        let file = self.frame_file(frame, format);
        self.delivery.accept(frame, file, format, sides, self.fingerprints.of(frame));
    }

    /// Forgets what Blender has said about the side files of a frame, now that they are stored.
    fn forget_announcements(&mut self, frame: FrameNumber) {
        for output in &self.outputs.files {
            let file = output.saved(self.assignment.launch.saved_in(), frame);
            self.launch.announced.remove(&file);
        }
    }

    fn not_stored(&mut self, frame: FrameNumber, error: StorageError) {
        let (number, why) = (frame.get(), chain(&error));
        let transient = error.failure().is_transient();
        let is_new = self.ledger.record_not_stored(frame, error);
        if !transient {
            tracing::error!(frame = number, "frame {frame} is not stored: {why}");
        } else if is_new {
            tracing::warn!(frame = number, "frame {frame} is not stored yet and waits: {why}");
        } else {
            // From the second failure on, `Delivery` logs the retries of all waiting frames.
            tracing::debug!(frame = number, "frame {frame} is not stored yet: {why}");
        }
    }

    /// The reason to stop Blender because its frames cannot be stored, if there is one.
    pub fn storage_stop_reason(&self) -> Option<StopReason> {
        if self.ledger.storage_errors().any(|error| !error.failure().is_transient()) {
            let why = "stopping Blender: its frames cannot be stored";
            return Some(StopReason::StorageFailed(why.to_owned()));
        }
        let backlog = self.delivery.backlog();
        backlog.is_hopeless(Instant::now().into()).then(|| {
            let (size, limit) = (backlog.size(), self.job().max_backlog);
            StopReason::StorageFailed(format!(
                "stopping Blender: none of the {size} that wait could be stored, more than \
                 {limit} (--max-backlog, MAX_BACKLOG)"
            ))
        })
    }

    /// Stores all remaining frames after Blender has ended. If a storage error made the worker stop
    /// Blender, the ledger keeps it even if storage has recovered since: it explains why frames are
    /// missing.
    pub async fn store_remaining(&mut self, stop: Option<&StopReason>) {
        let recovered = self.deliver_remaining().await;
        self.delivery.previews_settled().await;
        let stopped_for_storage =
            matches!(stop, Some(StopReason::StorageFailed(_) | StopReason::DiskFull(_)));
        if let Some((frame, error)) = recovered
            && stopped_for_storage
            && self.ledger.storage_errors().next().is_none()
        {
            self.ledger.record_not_stored(frame, error);
        }
    }

    /// Delivers frames that are under way, and those that Blender saved without announcing them.
    /// Frames with transient storage errors are retried. If all frames are stored in the end, the
    /// result is the first of these errors.
    async fn deliver_remaining(&mut self) -> Option<(FrameNumber, StorageError)> {
        if !self.drain().await {
            return None;
        }
        let transient = self.ledger.take_transient_storage_errors();
        let unannounced = self.ledger.pending();
        let may_store = self.ledger.storage_errors().next().is_none();
        for frame in unannounced.iter().filter(|_| may_store) {
            let is_saved = |&format: &ImageFormat| self.frame_file(frame, format).is_file();
            if let Some(format) = ImageFormat::ALL.into_iter().find(is_saved) {
                self.deliver(frame, format);
            }
        }
        if !self.drain().await && self.worker().shutdown.requested().is_none() {
            // Storage has not recovered.
            self.ledger.restore_storage_errors(transient);
            return None;
        }
        transient.into_iter().next()
    }

    /// Waits for deliveries under way, as long as any makes progress. False if time ran out or no
    /// delivery made progress. Then some saved frames are not stored, and the ledger has their
    /// errors.
    async fn drain(&mut self) -> bool {
        let shutdown = self.worker().shutdown.clone();
        loop {
            tokio::select! {
                delivered = self.delivery.next_remaining() => match delivered {
                    Some(delivered) => self.delivered(delivered),
                    None => return self.delivery.under_way() == 0,
                },
                () = shutdown.no_time_to_store() => {
                    self.delivery.abort().await;
                    return false;
                }
            }
        }
    }
}

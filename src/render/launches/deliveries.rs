//! What the delivery of saved frames means for the rendering.

use std::time::Instant;

use super::launch::StopReason;
use super::rendering::Rendering;
use crate::error_chain::chain;
use crate::render::delivery::{Delivered, Outcome};
use crate::request::{FrameFile, FrameNumber, ImageFormat};
use crate::storage::StorageError;

impl Rendering<'_> {
    /// Takes note of a frame that was delivered, or not.
    pub fn delivered(&mut self, Delivered { frame, outcome }: Delivered) {
        match outcome {
            Outcome::Stored { file, bytes } => {
                let (seconds, is_new) = self.ledger.record_stored(frame, file, bytes);
                self.progress.reached(self.ledger.stored_count());
                if is_new && self.launch.frames.contains(frame) {
                    self.launch.frame_stored();
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
                // A file that Blender has not announced may be one that it was still writing.
                if self.launch.saved.contains(&frame) {
                    // A script in the scene can announce the same frame over and over.
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

    fn not_stored(&mut self, frame: FrameNumber, error: StorageError) {
        let (number, text) = (frame.get(), chain(&error));
        let transient = error.failure().is_transient();
        let is_new = self.ledger.record_not_stored(frame, error);
        if !transient {
            tracing::error!(frame = number, "frame {frame} is not stored: {text}");
        } else if is_new {
            tracing::warn!(frame = number, "frame {frame} is not stored yet and waits: {text}");
        } else {
            // From the second time on, the backlog reports for all waiting frames.
            tracing::debug!(frame = number, "frame {frame} is not stored yet: {text}");
        }
    }

    /// Why rendering on would be in vain, if it would.
    pub fn futile(&self) -> Option<StopReason> {
        if self.ledger.storage_errors().any(|error| !error.failure().is_transient()) {
            let why = "stopping Blender: what cannot be stored need not be rendered";
            return Some(StopReason::Futile(why.to_owned()));
        }
        let backlog = self.delivery.backlog();
        backlog.is_hopeless(Instant::now().into()).then(|| {
            let (size, limit) = (backlog.size(), self.job().max_backlog);
            StopReason::Futile(format!(
                "stopping Blender: none of the {size} that wait could be stored, and {limit} may \
                 wait (--max-backlog, MAX_BACKLOG)"
            ))
        })
    }

    /// Stores what is left after Blender's end. Where Blender was stopped because of the
    /// storage, and storing has worked again since, the ledger keeps why it was stopped.
    pub async fn store_the_rest(&mut self, stop: Option<&StopReason>) {
        let outlived = self.deliver_the_rest().await;
        let for_storage = matches!(stop, Some(StopReason::Futile(_) | StopReason::DiskFull(_)));
        if let Some((frame, error)) = outlived
            && for_storage
            && self.ledger.storage_errors().next().is_none()
        {
            self.ledger.record_not_stored(frame, error);
        }
    }

    /// Delivers frames that are on their way, and those that Blender saved without announcing
    /// them. Frames that storage refused for a while get another chance; the result is the first
    /// refusal that was outlived in this way.
    async fn deliver_the_rest(&mut self) -> Option<(FrameNumber, StorageError)> {
        if !self.drain().await {
            return None;
        }
        let passing = self.ledger.take_passing_storage_errors();
        let unannounced = self.ledger.pending();
        let may_store = self.ledger.storage_errors().next().is_none();
        for frame in unannounced.iter().filter(|_| may_store) {
            let names = ImageFormat::ALL.map(|format| FrameFile::name(frame, format));
            let mut files = names.iter().map(|name| self.frames_dir().join(name));
            if let Some(file) = files.find(|file| file.is_file()) {
                self.delivery.accept(frame, file, self.fingerprints.of(frame));
            }
        }
        if !self.drain().await && self.worker().shutdown.requested().is_none() {
            // Storage failed for so long that they were given up.
            self.ledger.put_back_storage_errors(passing);
            return None;
        }
        passing.into_iter().next()
    }

    /// Waits for deliveries under way, as long as any of them moves. False if time ran out
    /// or nothing got through: then frames are left that were saved and are not stored, and the
    /// ledger says why of each.
    async fn drain(&mut self) -> bool {
        let shutdown = self.worker().shutdown.clone();
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

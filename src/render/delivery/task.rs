//! The delivery of one frame: its files are verified and stored, the frame last.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::backlog::Saved;
use super::side_files::{SideFile, SideFiles, StoredSideFile};
use super::verified::{Verified, open_whole};
use crate::image::View;
use crate::process::shutdown::{Shutdown, Stage};
use crate::request::{FRAMES_DIR, FrameFile, Location};
use crate::space::Space;
use crate::storage::{Storage, StorageError, TransferProgress};
use crate::worker::file_check::Clearance;
use crate::worker::storage_timeouts::StorageTimeouts;

/// The outcome of an attempt to deliver a frame.
#[derive(Debug)]
pub enum Outcome {
    /// The frame is stored.
    Stored {
        /// Its file name.
        file: String,
        /// Its size in bytes.
        bytes: u64,
        /// Its side files, which are stored as well.
        sides: Vec<StoredSideFile>,
    },
    /// The file of the frame, or one of its side files, is not whole (yet).
    Damaged {
        /// The damage, as a predicate of the file: `ends after 60 bytes`. It names a side file.
        damage: String,
        /// The space on the scratch disk, if a lack of it may be the cause.
        disk_full: Option<Space>,
    },
    /// The frame is whole but could not be stored. Its file is still in scratch. If the error is
    /// transient, it is retried.
    NotStored(StorageError),
}

/// What the delivery of a frame needs.
pub struct DeliveryTask {
    pub storage: Arc<Storage>,
    pub output: Location,
    /// How many more files may be decoded at the same time.
    pub decodes: Arc<Semaphore>,
    /// How the preview is shown, if there is to be one.
    pub view: Option<View>,
    /// What frames wait for before they are stored.
    pub clearance: Option<Clearance>,
    pub shutdown: Shutdown,
    pub timeouts: StorageTimeouts,
}

impl DeliveryTask {
    /// Verifies and stores the side files of a frame and then the frame. The result is that it is
    /// stored, and its preview.
    ///
    /// # Errors
    /// Any other outcome.
    pub async fn deliver(&self, saved: Saved) -> Result<(Outcome, Option<Vec<u8>>), Outcome> {
        let Saved { frame, file, format, sides, fingerprint, progress } = saved;
        if let Some(clearance) = self.clearance.clone() {
            clearance.granted().await;
        }
        let side_bytes = self.store_sides(&sides, &progress).await?;
        let (path, view) = (file.clone(), self.view.clone());
        let verified = self.decode(move || Verified::read(&path, format, view.as_ref())).await;
        let Verified { file: whole, preview } =
            verified.map_err(|damage| damaged(damage, &file))?;
        let side_files = sides.stored();
        let sizes = side_files.iter().map(|side| (side.path.clone(), side.bytes)).collect();
        // When stopping, do not wait: a frame that is stored without its fingerprint is rendered
        // again, but so is one that is not stored in time.
        let stopping = self.shutdown.beyond(Stage::Noticed);
        let fingerprint = fingerprint.get(self.timeouts.fingerprint, stopping, &sizes).await;
        let name = FrameFile::name(frame, format);
        let location = self.output.join(FRAMES_DIR).join(&name);
        let progress = progress.after(side_bytes);
        let stored = self.storage.upload_with_progress(whole, &location, fingerprint, &progress);
        let bytes = stored.await.map_err(Outcome::NotStored)?;
        if let Err(error) = tokio::fs::remove_file(&file).await {
            tracing::debug!("cannot remove {} from scratch: {error}", file.display());
        }
        sides.remove_from_scratch().await;
        Ok((Outcome::Stored { file: name, bytes, sides: side_files }, preview))
    }

    /// Verifies and stores the side files that are not stored. The result is the size of all in
    /// bytes.
    async fn store_sides(
        &self,
        sides: &SideFiles,
        progress: &TransferProgress,
    ) -> Result<u64, Outcome> {
        while let Some(SideFile { file, path, maker, .. }) = sides.next() {
            let checked = self.decode({
                let file = file.clone();
                move || open_whole(&file)
            });
            let whole = checked
                .await
                .map_err(|damage| damaged(format!("{path}, {maker}, {damage}"), file))?;
            let before = sides.stored().iter().map(|side| side.bytes).sum();
            let (location, progress) = (self.output.join(path), progress.after(before));
            let stored = self.storage.upload_with_progress(whole, &location, None, &progress).await;
            sides.record_stored(stored.map_err(Outcome::NotStored)?);
        }
        Ok(sides.stored().iter().map(|side| side.bytes).sum())
    }

    /// Runs a decoder where it may take long. The error is the damage of a file.
    async fn decode<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        // The semaphore is never closed.
        let _permit = self.decodes.acquire().await;
        // A panic in a decoder is a bug, but must not lose the other frames.
        let read = tokio::task::spawn_blocking(read).await;
        read.unwrap_or_else(|panic| Err(format!("cannot be decoded: {panic}")))
    }
}

fn damaged(damage: String, file: &Path) -> Outcome {
    let folder = file.parent().unwrap_or(file);
    let disk_full = Space::on(folder).ok().filter(Space::is_tight);
    Outcome::Damaged { damage, disk_full }
}

//! Frames out of storage in their order, later ones fetched while earlier ones are
//! still being used, in bounded memory.

use std::io::Cursor;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;

use super::sequence::{Sequence, Slot};
use crate::image::{self, Frame};
use crate::request::{FrameNumber, ImageFormat, Location};
use crate::storage::{Storage, StorageError};

/// Fetched frames that wait to be used, together.
const WINDOW: usize = 128 * 1024 * 1024;

/// What the window is counted in: permits are 32 bit.
const UNIT: usize = 4 * 1024;

/// Requests that are under way at once. Many, because on a slow network it is their
/// number and not the bandwidth that limits.
const AT_ONCE: usize = 32;

/// A frame that was fetched.
#[derive(Debug)]
pub struct Fetched {
    /// Its number.
    pub number: FrameNumber,
    /// What it is.
    pub image: Image,
    /// Its share of the window, to be kept until it is used.
    pub share: Option<OwnedSemaphorePermit>,
}

/// What was fetched for a frame.
#[derive(Debug)]
pub enum Image {
    /// A whole image.
    Whole {
        /// The file.
        content: Bytes,
        /// What it shows.
        frame: Frame,
    },
    /// There is no file.
    Gap,
    /// The file is not whole, and why.
    Damaged(String),
}

/// The frames of a sequence, in order. Dropping it begins no further fetches.
#[derive(Debug)]
pub struct Prefetch {
    queue: mpsc::Receiver<JoinHandle<Result<Fetched, StorageError>>>,
    producer: JoinHandle<()>,
}

impl Prefetch {
    /// Begins to fetch the frames of `sequence` from `folder`.
    pub fn start(storage: Arc<Storage>, folder: Location, sequence: &Sequence) -> Self {
        let (format, slots) = (sequence.format, sequence.slots.clone());
        let (sender, queue) = mpsc::channel(AT_ONCE);
        let window = Arc::new(Semaphore::new(WINDOW / UNIT));
        let producer = tokio::spawn(async move {
            for slot in slots {
                // Taken in order, so that the frame that is needed next always gets
                // its share. One that is larger than the window gets all of it.
                let size = slot.file.as_ref().map_or(0, |file| file.size);
                let units = usize::try_from(size).unwrap_or(WINDOW).min(WINDOW).div_ceil(UNIT);
                let units = u32::try_from(units).unwrap_or(u32::MAX);
                let share = Arc::clone(&window).acquire_many_owned(units).await.ok();
                let (storage, folder) = (Arc::clone(&storage), folder.clone());
                let task =
                    tokio::spawn(
                        async move { fetch(&storage, &folder, slot, format, share).await },
                    );
                if sender.send(task).await.is_err() {
                    return;
                }
            }
        });
        Self { queue, producer }
    }

    /// The next frame; `None` after the last one.
    ///
    /// # Errors
    /// If it cannot be read from storage.
    pub async fn next(&mut self) -> Option<Result<Fetched, StorageError>> {
        match self.queue.recv().await?.await {
            Ok(result) => Some(result),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // Cancelled: the runtime is going down, and nobody waits for an answer.
                Err(_) => None,
            },
        }
    }
}

impl Drop for Prefetch {
    fn drop(&mut self) {
        self.producer.abort();
    }
}

async fn fetch(
    storage: &Storage,
    folder: &Location,
    slot: Slot,
    format: ImageFormat,
    share: Option<OwnedSemaphorePermit>,
) -> Result<Fetched, StorageError> {
    let image = match slot.file {
        None => Image::Gap,
        Some(file) => {
            let content = storage.read(&folder.join(&file.name)).await?;
            match image::check(format, Cursor::new(&content)) {
                Ok(frame) => Image::Whole { content, frame },
                Err(damage) => Image::Damaged(format!("{} {damage}", file.name)),
            }
        }
    };
    Ok(Fetched { number: slot.number, image, share })
}

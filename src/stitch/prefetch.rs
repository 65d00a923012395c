//! Frames out of storage in their order, later ones fetched while earlier ones are
//! still being used, in bounded memory.

use std::io::Cursor;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;

use super::sequence::{Sequence, Slot};
use crate::error_chain::chain;
use crate::image;
use crate::image::Frame;
use crate::request::{ByteSize, FrameNumber, ImageFormat, Location};
use crate::storage::{Failure, Storage, StorageError};

/// What the window is counted in, in bytes: permits are 32 bit. A frame takes one at least.
const UNIT: u64 = 4 * 1024;

/// Frames that are fetched ahead at most, however small they are. Enough for a thousand a
/// second where an answer takes a quarter of one; how many requests are under way at once
/// is the storage's affair.
const FRAMES: usize = 256;

/// A frame that was fetched.
#[derive(Debug)]
pub struct Fetched {
    /// Its number.
    pub number: FrameNumber,
    /// What it is.
    pub image: Image,
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

/// A frame that is on its way, and its share of the window.
type Coming = (JoinHandle<Result<Fetched, StorageError>>, Option<OwnedSemaphorePermit>);

/// The frames of a sequence, in order. Dropping it begins no further fetches.
#[derive(Debug)]
pub struct Prefetch {
    queue: mpsc::Receiver<Coming>,
    producer: JoinHandle<()>,
}

impl Prefetch {
    /// Begins to fetch the frames of `sequence` from `folder`, those that wait to be asked
    /// for in no more than `window` of memory.
    pub fn start(
        storage: Arc<Storage>,
        folder: Location,
        sequence: Sequence,
        window: ByteSize,
    ) -> Self {
        let Sequence { format, slots, left_out: _ } = sequence;
        let (sender, queue) = mpsc::channel(FRAMES);
        let whole = units(window.bytes());
        let window = Arc::new(Semaphore::new(whole as usize));
        let producer = tokio::spawn(async move {
            for slot in slots {
                // Taken in order, so that the frame that is needed next always gets
                // its share. One that is larger than the window gets all of it.
                let size = slot.file.as_ref().map_or(0, |file| file.size);
                let share = units(size).min(whole);
                let share = Arc::clone(&window).acquire_many_owned(share).await.ok();
                let (storage, folder) = (Arc::clone(&storage), folder.clone());
                let fetching =
                    tokio::spawn(async move { fetch(&storage, &folder, slot, format).await });
                if sender.send((fetching, share)).await.is_err() {
                    return;
                }
            }
        });
        Self { queue, producer }
    }

    /// The next frame; `None` after the last one. It no longer counts for the window, so
    /// that another one is fetched while this one is used, however large they are.
    ///
    /// # Errors
    /// If it cannot be read from storage.
    pub async fn next(&mut self) -> Option<Result<Fetched, StorageError>> {
        let (fetching, _share) = self.queue.recv().await?;
        match fetching.await {
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
) -> Result<Fetched, StorageError> {
    let image = match slot.file {
        None => Image::Gap,
        Some(file) => {
            let content = match storage.read(&folder.join(&file.name), file.size).await {
                // A folder, or a link to nowhere, in the place of a frame.
                Err(error) if is_no_file(&error) => {
                    let why = format!("{} cannot be read: {}", file.name, chain(&error));
                    return Ok(Fetched { number: slot.number, image: Image::Damaged(why) });
                }
                content => content?,
            };
            match image::check(format, Cursor::new(&content)) {
                Ok(frame) => Image::Whole { content, frame },
                Err(damage) => Image::Damaged(format!("{} {damage}", file.name)),
            }
        }
    };
    Ok(Fetched { number: slot.number, image })
}

/// Whether what was listed on this machine is nothing that can be read.
fn is_no_file(error: &StorageError) -> bool {
    matches!((error.location(), error.failure()), (Location::Local(_), Failure::Missing(_)))
}

/// What so many bytes take of a window.
fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).max(1)
}

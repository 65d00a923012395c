//! Fetches frames from storage in order and ahead of their use, in bounded memory.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;

use crate::error_chain::chain;
use crate::request::{ByteSize, FrameNumber, ImageFormat, Location};
use crate::stitch::sequence::{Sequence, Slot, SlotFile};
use crate::storage::{Failure, Storage, StorageError};

/// How many bytes of the window a permit stands for: the number of permits is limited to 32 bits.
/// Every frame takes at least one.
const BYTES_PER_PERMIT: u64 = 4 * 1024;

/// How many frames are fetched ahead at most, however small they are. Enough for a thousand frames
/// a second if S3 responds within a quarter of a second. Storage limits concurrent requests itself.
const MAX_FRAMES: usize = 256;

/// A frame that was fetched.
#[derive(Debug)]
pub struct Fetched {
    /// Its number.
    pub number: FrameNumber,
    /// Its file.
    pub file: FetchedFile,
}

/// The file of a frame.
#[derive(Debug)]
pub enum FetchedFile {
    /// A file that was read.
    Read {
        /// Its name.
        name: String,
        /// The format that its name promises.
        format: ImageFormat,
        /// Its content.
        content: Bytes,
    },
    /// The sequence has no file for the frame.
    Gap,
    /// The file cannot be read, for this reason.
    Unreadable(String),
}

/// A frame that is being fetched, and its permits.
type Pending = (JoinHandle<Result<Fetched, StorageError>>, Option<OwnedSemaphorePermit>);

/// The frames of a sequence, in order. Dropping it stops further fetches.
#[derive(Debug)]
pub struct Prefetch {
    queue: mpsc::Receiver<Pending>,
    producer: JoinHandle<()>,
}

impl Prefetch {
    /// Starts to fetch the frames of `sequence` from `folder`. Frames that have not been taken yet
    /// use `window` of memory at most.
    pub fn start(
        storage: Arc<Storage>,
        folder: Location,
        sequence: Arc<Sequence>,
        window: ByteSize,
    ) -> Self {
        let (sender, queue) = mpsc::channel(MAX_FRAMES);
        let total = permits_for(window.bytes());
        let permits = Arc::new(Semaphore::new(total as usize));
        let producer = tokio::spawn(async move {
            for slot in &sequence.slots {
                // Acquire permits in order, so that the frame that is needed next always gets its
                // permits. A frame larger than the window takes all of them.
                let size = slot.file.as_ref().map_or(0, |file| file.entry.size);
                let count = permits_for(size).min(total);
                let permits = Arc::clone(&permits).acquire_many_owned(count).await.ok();
                let (storage, folder, slot) = (Arc::clone(&storage), folder.clone(), slot.clone());
                let fetching = tokio::spawn(async move { fetch(&storage, &folder, slot).await });
                if sender.send((fetching, permits)).await.is_err() {
                    return;
                }
            }
        });
        Self { queue, producer }
    }

    /// The next frame; `None` after the last one. Its permits are released, so that the next fetch
    /// can start while this frame is in use, however large the frames are.
    ///
    /// # Errors
    /// If the frame cannot be read from storage.
    pub async fn next(&mut self) -> Option<Result<Fetched, StorageError>> {
        let (fetching, _permits) = self.queue.recv().await?;
        match fetching.await {
            Ok(result) => Some(result),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // Cancelled: the runtime is shutting down.
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

async fn fetch(storage: &Storage, folder: &Location, slot: Slot) -> Result<Fetched, StorageError> {
    let Slot { number, file } = slot;
    let Some(SlotFile { entry, format }) = file else {
        return Ok(Fetched { number, file: FetchedFile::Gap });
    };
    let content = match storage.read(&folder.join(&entry.name), entry.size).await {
        // A folder or a dangling link with the name of a frame.
        Err(error) if is_unreadable_entry(&error) => {
            let why = format!("{} cannot be read: {}", entry.name, chain(&error));
            return Ok(Fetched { number, file: FetchedFile::Unreadable(why) });
        }
        content => content?,
    };
    Ok(Fetched { number, file: FetchedFile::Read { name: entry.name, format, content } })
}

/// Whether an error means that a local folder lists an entry that is not a readable file.
fn is_unreadable_entry(error: &StorageError) -> bool {
    matches!((error.location(), error.failure()), (Location::Local(_), Failure::Missing(_)))
}

/// The number of permits that a frame of this size needs.
fn permits_for(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(BYTES_PER_PERMIT)).unwrap_or(u32::MAX).max(1)
}

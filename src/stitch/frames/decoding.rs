//! Decodes fetched frames on several threads, in order and in bounded memory.

use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use super::maker::{FrameMaker, MadeFrame, Shape, Shown, Traits};
use super::prefetch::{Fetched, FetchedFile, Prefetch};
use crate::image::FrameFormat;
use crate::request::FrameNumber;
use crate::storage::StorageError;

/// The memory for pictures that are being decoded, in bytes. One is decoded however large it is.
const MEMORY: usize = 1024 * 1024 * 1024;

/// What a picture takes while it is decoded and converted, in bytes a pixel: its file, its samples
/// as floats, and a copy.
const BYTES_PER_PIXEL: usize = 40;

/// A frame that was decoded.
#[derive(Debug)]
pub struct Decoded {
    /// Its number.
    pub number: FrameNumber,
    /// Its image.
    pub image: Image,
}

/// The image of a frame.
#[derive(Debug)]
pub enum Image {
    /// A whole picture.
    Whole {
        /// Its size.
        shape: Shape,
        /// Properties that the log tells of.
        traits: Traits,
        /// The frame of the video; `None` if no video is made.
        frame: Option<MadeFrame>,
    },
    /// The sequence has no file for the frame.
    Gap,
    /// The file is unusable, for this reason.
    Damaged(String),
}

/// A frame that is being decoded, or the error that kept its file from being read.
type Pending = Result<JoinHandle<Decoded>, StorageError>;

/// The decoded frames of a sequence, in order. Dropping it stops the work.
#[derive(Debug)]
pub struct Decoding {
    queue: mpsc::Receiver<Pending>,
    producer: JoinHandle<()>,
}

impl Decoding {
    /// Starts to decode frames for a video of `format`. Without a format, it only finds out whether
    /// they are whole, and their sizes.
    pub fn start(
        mut frames: Prefetch,
        maker: Arc<FrameMaker>,
        format: Option<FrameFormat>,
    ) -> Self {
        // One more waits to be sent, and the receiver has another one.
        let (sender, queue) = mpsc::channel(at_once(format.as_ref()));
        let producer = tokio::spawn(async move {
            while let Some(fetched) = frames.next().await {
                let maker = Arc::clone(&maker);
                let pending = fetched.map(|fetched| {
                    spawn_blocking(move || decode(&maker, fetched, format.as_ref()))
                });
                if sender.send(pending).await.is_err() {
                    return;
                }
            }
        });
        Self { queue, producer }
    }

    /// The next frame; `None` after the last one.
    ///
    /// # Errors
    /// If the file of the frame cannot be read from storage.
    pub async fn next(&mut self) -> Option<Result<Decoded, StorageError>> {
        match self.queue.recv().await? {
            Ok(pending) => finished(pending).await.map(Ok),
            Err(error) => Some(Err(error)),
        }
    }
}

impl Drop for Decoding {
    fn drop(&mut self) {
        self.producer.abort();
    }
}

/// The result of a task on another thread; `None` if the runtime is shutting down.
pub async fn finished<T>(task: JoinHandle<T>) -> Option<T> {
    match task.await {
        Ok(result) => Some(result),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => None,
        },
    }
}

/// How many frames are decoded at once.
fn at_once(format: Option<&FrameFormat>) -> usize {
    let pixels = format.map_or(0, |format| format.width as usize * format.height as usize);
    let fitting = MEMORY / pixels.saturating_mul(BYTES_PER_PIXEL).max(1);
    available_parallelism().map_or(1, usize::from).min(fitting).max(1)
}

fn decode(maker: &FrameMaker, fetched: Fetched, format: Option<&FrameFormat>) -> Decoded {
    let Fetched { number, file } = fetched;
    let image = match show(maker, file) {
        Ok(Some(shown)) => {
            let (shape, traits) = (shown.shape, shown.traits.clone());
            let frame = format.map(|format| maker.frame(number, shown, format));
            Image::Whole { shape, traits, frame }
        }
        Ok(None) => Image::Gap,
        Err(why) => Image::Damaged(why),
    };
    Decoded { number, image }
}

/// The picture in a file; `None` for a gap.
///
/// # Errors
/// Why the file is unusable, with its name.
pub fn show(maker: &FrameMaker, file: FetchedFile) -> Result<Option<Shown>, String> {
    match file {
        FetchedFile::Gap => Ok(None),
        FetchedFile::Unreadable(why) => Err(why),
        FetchedFile::Read { name, format, content } => {
            maker.show(format, &content).map(Some).map_err(|damage| format!("{name} {damage}"))
        }
    }
}

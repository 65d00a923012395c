//! Stores the previews of frames. They are useful but not required: what keeps one from being stored
//! is a warning, and never fails a frame.

pub mod contact_sheet;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::timeout;

use crate::error_chain::chain;
use crate::process::shutdown::{Shutdown, Stage};
use crate::request::{FrameFile, FrameNumber, ImageFormat, Location, PREVIEWS_DIR};
use crate::storage::Storage;

/// Stores previews in `previews/` of an output. Clones share what has happened so far.
#[derive(Clone, Debug)]
pub struct Previews {
    storage: Arc<Storage>,
    folder: Location,
    shutdown: Shutdown,
    /// How long storing one preview may take.
    timeout: Duration,
    so_far: Arc<SoFar>,
}

#[derive(Debug, Default)]
struct SoFar {
    /// Whether a preview is stored.
    stored: AtomicBool,
    /// Whether a warning was logged.
    warned: AtomicBool,
    /// Whether previews cannot be stored at all.
    hopeless: AtomicBool,
}

impl Previews {
    /// Stores previews in the folder for them below `output`, until `shutdown` reports a stop
    /// request.
    pub fn new(
        storage: Arc<Storage>,
        output: &Location,
        shutdown: Shutdown,
        timeout: Duration,
    ) -> Self {
        let folder = output.join(PREVIEWS_DIR);
        Self { storage, folder, shutdown, timeout, so_far: Arc::default() }
    }

    /// Stores the preview of a frame. After the first failure that is not transient, no other
    /// preview is tried.
    pub async fn store(&self, frame: FrameNumber, jpeg: Vec<u8>) {
        if self.so_far.hopeless.load(Relaxed) {
            return;
        }
        let file = self.folder.join(&FrameFile::name(frame, ImageFormat::Jpeg));
        let written = timeout(self.timeout, self.storage.write(&file, jpeg.into()));
        let why = tokio::select! {
            biased;
            // Frames and the report come first.
            _ = self.shutdown.beyond(Stage::Noticed) => return,
            written = written => match written {
                Ok(Ok(())) => {
                    self.so_far.stored.store(true, Relaxed);
                    return;
                }
                Ok(Err(error)) => {
                    if !error.failure().is_transient() {
                        self.so_far.hopeless.store(true, Relaxed);
                    }
                    chain(&error)
                }
                Err(_) => "storage did not respond in time".to_owned(),
            },
        };
        if self.so_far.warned.swap(true, Relaxed) {
            tracing::debug!("cannot store the preview {file}: {why}");
        } else {
            tracing::warn!(
                "cannot store the preview {file}, nor perhaps others: {why}; the frames are not \
                 affected (--no-previews or NO_PREVIEWS: make none)"
            );
        }
    }

    /// Whether any preview is stored.
    pub fn some_stored(&self) -> bool {
        self.so_far.stored.load(Relaxed)
    }
}

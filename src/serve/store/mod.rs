//! What the page shows, in a folder: `videos/ID/` for each video, `renders/ID/` for each render. The
//! server keeps nothing that the folder does not say, so that a restart loses nothing.

pub mod archive;
pub mod incoming;
pub mod input;
pub mod item;
pub mod making;
pub mod names;
pub mod render;
pub mod shelf;
pub mod stored_file;
pub mod time;
pub mod video;

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use item::AllChanges;
use render::Render;
use shelf::Shelf;
use video::Video;

/// The content of the folder.
#[derive(Debug)]
pub struct Data {
    /// The videos of pictures.
    pub videos: Shelf<Video>,
    /// The scenes and what is rendered of them.
    pub renders: Shelf<Render>,
    changes: AllChanges,
    /// Keeps other servers away from the folder.
    _lock: File,
}

impl Data {
    /// Opens a folder, which is created if it does not exist.
    ///
    /// # Errors
    /// The error of the system, or that another server uses the folder.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let lock = File::create(folder.join(".lock"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::Error(error) => error,
            TryLockError::WouldBlock => io::Error::other("another server uses it"),
        })?;
        let changes = Arc::new(watch::Sender::new(()));
        Ok(Self {
            videos: Shelf::open(folder, Arc::clone(&changes))?,
            renders: Shelf::open(folder, Arc::clone(&changes))?,
            changes,
            _lock: lock,
        })
    }

    /// Reports every change of a video or a render from now on.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Reports changes of other things that the first page shows.
    pub fn notifier(&self) -> Arc<watch::Sender<()>> {
        Arc::clone(&self.changes)
    }
}

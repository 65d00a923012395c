//! What the page shows, in a folder: `videos/ID/` for each video. The server keeps nothing that the
//! folder does not say, so that a restart loses nothing.

pub mod archive;
pub mod document;
pub mod incoming;
pub mod links;
pub mod making;
pub mod names;
pub mod thumbnails;
pub mod video;

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use names::VideoId;
use video::Video;

/// The folder of the videos.
const VIDEOS: &str = "videos";

/// The beginning of the name of a video that is being removed.
const REMOVED: &str = ".removed-";

/// The videos. Clones share them.
#[derive(Clone, Debug)]
pub struct Data {
    videos: Arc<RwLock<BTreeMap<VideoId, Arc<Video>>>>,
    folder: PathBuf,
    changes: Arc<watch::Sender<()>>,
    /// Keeps other servers away from the folder.
    _lock: Arc<File>,
}

impl Data {
    /// Opens a folder, which is created if it does not exist.
    ///
    /// # Errors
    /// The error of the system, or that another server uses the folder.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let videos = folder.join(VIDEOS);
        fs::create_dir_all(&videos)?;
        let lock = File::create(folder.join(".lock"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::Error(error) => error,
            TryLockError::WouldBlock => io::Error::other("another server uses it"),
        })?;
        let changes = Arc::new(watch::Sender::new(()));
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(&videos)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.starts_with(REMOVED) {
                fs::remove_dir_all(&path)?;
                continue;
            }
            let Ok(id) = name.parse::<VideoId>() else { continue };
            match Video::open(path.clone(), id.clone(), Arc::clone(&changes)) {
                Ok(video) => _ = found.insert(id, Arc::new(video)),
                Err(error) => {
                    tracing::warn!("leaving out {}, which is no video: {error}", path.display());
                }
            }
        }
        Ok(Self {
            videos: Arc::new(RwLock::new(found)),
            folder: videos,
            changes,
            _lock: Arc::new(lock),
        })
    }

    /// Creates a video.
    ///
    /// # Errors
    /// The error of the system.
    pub fn create(&self, name: &str) -> io::Result<Arc<Video>> {
        let id = VideoId::random()?;
        let folder = self.folder.join(id.to_string());
        let video = Video::create(folder, id.clone(), name, Arc::clone(&self.changes))?;
        let video = Arc::new(video);
        let mut videos = self.videos.write().unwrap_or_else(PoisonError::into_inner);
        videos.insert(id, Arc::clone(&video));
        drop(videos);
        self.changes.send_replace(());
        Ok(video)
    }

    /// Finds a video.
    pub fn find(&self, id: &VideoId) -> Option<Arc<Video>> {
        self.videos.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// All videos, the newest first.
    pub fn all(&self) -> Vec<Arc<Video>> {
        let videos = self.videos.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = videos.values().cloned().collect();
        drop(videos);
        all.sort_by_key(|video| std::cmp::Reverse(video.document().created));
        all
    }

    /// Removes a video.
    ///
    /// # Errors
    /// The error of the system.
    pub fn remove(&self, video: &Video) -> io::Result<()> {
        // In one step, so that no half of a video is left.
        let away = self.folder.join(format!("{REMOVED}{}", video.id));
        fs::rename(video.folder(), &away)?;
        self.videos.write().unwrap_or_else(PoisonError::into_inner).remove(&video.id);
        self.changes.send_replace(());
        fs::remove_dir_all(away)
    }

    /// Reports every change of a video from now on.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }
}

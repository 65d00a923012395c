//! One video: its folder has the pictures, what the user has chosen, the log of the last run, and the
//! video itself.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alphanumeric_sort::compare_str;
use serde::Serialize;
use tokio::sync::watch;

use super::document::{Document, Order, SortKey};
use super::making::Making;
use super::names::{FileName, VideoId};

/// The folder of the pictures.
const PICTURES: &str = "pictures";

/// The folder of their thumbnails.
const THUMBNAILS: &str = "thumbnails";

/// The folder of the sound.
const SOUND: &str = "sound";

/// The folder of the finished video.
const MADE: &str = "made";

/// A picture of a video, or another file of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredFile {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// The time of its last change, in milliseconds since 1970.
    pub modified: u64,
}

/// A video, and what has changed of it.
#[derive(Debug)]
pub struct Video {
    /// The name of its folder.
    pub id: VideoId,
    folder: PathBuf,
    document: Mutex<Document>,
    making: Mutex<Making>,
    pictures: AtomicUsize,
    /// Counts the changes of what is in the folder, from the time on at which it was opened, so that it
    /// is higher after a restart.
    revision: AtomicU64,
    changes: watch::Sender<()>,
    all_changes: Arc<watch::Sender<()>>,
}

impl Video {
    /// Creates the folder of a new video.
    ///
    /// # Errors
    /// The error of the system.
    pub fn create(
        folder: PathBuf,
        id: VideoId,
        name: &str,
        all_changes: Arc<watch::Sender<()>>,
    ) -> io::Result<Self> {
        fs::create_dir(&folder)?;
        let document = Document {
            name: Document::clean_name(name),
            created: millis(SystemTime::now()),
            order: Order::default(),
            settings: super::document::Settings::default(),
            requested: None,
        };
        document.write(&folder)?;
        Self::open(folder, id, all_changes)
    }

    /// Opens the folder of a video, and removes what broken uploads have left in it.
    ///
    /// # Errors
    /// The error of the system, or that it is no folder of a video.
    pub fn open(
        folder: PathBuf,
        id: VideoId,
        all_changes: Arc<watch::Sender<()>>,
    ) -> io::Result<Self> {
        let document = Document::read(&folder)?;
        let making = Making::of_log(&folder);
        for part in [PICTURES, THUMBNAILS, SOUND] {
            let part = folder.join(part);
            fs::create_dir_all(&part)?;
            super::incoming::remove_partial(&part)?;
        }
        super::incoming::remove_partial(&folder)?;
        let pictures = list(&folder.join(PICTURES))?.len();
        Ok(Self {
            id,
            folder,
            document: Mutex::new(document),
            making: Mutex::new(making),
            pictures: AtomicUsize::new(pictures),
            revision: AtomicU64::new(millis(SystemTime::now())),
            changes: watch::Sender::new(()),
            all_changes,
        })
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of the pictures.
    pub fn pictures_folder(&self) -> PathBuf {
        self.folder.join(PICTURES)
    }

    /// The folder of the thumbnails.
    pub fn thumbnails_folder(&self) -> PathBuf {
        self.folder.join(THUMBNAILS)
    }

    /// The folder of the sound.
    pub fn sound_folder(&self) -> PathBuf {
        self.folder.join(SOUND)
    }

    /// The folder of the finished video.
    pub fn made_folder(&self) -> PathBuf {
        self.folder.join(MADE)
    }

    /// What the user has chosen.
    pub fn document(&self) -> Document {
        lock(&self.document).clone()
    }

    /// Changes what the user has chosen.
    ///
    /// # Errors
    /// The error of the system; nothing is changed then.
    pub fn change(&self, change: impl FnOnce(&mut Document)) -> io::Result<()> {
        let mut document = lock(&self.document);
        let mut changed = document.clone();
        change(&mut changed);
        if changed != *document {
            changed.write(&self.folder)?;
            *document = changed;
            drop(document);
            self.content_changed();
        }
        Ok(())
    }

    /// How many pictures there are.
    pub fn picture_count(&self) -> usize {
        self.pictures.load(Relaxed)
    }

    /// The pictures in their order.
    ///
    /// # Errors
    /// The error of the system.
    pub fn pictures(&self) -> io::Result<Vec<StoredFile>> {
        let mut files = list(&self.pictures_folder())?;
        self.pictures.store(files.len(), Relaxed);
        match self.document().order {
            Order::By(SortKey::Name) => files.sort_by(by_name),
            Order::By(SortKey::Time) => {
                files.sort_by(|a, b| a.modified.cmp(&b.modified).then_with(|| by_name(a, b)));
            }
            Order::Exactly(names) => {
                let places: HashMap<_, _> =
                    names.iter().enumerate().map(|(place, name)| (name.as_str(), place)).collect();
                let place = |file: &StoredFile| {
                    places.get(file.name.as_str()).copied().unwrap_or(usize::MAX)
                };
                files.sort_by(|a, b| place(a).cmp(&place(b)).then_with(|| by_name(a, b)));
            }
        }
        Ok(files)
    }

    /// The size and time of a picture.
    ///
    /// # Errors
    /// The error of the system, such as that there is no such picture.
    pub fn picture(&self, name: &FileName) -> io::Result<fs::Metadata> {
        fs::symlink_metadata(self.pictures_folder().join(name.as_str()))
    }

    /// Takes note of a picture that was stored.
    pub fn picture_stored(&self, name: &FileName, is_new: bool) {
        if is_new {
            self.pictures.fetch_add(1, Relaxed);
        }
        self.remove_thumbnail(name);
        self.content_changed();
    }

    /// Removes pictures. Those that are gone already count as removed.
    ///
    /// # Errors
    /// The error of the system.
    pub fn remove_pictures(&self, names: &[FileName]) -> io::Result<()> {
        for name in names {
            match fs::remove_file(self.pictures_folder().join(name.as_str())) {
                Ok(()) => _ = self.pictures.fetch_sub(1, Relaxed),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            self.remove_thumbnail(name);
        }
        self.content_changed();
        Ok(())
    }

    fn remove_thumbnail(&self, name: &FileName) {
        // There may be none. One that stays is made again, because its time is wrong.
        _ = fs::remove_file(self.thumbnail(name));
    }

    /// The file with the thumbnail of a picture.
    pub fn thumbnail(&self, name: &FileName) -> PathBuf {
        self.thumbnails_folder().join(format!("{name}.jpg"))
    }

    /// The sound, if there is any.
    ///
    /// # Errors
    /// The error of the system.
    pub fn sound(&self) -> io::Result<Option<StoredFile>> {
        Ok(list(&self.sound_folder())?.pop())
    }

    /// Removes the sound, except for a file of this name.
    ///
    /// # Errors
    /// The error of the system.
    pub fn remove_sound(&self, except: Option<&FileName>) -> io::Result<()> {
        for file in list(&self.sound_folder())? {
            if except.is_none_or(|name| name.as_str() != file.name) {
                fs::remove_file(self.sound_folder().join(file.name))?;
            }
        }
        self.content_changed();
        Ok(())
    }

    /// The finished video, if there is one.
    ///
    /// # Errors
    /// The error of the system.
    pub fn made(&self) -> io::Result<Option<StoredFile>> {
        Ok(list(&self.made_folder())?.pop())
    }

    /// How far the making of the video has come.
    pub fn making(&self) -> Making {
        lock(&self.making).clone()
    }

    /// Sets how far the making of the video has come.
    pub fn set_making(&self, making: Making) {
        let ended = !making.is_pending();
        *lock(&self.making) = making;
        if ended {
            self.content_changed();
        } else {
            self.notify();
        }
    }

    /// The number of changes of what is in the folder.
    pub fn revision(&self) -> u64 {
        self.revision.load(Relaxed)
    }

    fn content_changed(&self) {
        self.revision.fetch_add(1, Relaxed);
        self.notify();
    }

    fn notify(&self) {
        self.changes.send_replace(());
        self.all_changes.send_replace(());
    }

    /// Reports every change from now on.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }
}

/// A panic of another request leaves whole values behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The files in a folder, without hidden ones, links and folders.
fn list(folder: &Path) -> io::Result<Vec<StoredFile>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            // It was removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if metadata.is_file() && !name.starts_with('.') {
            files.push(StoredFile {
                name,
                size: metadata.len(),
                modified: metadata.modified().map(millis)?,
            });
        }
    }
    Ok(files)
}

fn by_name(a: &StoredFile, b: &StoredFile) -> Ordering {
    compare_str(&a.name, &b.name).then_with(|| a.name.cmp(&b.name))
}

/// A time in milliseconds since 1970.
pub fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The time of these milliseconds since 1970.
pub fn time_of(millis: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_have_the_order_of_the_user() {
        let folder = tempfile::tempdir().unwrap();
        let (all, id) = (Arc::new(watch::Sender::new(())), VideoId::random().unwrap());
        let video = Video::create(folder.path().join("v"), id, "a", all).unwrap();
        for (name, at) in [("b10.png", 1), ("b9.png", 3), ("a.png", 2)] {
            let file = fs::File::create(video.pictures_folder().join(name)).unwrap();
            file.set_modified(time_of(at * 1000).unwrap()).unwrap();
        }
        let order = || {
            let names = video.pictures().unwrap().into_iter().map(|file| file.name);
            names.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(order(), "a.png b9.png b10.png");
        video.change(|document| document.order = Order::By(SortKey::Time)).unwrap();
        assert_eq!(order(), "b10.png a.png b9.png");
        let names = ["gone.png", "b9.png"].map(str::to_owned).to_vec();
        let revision = video.revision();
        video.change(|document| document.order = Order::Exactly(names)).unwrap();
        assert_eq!(order(), "b9.png a.png b10.png");
        assert_eq!((video.revision(), video.picture_count()), (revision + 1, 3));
        let names = ["a.png", "gone.png"].map(|name| FileName::new(name).unwrap());
        video.remove_pictures(&names).unwrap();
        assert_eq!((order().as_str(), video.picture_count()), ("b9.png b10.png", 2));
    }
}

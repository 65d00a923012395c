//! One video: its folder has the pictures, what the user has chosen, the log of the last run, and the
//! video itself.

pub mod document;
pub mod links;
pub mod thumbnails;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::incoming::remove_partial;
use super::item::{AllChanges, Item, Kind};
use super::names::{FileName, Id};
use super::stored_file::{StoredFile, list};
use document::{Order, SortKey, VideoChoices};

/// The folder of the pictures.
const PICTURES: &str = "pictures";

/// The folder of their thumbnails.
const THUMBNAILS: &str = "thumbnails";

/// The folder of the sound.
const SOUND: &str = "sound";

/// The folder of the finished video.
const MADE: &str = "made";

/// A video.
#[derive(Debug)]
pub struct Video {
    item: Item<VideoChoices>,
    pictures: AtomicUsize,
}

impl Kind for Video {
    type Choices = VideoChoices;

    const FOLDER: &'static str = "videos";
    const NOUN: &'static str = "video";

    fn open(folder: PathBuf, id: Id, all_changes: AllChanges) -> io::Result<Self> {
        let item = Item::open(folder, id, all_changes)?;
        let folder = item.folder();
        for part in [PICTURES, THUMBNAILS, SOUND] {
            let part = folder.join(part);
            fs::create_dir_all(&part)?;
            remove_partial(&part)?;
        }
        remove_partial(folder)?;
        let pictures = AtomicUsize::new(list(&folder.join(PICTURES))?.len());
        Ok(Self { item, pictures })
    }

    fn item(&self) -> &Item<VideoChoices> {
        &self.item
    }
}

impl Video {
    /// The folder of the pictures.
    pub fn pictures_folder(&self) -> PathBuf {
        self.item.folder().join(PICTURES)
    }

    /// The folder of the thumbnails.
    pub fn thumbnails_folder(&self) -> PathBuf {
        self.item.folder().join(THUMBNAILS)
    }

    /// The folder of the sound.
    pub fn sound_folder(&self) -> PathBuf {
        self.item.folder().join(SOUND)
    }

    /// The folder of the finished video.
    pub fn made_folder(&self) -> PathBuf {
        self.item.folder().join(MADE)
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
        match self.item.document().choices.order {
            Order::By(SortKey::Name) => files.sort_by(StoredFile::by_name),
            Order::By(SortKey::Time) => {
                files.sort_by(|a, b| a.modified.cmp(&b.modified).then_with(|| a.by_name(b)));
            }
            Order::Exactly(names) => {
                let places: HashMap<_, _> =
                    names.iter().enumerate().map(|(place, name)| (name.as_str(), place)).collect();
                let place = |file: &StoredFile| {
                    places.get(file.name.as_str()).copied().unwrap_or(usize::MAX)
                };
                files.sort_by(|a, b| place(a).cmp(&place(b)).then_with(|| a.by_name(b)));
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
        self.item.content_changed();
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
        self.item.content_changed();
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
        self.item.content_changed();
        Ok(())
    }

    /// The finished video, if there is one.
    ///
    /// # Errors
    /// The error of the system.
    pub fn made(&self) -> io::Result<Option<StoredFile>> {
        Ok(list(&self.made_folder())?.pop())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::watch;

    use super::*;
    use crate::serve::store::shelf::Shelf;
    use crate::serve::store::time::time_of;

    #[test]
    fn pictures_have_the_order_of_the_user() {
        let folder = tempfile::tempdir().unwrap();
        let all = Arc::new(watch::Sender::new(()));
        let shelf = Shelf::<Video>::open(folder.path(), all).unwrap();
        let video = shelf.create("a").unwrap();
        for (name, at) in [("b10.png", 1), ("b9.png", 3), ("a.png", 2)] {
            let file = fs::File::create(video.pictures_folder().join(name)).unwrap();
            file.set_modified(time_of(at * 1000).unwrap()).unwrap();
        }
        let order = || {
            let names = video.pictures().unwrap().into_iter().map(|file| file.name);
            names.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(order(), "a.png b9.png b10.png");
        video.item().change(|document| document.choices.order = Order::By(SortKey::Time)).unwrap();
        assert_eq!(order(), "b10.png a.png b9.png");
        let names = ["gone.png", "b9.png"].map(str::to_owned).to_vec();
        let revision = video.item().revision();
        video.item().change(|document| document.choices.order = Order::Exactly(names)).unwrap();
        assert_eq!(order(), "b9.png a.png b10.png");
        assert_eq!((video.item().revision(), video.picture_count()), (revision + 1, 3));
        let names = ["a.png", "gone.png"].map(|name| FileName::new(name).unwrap());
        video.remove_pictures(&names).unwrap();
        assert_eq!((order().as_str(), video.picture_count()), ("b9.png b10.png", 2));
    }
}

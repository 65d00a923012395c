//! What videos and renders have in common: a folder with a document, in which everything that the user
//! has chosen is kept, and news for those who watch.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::making::Making;
use super::names::Id;
use super::time::millis;

/// The longest name of an item in bytes.
const MAX_NAME: usize = 100;

/// Tells that something has changed, anywhere.
pub type AllChanges = Arc<watch::Sender<()>>;

/// What the user has chosen for an item: a JSON file in its folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document<C> {
    /// The name that the page shows.
    pub name: String,
    /// When it was created, in milliseconds since 1970.
    pub created: u64,
    /// When the user asked for the work, in milliseconds since 1970; `None` if nobody waits for it.
    #[serde(default)]
    pub requested: Option<u64>,
    /// What only this kind of item has.
    #[serde(flatten)]
    pub choices: C,
}

/// What the user can choose for one kind of item.
pub trait Choices: Clone + Default + PartialEq + Serialize + DeserializeOwned {
    /// The name of the file with the document.
    const FILE: &'static str;

    /// The name of an item without one.
    const UNNAMED: &'static str;

    /// The choices with defaults in place of settings that are not valid any more.
    #[must_use]
    fn repaired(self) -> Self;
}

impl<C: Choices> Document<C> {
    /// That of an item that is created now.
    pub fn new(name: &str) -> Self {
        let created = millis(SystemTime::now());
        let mut document =
            Self { name: String::new(), created, requested: None, choices: C::default() };
        document.rename(name);
        document
    }

    /// Gives the item a name that can be shown, and that file names can begin with.
    pub fn rename(&mut self, name: &str) {
        self.name = clean_name(name).unwrap_or_else(|| C::UNNAMED.to_owned());
    }

    /// Reads the document of a folder.
    ///
    /// # Errors
    /// If there is none, or if it is no document.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let document: Self = serde_json::from_slice(&fs::read(folder.join(C::FILE))?)?;
        Ok(Self { choices: document.choices.repaired(), ..document })
    }

    /// Writes the document in one step.
    ///
    /// # Errors
    /// The error of the system.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let partial = folder.join(format!(".{}", C::FILE));
        fs::write(&partial, serde_json::to_vec_pretty(self)?)?;
        fs::rename(partial, folder.join(C::FILE))
    }
}

/// A kind of item. Each has its own folder below that of the server.
pub trait Kind: Sized {
    /// What the user can choose.
    type Choices: Choices;

    /// The folder of all items of this kind.
    const FOLDER: &'static str;

    /// What the log and messages call one.
    const NOUN: &'static str;

    /// Opens the folder of an item, and removes what broken uploads have left in it.
    ///
    /// # Errors
    /// The error of the system, or that it is no such folder.
    fn open(folder: PathBuf, id: Id, all_changes: AllChanges) -> io::Result<Self>;

    /// What it has in common with the others.
    fn item(&self) -> &Item<Self::Choices>;
}

/// An item, and what has changed of it.
#[derive(Debug)]
pub struct Item<C> {
    /// The name of its folder.
    pub id: Id,
    folder: PathBuf,
    document: Mutex<Document<C>>,
    making: Mutex<Making>,
    /// Counts the changes of what is in the folder, from the time on at which it was opened, so that it
    /// is higher after a restart.
    revision: AtomicU64,
    changes: watch::Sender<()>,
    all_changes: AllChanges,
}

impl<C: Choices> Item<C> {
    /// Opens the folder of an item.
    ///
    /// # Errors
    /// The error of the system, or that it has no such document.
    pub fn open(folder: PathBuf, id: Id, all_changes: AllChanges) -> io::Result<Self> {
        let (document, making) = (Document::read(&folder)?, Making::of_log(&folder));
        Ok(Self {
            id,
            folder,
            document: Mutex::new(document),
            making: Mutex::new(making),
            revision: AtomicU64::new(millis(SystemTime::now())),
            changes: watch::Sender::new(()),
            all_changes,
        })
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the user has chosen.
    pub fn document(&self) -> Document<C> {
        lock(&self.document).clone()
    }

    /// Changes what the user has chosen.
    ///
    /// # Errors
    /// The error of the system; nothing is changed then.
    pub fn change(&self, change: impl FnOnce(&mut Document<C>)) -> io::Result<()> {
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

    /// How far the work has come.
    pub fn making(&self) -> Making {
        lock(&self.making).clone()
    }

    /// Sets how far the work has come.
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

    /// Takes note of a change of what is in the folder.
    pub fn content_changed(&self) {
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

/// A name that can be shown, and that file names can begin with; `None` if nothing is left of it.
fn clean_name(text: &str) -> Option<String> {
    let readable = |c: char| if c.is_alphanumeric() || " -_.()".contains(c) { c } else { ' ' };
    let name: String = text.chars().map(readable).collect();
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    let name = name.trim_start_matches(['.', '-']);
    let name = name.split_at(name.floor_char_boundary(MAX_NAME)).0.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_clean() {
        for (given, clean) in [
            ("Holiday", Some("Holiday")),
            ("  a/../b\n", Some("a .. b")),
            ("../x", Some("x")),
            ("-rf <b>", Some("rf b")),
            ("", None),
            ("日本 2026", Some("日本 2026")),
        ] {
            assert_eq!(clean_name(given).as_deref(), clean, "{given:?}");
        }
        assert_eq!(clean_name(&"ü".repeat(90)).unwrap().len(), 100);
    }
}

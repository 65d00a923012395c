//! All items of a kind: a folder with a folder for each.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use super::item::{AllChanges, Document, Kind};
use super::names::Id;

/// The beginning of the name of an item that is being removed.
const REMOVED: &str = ".removed-";

/// All items of a kind.
#[derive(Debug)]
pub struct Shelf<K> {
    items: RwLock<BTreeMap<Id, Arc<K>>>,
    folder: PathBuf,
    changes: AllChanges,
}

impl<K: Kind> Shelf<K> {
    /// Opens the items in the folder of a server.
    ///
    /// # Errors
    /// The error of the system.
    pub fn open(data: &Path, changes: AllChanges) -> io::Result<Self> {
        let folder = data.join(K::FOLDER);
        fs::create_dir_all(&folder)?;
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.starts_with(REMOVED) {
                fs::remove_dir_all(&path)?;
                continue;
            }
            let Ok(id) = name.parse::<Id>() else { continue };
            match K::open(path.clone(), id.clone(), Arc::clone(&changes)) {
                Ok(item) => _ = found.insert(id, Arc::new(item)),
                Err(error) => {
                    let noun = K::NOUN;
                    tracing::warn!("leaving out {}, which is no {noun}: {error}", path.display());
                }
            }
        }
        Ok(Self { items: RwLock::new(found), folder, changes })
    }

    /// Creates an item of this name.
    ///
    /// # Errors
    /// The error of the system.
    pub fn create(&self, name: &str) -> io::Result<Arc<K>> {
        let id = Id::random()?;
        let folder = self.folder.join(id.to_string());
        fs::create_dir(&folder)?;
        Document::<K::Choices>::new(name).write(&folder)?;
        let item = Arc::new(K::open(folder, id.clone(), Arc::clone(&self.changes))?);
        let mut items = self.items.write().unwrap_or_else(PoisonError::into_inner);
        items.insert(id, Arc::clone(&item));
        drop(items);
        self.changes.send_replace(());
        Ok(item)
    }

    /// Finds an item.
    pub fn find(&self, id: &Id) -> Option<Arc<K>> {
        self.items.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// All items, the newest first.
    pub fn all(&self) -> Vec<Arc<K>> {
        let items = self.items.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = items.values().cloned().collect();
        drop(items);
        all.sort_by_cached_key(|item| std::cmp::Reverse(item.item().document().created));
        all
    }

    /// Removes an item.
    ///
    /// # Errors
    /// The error of the system.
    pub fn remove(&self, item: &K) -> io::Result<()> {
        // In one step, so that no half of it is left.
        let (id, folder) = (&item.item().id, item.item().folder());
        let away = self.folder.join(format!("{REMOVED}{id}"));
        fs::rename(folder, &away)?;
        self.items.write().unwrap_or_else(PoisonError::into_inner).remove(id);
        self.changes.send_replace(());
        fs::remove_dir_all(away)
    }
}

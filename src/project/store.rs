//! The places of manifests and contents below the location of a project.

use std::collections::HashMap;

use super::content::ContentHash;
use super::error::ProjectError;
use super::manifest::{MAX_MANIFEST, Manifest, ManifestError};
use crate::request::Location;
use crate::storage::{START_LENGTH, Storage, StorageError};

/// The folder of the contents, beside the manifests.
const FILES_DIR: &str = "files";

/// The location of projects that share their files.
#[derive(Clone, Debug)]
pub struct ProjectStore {
    folder: Location,
}

impl ProjectStore {
    /// The store at a location.
    pub fn at(folder: Location) -> Self {
        Self { folder }
    }

    /// The store that a manifest is in.
    pub fn of_manifest(manifest: &Location) -> Self {
        let folder = manifest.split().map(|(folder, _)| folder);
        Self { folder: folder.unwrap_or_else(|| manifest.clone()) }
    }

    /// The folder of the contents.
    pub fn files(&self) -> Location {
        self.folder.join(FILES_DIR)
    }

    /// The location of a content.
    pub fn content(&self, content: &ContentHash) -> Location {
        self.files().join(&content.to_string())
    }

    /// The contents that are stored, with their sizes in bytes: one listing.
    ///
    /// # Errors
    /// If they cannot be listed.
    pub async fn known(
        &self,
        storage: &Storage,
    ) -> Result<HashMap<ContentHash, u64>, StorageError> {
        let entries = storage.list(&self.files()).await?;
        let known = entries.iter();
        Ok(known.filter_map(|it| Some((ContentHash::parse(&it.name)?, it.size))).collect())
    }
}

/// Reads the manifest at a location.
///
/// # Errors
/// If it cannot be read, or is refused.
pub async fn read_manifest(
    storage: &Storage,
    location: &Location,
) -> Result<Manifest, ProjectError> {
    let refuse = |source| ProjectError::Manifest { location: location.clone(), source };
    let opened = storage.open_scene(location, START_LENGTH).await?;
    if opened.size > MAX_MANIFEST {
        return Err(refuse(ManifestError::TooMany));
    }
    let json =
        if opened.is_whole() { opened.start } else { storage.read(location, opened.size).await? };
    Manifest::parse(&json).map_err(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_lie_beside_the_manifest() {
        let store = ProjectStore::of_manifest(&"s3://bucket/p/shot.project.json".parse().unwrap());
        let content = store.content(&ContentHash::of(b"")).to_string();
        assert!(content.starts_with("s3://bucket/p/files/e3b0c442"), "{content}");
        let here = ProjectStore::of_manifest(&"shot.project.json".parse().unwrap());
        assert_eq!(here.files().to_string(), "./files");
    }
}

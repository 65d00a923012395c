//! The scene of a job: a scene file on its own, or the main file of a project.

use std::path::{Path, PathBuf};

use super::cache::ProjectCache;
use super::error::ProjectError;
use super::fetch::{Fetch, fetch_object};
use super::manifest::Manifest;
use super::prefix::Prefix;
use super::store::{ProjectStore, read_manifest};
use super::unpack::unpack;
use crate::archive::ArchiveFormat;
use crate::blender::SceneProject;
use crate::request::{Location, ProjectPath};
use crate::storage::{Opened, Storage};

/// The folder in scratch that a project is fetched to.
const PROJECT_DIR: &str = "project";

/// The scene of a job, of which only the beginning has been read.
#[derive(Clone, Debug)]
pub struct SceneInput {
    /// The scene file.
    pub opened: Opened,
    /// What it belongs to.
    source: Source,
}

/// What a scene file belongs to.
#[derive(Clone, Debug)]
enum Source {
    /// Nothing: a scene file on its own.
    File,
    /// A project that is stored by its contents.
    Stored(Manifest, ProjectStore),
    /// A project that is unpacked in this folder.
    Unpacked(Manifest, PathBuf),
    /// A folder on this machine.
    Folder(PathBuf),
    /// Every object below a prefix on S3.
    Prefix(Prefix),
}

/// A scene on this machine.
#[derive(Clone, Debug)]
pub struct FetchedScene {
    /// The scene file.
    pub file: PathBuf,
    /// Its project; `None` for a scene file on its own.
    pub project: Option<SceneProject>,
}

/// The format of the archive at a location; `None` if it is none.
fn archive_format(location: &Location) -> Option<ArchiveFormat> {
    location.split().and_then(|(_, name)| ArchiveFormat::of_name(name))
}

impl SceneInput {
    /// Whether a location is that of an archive, by its name.
    pub fn is_archive(location: &Location) -> bool {
        archive_format(location).is_some()
    }

    /// Opens the scene at a location, and reads its first `length` bytes. The location is that of a
    /// scene file, of the manifest of a project, of an archive, or of a folder on this machine or on
    /// S3, in which `main` is the scene file. An archive is unpacked in `scratch`, which is not used
    /// otherwise.
    ///
    /// # Errors
    /// If it cannot be read, the manifest or archive is refused, or it is not clear what is rendered.
    pub async fn open(
        storage: &Storage,
        location: &Location,
        main: Option<&ProjectPath>,
        scratch: &Path,
        length: u64,
    ) -> Result<Self, ProjectError> {
        if location.is_manifest() {
            return Self::of_manifest(storage, location, length).await;
        }
        if let Some(format) = archive_format(location) {
            let folder = scratch.join(PROJECT_DIR);
            let manifest = unpack(storage, location, format, main, &folder).await?;
            let file = Location::Local(manifest.main().below(&folder));
            let opened = storage.open_start(&file, length).await?;
            return Ok(Self { opened, source: Source::Unpacked(manifest, folder) });
        }
        match (main, location) {
            (Some(main), Location::Local(folder)) => {
                storage.ensure_folder(location).await?;
                let opened = storage.open_scene(&location.join(main.as_str()), length).await?;
                let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.clone());
                Ok(Self { opened, source: Source::Folder(folder) })
            }
            (Some(main), Location::S3 { .. }) => {
                let prefix = Prefix::list(storage, location, main).await?;
                let opened = storage.open_start(&prefix.main_location(), length).await?;
                Ok(Self { opened, source: Source::Prefix(prefix) })
            }
            (None, _) => {
                let opened = storage.open_scene(location, length).await?;
                Ok(Self { opened, source: Source::File })
            }
        }
    }

    async fn of_manifest(
        storage: &Storage,
        location: &Location,
        length: u64,
    ) -> Result<Self, ProjectError> {
        let manifest = read_manifest(storage, location).await?;
        let store = ProjectStore::of_manifest(location);
        let (main, file) = manifest.main_file();
        let stored = store.content(&file.content);
        let opened = storage.open_start(&stored, length).await?;
        if opened.size != file.size {
            return Err(ProjectError::Content { path: main.clone(), location: stored });
        }
        Ok(Self { opened, source: Source::Stored(manifest, store) })
    }

    /// Whether its project is fetched to scratch, so that no file of it is anybody else's.
    pub fn is_fetched_project(&self) -> bool {
        match &self.source {
            Source::Stored(..) | Source::Unpacked(..) | Source::Prefix(_) => true,
            Source::File | Source::Folder(_) => false,
        }
    }

    /// What identifies the files of a project that is fetched; `None` for another scene, and if the
    /// store does not tell versions.
    pub fn project_identity(&self) -> Option<String> {
        match &self.source {
            Source::Stored(manifest, _) | Source::Unpacked(manifest, _) => {
                Some(manifest.identity())
            }
            Source::Prefix(prefix) => prefix.identity(),
            Source::File | Source::Folder(_) => None,
        }
    }

    /// Makes the scene available on this machine, with the files of its project if it has one: they
    /// are fetched to `scratch`, and so is a scene file from S3. What the `cache` has is not fetched.
    ///
    /// # Errors
    /// If something cannot be read or written, or is not what the manifest says.
    pub async fn fetch(
        &self,
        storage: &Storage,
        scratch: &Path,
        cache: Option<&ProjectCache>,
    ) -> Result<FetchedScene, ProjectError> {
        let (folder, manifest) = match &self.source {
            Source::File => {
                let file = scratch.join("scene.blend");
                let file = fetch_object(storage, &self.opened, &file, cache).await?;
                return Ok(FetchedScene { file, project: None });
            }
            Source::Folder(folder) => {
                let file = storage.localise(&self.opened, &scratch.join("scene.blend")).await?;
                let (folder, origins) = (folder.clone(), [].into());
                let project = SceneProject { folder, origins, colours: None, is_fetched: false };
                return Ok(FetchedScene { file, project: Some(project) });
            }
            Source::Stored(manifest, store) => {
                let folder = scratch.join(PROJECT_DIR);
                let main = &self.opened;
                Fetch { storage, store, manifest, main, folder: &folder, cache }.run().await?;
                (folder, manifest)
            }
            Source::Prefix(prefix) => {
                let folder = scratch.join(PROJECT_DIR);
                prefix.fetch(storage, &folder, cache).await?;
                let file = prefix.main().below(&folder);
                let project =
                    SceneProject { folder, origins: [].into(), colours: None, is_fetched: true };
                return Ok(FetchedScene { file, project: Some(project) });
            }
            Source::Unpacked(manifest, folder) => (folder.clone(), manifest),
        };
        let file = manifest.main().below(&folder);
        let colours = manifest.colours().map(ToString::to_string);
        let origins = manifest.origins();
        let project = SceneProject { folder, origins, colours, is_fetched: true };
        Ok(FetchedScene { file, project: Some(project) })
    }
}

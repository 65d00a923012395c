//! Projects that lie on S3 as they are: every object below a prefix is a file of the project.
//!
//! What the scene needs is not known before it is opened, so all of them are fetched. The project is
//! identified by the versions of the objects.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use sha2::{Digest as _, Sha256};

use super::cache::ProjectCache;
use super::error::ProjectError;
use super::fetch::{CONCURRENT, fetch_object, show};
use super::manifest::{MAX_FILES, ManifestError, check_paths};
use super::unpack::main_of;
use crate::ending::Size;
use crate::hex::hex;
use crate::request::{Location, ProjectPath};
use crate::space::Space;
use crate::storage::{Opened, Storage, Version};
use crate::telemetry::progress;

/// The most bytes below a prefix. A project that is larger is hardly meant as a whole.
const MAX_BYTES: u64 = 200 * 1024 * 1024 * 1024;

/// The files below a prefix.
#[derive(Clone, Debug)]
pub(super) struct Prefix {
    location: Location,
    main: ProjectPath,
    /// The size in bytes and the version of each.
    files: BTreeMap<ProjectPath, (u64, Option<String>)>,
}

impl Prefix {
    /// Lists the files below `location`, of which `main` is rendered.
    ///
    /// # Errors
    /// If they cannot be listed, cannot be the files of one folder, are too many or too large, or if
    /// `main` is not one of them.
    pub async fn list(
        storage: &Storage,
        location: &Location,
        main: &ProjectPath,
    ) -> Result<Self, ProjectError> {
        let refuse = |source| ProjectError::Manifest { location: location.clone(), source };
        let listed = storage.list_tree(location).await?;
        if listed.len() > MAX_FILES {
            return Err(refuse(ManifestError::TooMany));
        }
        let mut files = BTreeMap::new();
        for (entry, etag) in listed {
            let path = ProjectPath::new(&entry.name).map_err(|error| refuse(error.into()))?;
            files.insert(path, (entry.size, etag));
        }
        check_paths(files.keys()).map_err(refuse)?;
        let main = main_of(location, files.keys(), Some(main))?;
        let prefix = Self { location: location.clone(), main, files };
        if prefix.bytes() > MAX_BYTES {
            return Err(ProjectError::TooLarge {
                location: location.clone(),
                bytes: prefix.bytes(),
                most: MAX_BYTES,
            });
        }
        Ok(prefix)
    }

    fn bytes(&self) -> u64 {
        self.files.values().fold(0, |sum, (size, _)| sum.saturating_add(*size))
    }

    /// The file that is rendered.
    pub fn main(&self) -> &ProjectPath {
        &self.main
    }

    /// The location of the file that is rendered.
    pub fn main_location(&self) -> Location {
        self.location.join(self.main.as_str())
    }

    /// What identifies the pictures' sources: every path with the version of its object. `None` if the
    /// store does not tell versions.
    pub fn identity(&self) -> Option<String> {
        let mut hash = Sha256::new();
        hash.update(format!("{:?}\n", self.main.as_str()));
        for (path, (size, etag)) in &self.files {
            hash.update(format!("{:?} {size} {:?}\n", path.as_str(), etag.as_ref()?));
        }
        Some(format!("prefix {} {}", self.location, hex(&hash.finalize())))
    }

    /// Fetches all files to `folder`, which does not exist yet. What the `cache` has is not fetched.
    ///
    /// # Errors
    /// If one cannot be read or written, or was replaced since they were listed.
    pub async fn fetch(
        &self,
        storage: &Storage,
        folder: &Path,
        cache: Option<&ProjectCache>,
    ) -> Result<(), ProjectError> {
        let total = self.bytes();
        tracing::info!(
            files = self.files.len(),
            bytes = total,
            "fetching all {} files of {}, {}, because what the scene needs is not known before it is \
             opened; render-worker pack stores a project of what it needs",
            self.files.len(),
            self.location,
            Size(total)
        );
        let folders = self.files.keys().filter_map(|path| path.folders().next());
        for path in [folder.to_owned()].into_iter().chain(folders.map(|it| folder.join(it))) {
            fs::create_dir_all(&path).map_err(|source| ProjectError::Write { path, source })?;
        }
        if let Ok(space) = Space::on(folder)
            && !space.holds(total)
        {
            return Err(ProjectError::NoSpace { needed: total, space });
        }
        let mut files: Vec<_> = self.files.iter().collect();
        files.sort_by_key(|(_, (size, _))| std::cmp::Reverse(*size));
        let fetches = files.into_iter().map(|(path, (size, etag))| async move {
            let location = self.location.join(path.as_str());
            let opened = storage.open(&location).await?;
            if opened.size != *size || !is_version(&opened, etag.as_deref()) {
                return Err(ProjectError::Replaced { location });
            }
            fetch_object(storage, &opened, &path.below(folder), cache).await?;
            Ok(*size)
        });
        let fetches: Vec<_> = fetches.collect();
        let mut done = 0;
        let fetching = stream::iter(fetches).buffer_unordered(CONCURRENT).try_for_each(|size| {
            done += size;
            show(done, total);
            std::future::ready(Ok(()))
        });
        let result = fetching.await;
        progress::clear();
        result
    }
}

/// Whether an opened object is of a version, as far as the store tells.
fn is_version(opened: &Opened, etag: Option<&str>) -> bool {
    match (&opened.version, etag) {
        (Version::S3 { etag: Some(opened) }, Some(listed)) => {
            opened.trim_matches('"') == listed.trim_matches('"')
        }
        _ => true,
    }
}

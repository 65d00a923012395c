//! Fetches the files of a project: each content once, the largest first.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::cache::ProjectCache;
use super::content::ContentHash;
use super::error::ProjectError;
use super::manifest::Manifest;
use super::store::ProjectStore;
use crate::ending::Size;
use crate::request::ProjectPath;
use crate::space::Space;
use crate::storage::{Opened, Storage, StorageError};
use crate::telemetry::progress;

/// How many files are fetched concurrently. The transfers from S3 have a limit of their own, which is
/// lower at first; the beginning of each file is held in memory.
pub(super) const CONCURRENT: usize = 32;

/// The files of a manifest, to be fetched to a folder.
pub(super) struct Fetch<'a> {
    pub storage: &'a Storage,
    pub store: &'a ProjectStore,
    pub manifest: &'a Manifest,
    /// The scene file, whose beginning was read.
    pub main: &'a Opened,
    /// The folder of the project, which does not exist yet.
    pub folder: &'a Path,
    /// What has some of them, and takes in the others.
    pub cache: Option<&'a ProjectCache>,
}

impl Fetch<'_> {
    /// Fetches them, and checks their contents.
    ///
    /// # Errors
    /// If one cannot be read or written, or has another content than the manifest says.
    pub async fn run(&self) -> Result<(), ProjectError> {
        let began = Instant::now();
        let contents = self.manifest.contents();
        let total = contents.iter().map(|(_, size)| size).sum();
        self.make_folders()?;
        if let Ok(space) = Space::on(self.folder)
            && !space.holds(total)
        {
            return Err(ProjectError::NoSpace { needed: total, space });
        }
        let mut paths: HashMap<ContentHash, Vec<&ProjectPath>> = HashMap::new();
        for (path, file) in self.manifest.files() {
            paths.entry(file.content).or_default().push(path);
        }
        let (done, cached) = (AtomicU64::new(0), AtomicUsize::new(0));
        let fetches = contents.iter().map(|(content, size)| {
            let paths = paths.get(content).map_or(&[][..], Vec::as_slice);
            let (done, cached) = (&done, &cached);
            async move {
                let is_cached = self.fetch(*content, *size, paths).await?;
                cached.fetch_add(usize::from(is_cached), Relaxed);
                let done = done.fetch_add(*size, Relaxed) + size;
                show(done, total);
                Ok::<_, ProjectError>(())
            }
        });
        let fetches: Vec<_> = fetches.collect();
        let result = stream::iter(fetches).buffer_unordered(CONCURRENT).try_collect::<()>().await;
        progress::clear();
        result?;
        shrink(self.cache).await;
        let cached = cached.load(Relaxed);
        tracing::info!(
            files = self.manifest.files().len(),
            bytes = total,
            cached,
            "fetched the project of {}: {} files, {}, in {:.1} s{}",
            self.manifest.main(),
            self.manifest.files().len(),
            Size(total),
            began.elapsed().as_secs_f64(),
            if cached > 0 { format!("; {cached} were in the cache") } else { String::new() }
        );
        Ok(())
    }

    /// Creates the folders of all files.
    fn make_folders(&self) -> Result<(), ProjectError> {
        let create = |path: PathBuf| {
            fs::create_dir_all(&path).map_err(|source| ProjectError::Write { path, source })
        };
        create(self.folder.to_owned())?;
        let folders = self.manifest.files().keys().filter_map(|path| path.folders().next());
        folders.map(|folder| self.folder.join(folder)).try_for_each(create)
    }

    /// Places a content at all of its paths. Whether the cache had it.
    async fn fetch(
        &self,
        content: ContentHash,
        size: u64,
        paths: &[&ProjectPath],
    ) -> Result<bool, ProjectError> {
        let Some((&first, others)) = paths.split_first() else { return Ok(false) };
        let location = self.store.content(&content);
        let wrong = || ProjectError::Content { path: first.clone(), location: location.clone() };
        let file = first.below(self.folder);
        let others: Vec<_> = others.iter().map(|path| path.below(self.folder)).collect();
        let cache = self.cache.cloned();
        let (target, links) = (file.clone(), others.clone());
        let taken = tokio::task::spawn_blocking(move || {
            let is_there =
                cache.is_some_and(|cache| cache.take_out(&content.to_string(), size, &target));
            if is_there {
                links.iter().try_for_each(|other| link_or_copy(&target, other))?;
            }
            Ok(is_there)
        });
        let cannot_write = |source| ProjectError::Write { path: file.clone(), source };
        if taken.await.map_err(io::Error::other).flatten().map_err(cannot_write)? {
            return Ok(true);
        }
        let opened = if content == self.manifest.main_file().1.content {
            self.main.clone()
        } else {
            self.storage.open(&location).await?
        };
        if opened.size != size {
            return Err(wrong());
        }
        let source = self.storage.localise(&opened, &file).await?;
        // Its first bytes are no longer needed while it is hashed.
        drop(opened);
        let (target, cache) = (file.clone(), self.cache.cloned());
        let placed = tokio::task::spawn_blocking(move || {
            if source != target {
                // No link: what happens to the copy must not happen to a store on this disk.
                fs::copy(&source, &target)?;
            }
            let (found, _) = ContentHash::of_reader(File::open(&target)?)?;
            if found == content {
                others.iter().try_for_each(|other| link_or_copy(&target, other))?;
                take_in(cache.as_ref(), &content.to_string(), &target);
            }
            Ok(found == content)
        });
        match placed.await.map_err(io::Error::other).flatten() {
            Ok(true) => Ok(false),
            Ok(false) => Err(wrong()),
            Err(source) => Err(cannot_write(source)),
        }
    }
}

/// Makes an opened file available on this machine: takes an object from the cache, or downloads it to
/// `copy`.
///
/// # Errors
/// Those of [`Storage::localise`].
pub(super) async fn fetch_object(
    storage: &Storage,
    opened: &Opened,
    copy: &Path,
    cache: Option<&ProjectCache>,
) -> Result<PathBuf, StorageError> {
    let Some((cache, name)) = cache.zip(ProjectCache::name_of(opened)) else {
        return storage.localise(opened, copy).await;
    };
    let (own, named, target, size) = (cache.clone(), name.clone(), copy.to_owned(), opened.size);
    let taken = tokio::task::spawn_blocking(move || own.take_out(&named, size, &target));
    if taken.await.unwrap_or(false) {
        tracing::info!("{} was in the cache", opened.location);
        return Ok(copy.to_owned());
    }
    let file = storage.localise(opened, copy).await?;
    let (own, source) = (cache.clone(), file.clone());
    _ = tokio::task::spawn_blocking(move || take_in(Some(&own), &name, &source)).await;
    shrink(Some(cache)).await;
    Ok(file)
}

/// Takes a file in, if that is possible. A job that cannot have a cache takes longer, and succeeds.
fn take_in(cache: Option<&ProjectCache>, name: &str, file: &Path) {
    if let Some(Err(why)) = cache.map(|cache| cache.take_in(name, file)) {
        tracing::warn!("a file is not kept in the cache (--cache-dir, CACHE_DIR): {why}");
    }
}

/// Removes what the cache has no room for.
async fn shrink(cache: Option<&ProjectCache>) {
    let Some(cache) = cache.cloned() else { return };
    let shrunk = tokio::task::spawn_blocking(move || cache.shrink()).await;
    if let Err(why) = shrunk.map_err(io::Error::other).flatten() {
        tracing::warn!("the cache may be larger than --cache-size (CACHE_SIZE): {why}");
    }
}

/// Links `target` to the content of the file `source`, or copies it where there are no links.
fn link_or_copy(source: &Path, target: &Path) -> io::Result<()> {
    if fs::hard_link(source, target).is_ok() {
        return Ok(());
    }
    fs::copy(source, target).map(drop)
}

/// Shows how many bytes are fetched.
#[expect(clippy::cast_precision_loss, reason = "for a bar")]
pub(super) fn show(done: u64, total: u64) {
    let part = if total == 0 { 1.0 } else { done as f64 / total as f64 };
    progress::show(part, format_args!("fetching {} of {}", Size(done), Size(total)));
}

//! Stores the files of a project by their contents: each content once, and only if it is not there.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use nix::fcntl::OFlag;

use super::hash_cache::HashCache;
use super::inventory::Inventory;
use crate::ending::Size;
use crate::error::Error;
use crate::printable::printable;
use crate::project::{ContentHash, FileState, ProjectFile, ProjectStore};
use crate::request::{Location, ProjectPath};
use crate::storage::TransferProgress;
use crate::telemetry::progress;
use crate::worker::Worker;

/// How many files are read concurrently. The transfers to S3 have a limit of their own.
const CONCURRENT: usize = 16;

/// How often progress is logged.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Where files are stored.
pub struct Storing<'a> {
    pub worker: &'a Worker,
    pub store: &'a ProjectStore,
    /// The hashes of files that were packed before.
    pub hashes: &'a HashCache,
    /// Whether nothing is stored.
    pub dry_run: bool,
}

/// What was not there before.
#[derive(Debug, Default)]
pub struct Sent {
    /// How many contents.
    pub files: usize,
    /// Their size in bytes.
    pub bytes: u64,
}

/// A file that was read.
enum Read {
    /// Its content and size, with the open file and its state.
    Whole(ContentHash, File, FileState),
    /// It changed meanwhile.
    Changed,
}

/// What is known before a file is read.
pub struct Looked {
    /// The contents that are stored already, with their sizes.
    known: HashMap<ContentHash, u64>,
    /// The state of each file of the inventory.
    states: Vec<Metadata>,
}

impl Storing<'_> {
    /// Looks what is stored, and at the files of `inventory`.
    ///
    /// # Errors
    /// Those of [`Storing::store`].
    pub async fn look(&self, inventory: &Inventory) -> Result<Looked, Error> {
        let known = self.worker.unless_stopped(self.store.known(&self.worker.storage));
        let (known, states) = tokio::try_join!(known, states(inventory))?;
        Ok(Looked { known, states })
    }

    /// Stores the files of `inventory`. The result has each with its content, and what is new.
    ///
    /// # Errors
    /// - [`Error::PackedFile`] if a file cannot be read, [`Error::FilesChanged`] if some changed
    ///   meanwhile: the others are stored.
    /// - [`Error::Storage`] if one cannot be stored, [`Error::Interrupted`] if the job is stopped.
    pub async fn store(
        &self,
        inventory: &Inventory,
        looked: Looked,
    ) -> Result<(BTreeMap<ProjectPath, ProjectFile>, Sent), Error> {
        let Looked { known, states } = looked;
        let round = Round {
            storing: self,
            known,
            claimed: Mutex::default(),
            sent_files: AtomicUsize::new(0),
            sent_bytes: AtomicU64::new(0),
            progress: Progress::begin(&states),
        };
        let (mut files, mut changed, mut others) = (BTreeMap::new(), Vec::new(), Vec::new());
        let mut unread_bytes = 0;
        for ((path, (file, origin)), state) in inventory.files.iter().zip(&states) {
            if let Some(content) = round.unchanged(state) {
                let (size, origin) = (state.len(), origin.clone());
                unread_bytes += size;
                files.insert(path.clone(), ProjectFile { size, content, origin });
            } else {
                others.push((path, file, origin));
            }
        }
        let unread = files.len();
        if unread > 0 {
            round.progress.finished(unread, unread_bytes);
            tracing::info!(
                unread,
                "not read, because they have not changed since they were packed: {unread} files"
            );
        }
        let stored = others.into_iter().map(|(path, file, origin)| {
            let round = &round;
            async move { Ok::<_, Error>((path.clone(), round.store(file, origin.as_ref()).await?)) }
        });
        let stored: Vec<_> = stored.collect();
        let stored = stream::iter(stored).buffer_unordered(CONCURRENT).try_collect::<Vec<_>>();
        let stored = self.worker.unless_stopped(stored).await;
        progress::clear();
        // Also if something failed: what was read need not be read again.
        self.hashes.save();
        for (path, file) in stored? {
            match file {
                Some(file) => _ = files.insert(path, file),
                None => changed.push(printable(path.as_str())),
            }
        }
        if !changed.is_empty() {
            changed.sort();
            return Err(Error::FilesChanged { files: changed });
        }
        let sent =
            Sent { files: round.sent_files.load(Relaxed), bytes: round.sent_bytes.load(Relaxed) };
        Ok((files, sent))
    }
}

/// The storing of all files.
struct Round<'a> {
    storing: &'a Storing<'a>,
    /// What was there before, with the sizes.
    known: HashMap<ContentHash, u64>,
    /// What is being stored, or is.
    claimed: Mutex<HashSet<ContentHash>>,
    sent_files: AtomicUsize,
    sent_bytes: AtomicU64,
    progress: Progress,
}

impl Round<'_> {
    /// The content of a file in this state, if it is known without being read. Only what is stored is.
    fn unchanged(&self, state: &Metadata) -> Option<ContentHash> {
        let hash = self.storing.hashes.get(state)?;
        (self.known.get(&hash) == Some(&state.len())).then_some(hash)
    }

    /// Stores a file. `None` if it changed meanwhile: then it is not stored.
    async fn store(
        &self,
        file: &Path,
        origin: Option<&String>,
    ) -> Result<Option<ProjectFile>, Error> {
        let unreadable = |source| Error::PackedFile { path: file.to_owned(), source };
        let path = file.to_owned();
        let opened = tokio::task::spawn_blocking(move || open(&path)).await;
        let (source, metadata) = opened.map_err(io::Error::other).flatten().map_err(unreadable)?;
        let began = SystemTime::now();
        let read = tokio::task::spawn_blocking(move || read(source)).await;
        let read = read.map_err(io::Error::other).flatten().map_err(unreadable)?;
        let Read::Whole(content, source, state) = read else { return Ok(None) };
        let size = state.size();
        if state == FileState::from(&metadata) {
            self.storing.hashes.learn(&metadata, content, began);
        }
        if self.known.get(&content) != Some(&size) && self.claim(content) {
            if !self.storing.dry_run && !self.send(content, source, state).await? {
                return Ok(None);
            }
            self.sent_files.fetch_add(1, Relaxed);
            self.sent_bytes.fetch_add(size, Relaxed);
        }
        self.progress.finished(1, size);
        Ok(Some(ProjectFile { size, content, origin: origin.cloned() }))
    }

    /// Whether nothing else stores this content.
    fn claim(&self, content: ContentHash) -> bool {
        // What a panic left is still true.
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner).insert(content)
    }

    /// Stores a content. Whether it is that of the file.
    async fn send(
        &self,
        content: ContentHash,
        source: File,
        state: FileState,
    ) -> Result<bool, Error> {
        let location: Location = self.storing.store.content(&content);
        let storage = &self.storing.worker.storage;
        let is_same = move |file: &File| FileState::of(file).is_ok_and(|now| now == state);
        let again = source.try_clone().ok();
        let progress = TransferProgress::default();
        let sent = storage.upload_unchanged(source, &location, is_same, &progress).await;
        match sent {
            Ok(bytes) => Ok(bytes == state.size()),
            Err(_) if again.is_some_and(|file| !is_same(&file)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// The state of each file.
async fn states(inventory: &Inventory) -> Result<Vec<Metadata>, Error> {
    let paths: Vec<PathBuf> = inventory.files.values().map(|(path, _)| path.clone()).collect();
    let look = |path: PathBuf| path.metadata().map_err(|source| Error::PackedFile { path, source });
    let states = tokio::task::spawn_blocking(move || paths.into_iter().map(look).collect());
    states.await.map_err(|error| Error::Internal(error.to_string()))?
}

/// Opens a file.
fn open(path: &Path) -> io::Result<(File, Metadata)> {
    // Opening a pipe would wait for a writer.
    let file = File::options().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
    }
    Ok((file, metadata))
}

/// Reads a file, and hashes its content.
fn read(file: File) -> io::Result<Read> {
    let before = FileState::of(&file)?;
    let (content, length) = ContentHash::of_reader(&file)?;
    if length != before.size() || FileState::of(&file)? != before {
        return Ok(Read::Changed);
    }
    Ok(Read::Whole(content, file, before))
}

/// How far the files are read and stored.
struct Progress {
    files: usize,
    bytes: u64,
    began: Instant,
    done: Mutex<Done>,
}

/// What is read and stored.
struct Done {
    files: usize,
    bytes: u64,
    logged: Instant,
}

impl Progress {
    /// The progress of packing files in these states.
    fn begin(states: &[Metadata]) -> Self {
        let (files, bytes) = (states.len(), states.iter().map(Metadata::len).sum());
        tracing::info!(files, bytes, "packing {files} files, {}", Size(bytes));
        let began = Instant::now();
        let done = Mutex::new(Done { files: 0, bytes: 0, logged: began });
        Self { files, bytes, began, done }
    }

    /// Records that so many files are read and stored.
    fn finished(&self, files: usize, bytes: u64) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.files += files;
        done.bytes += bytes;
        let part = fraction(done.bytes, self.bytes);
        let elapsed = self.began.elapsed();
        let left = if part > 0.0 { elapsed.mul_f64((1.0 / part - 1.0).max(0.0)) } else { elapsed };
        let text = format!(
            "{} of {} files, {} of {}, {} left",
            done.files,
            self.files,
            Size(done.bytes),
            Size(self.bytes),
            humantime::format_duration(Duration::from_secs(left.as_secs())),
        );
        progress::show(part, &text);
        if done.logged.elapsed() >= HEARTBEAT {
            done.logged = Instant::now();
            tracing::info!("{text}");
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "for a bar")]
fn fraction(done: u64, total: u64) -> f64 {
    if total == 0 { 1.0 } else { done as f64 / total as f64 }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for path in [&pipe, folder.path(), &folder.path().join("none")] {
            assert!(open(path).is_err(), "{}", path.display());
        }
        let file = folder.path().join("file");
        fs::write(&file, "abc").unwrap();
        let (opened, _) = open(&file).unwrap();
        let Read::Whole(content, _, state) = read(opened).unwrap() else { panic!("unchanged") };
        assert_eq!((content, state.size()), (ContentHash::of(b"abc"), 3));
    }
}

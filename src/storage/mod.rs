//! Files and objects by their [`Location`]: list, read, download, upload.
//!
//! These invariants hold for every kind of location. One contract suite (`tests/s3/storage.rs`) checks
//! them:
//!
//! - A partly written file is never visible: under its final name, a file or object is whole.
//! - A name in a listing is data. It never becomes a path that is written to.
//! - Memory is bounded, whatever the size of a file and whatever a store sends.
//! - Transient failures are retried before an error is returned.
//! - A [`Fingerprint`] is returned only for the content that it was stored with.

mod crc;
mod error;
mod fingerprint;
mod local;
mod opened;
mod s3;
mod transfer_progress;
mod uploaded_file;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;

pub use error::{Failure, Operation, StorageError};
pub use fingerprint::Fingerprint;
pub use local::{Meant, PathMistake};
pub use opened::START_LENGTH;
pub use opened::{Opened, Version};
pub use transfer_progress::TransferProgress;
use uploaded_file::UploadedFile;

use crate::request::{Location, Transfers};

/// A file or object in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name in the listed folder. It contains a slash only in the listing of a tree.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// The time of the last write.
    pub modified: SystemTime,
}

/// A range of names in byte order, the order of listings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameRange {
    /// The lower bound, itself excluded; empty for no bound.
    pub after: String,
    /// The upper bound, itself excluded; `None` for no bound.
    pub before: Option<String>,
    /// The number of names to request first, if the range has a known size. A wrong number costs
    /// more requests, but no names are missed.
    pub expected: Option<u32>,
}

impl NameRange {
    /// The range of all names.
    pub fn all() -> Self {
        Self::default()
    }

    /// Whether `name` is in the range.
    pub fn contains(&self, name: &str) -> bool {
        name > self.after.as_str() && !self.ends_before(name)
    }

    /// Whether `name` and all names that follow it in a listing are beyond the range.
    fn ends_before(&self, name: &str) -> bool {
        self.before.as_deref().is_some_and(|before| name >= before)
    }
}

/// Access to the file system and to all S3 buckets.
#[derive(Debug)]
pub struct Storage {
    s3: s3::Buckets,
}

impl Storage {
    /// Storage with these settings for transfers to and from S3.
    pub fn new(transfers: Transfers) -> Self {
        Self { s3: s3::Buckets::new(transfers) }
    }

    /// Lists the files directly in `folder`, in no particular order. A folder that does not exist
    /// counts as empty, because S3 has no folders.
    ///
    /// # Errors
    /// If `folder` cannot be listed, for example [`Failure::Denied`].
    pub async fn list(&self, folder: &Location) -> Result<Vec<Entry>, StorageError> {
        self.list_names(folder, NameRange::all()).await
    }

    /// Lists the files in `folder` whose names are in a range. The cost does not depend on how many
    /// others there are.
    ///
    /// # Errors
    /// The same as [`Storage::list`].
    pub async fn list_names(
        &self,
        folder: &Location,
        names: NameRange,
    ) -> Result<Vec<Entry>, StorageError> {
        let result = async {
            match folder {
                Location::Local(path) => local::list(path.clone(), names).await,
                Location::S3 { bucket, key } => {
                    self.s3.bucket(bucket).await?.list(key, &names).await
                }
            }
        };
        result.await.map_err(|failure| StorageError::new(Operation::List, folder, failure))
    }

    /// Lists the files in and below `folder`, in no particular order, by their paths from there, with
    /// the `ETag` of each if the store has one. Hidden files and folders are left out, and links on
    /// this machine are not followed. A folder that does not exist counts as empty.
    ///
    /// # Errors
    /// The same as [`Storage::list`].
    pub async fn list_tree(
        &self,
        folder: &Location,
    ) -> Result<Vec<(Entry, Option<String>)>, StorageError> {
        let result = async {
            match folder {
                Location::Local(path) => {
                    let entries = local::list_tree(path.clone()).await?;
                    Ok(entries.into_iter().map(|entry| (entry, None)).collect())
                }
                Location::S3 { bucket, key } => self.s3.bucket(bucket).await?.list_tree(key).await,
            }
        };
        result.await.map_err(|failure| StorageError::new(Operation::List, folder, failure))
    }

    /// Reads a whole file into memory. `size` is its size from a listing, in bytes.
    ///
    /// # Errors
    /// [`Failure::Missing`] if the file does not exist, [`Failure::Transient`] if it has become
    /// larger than `size`, and others if it cannot be read.
    pub async fn read(&self, file: &Location, size: u64) -> Result<Bytes, StorageError> {
        let result = async {
            match file {
                Location::Local(path) => local::read(path.clone(), size).await,
                Location::S3 { bucket, key } => self.s3.bucket(bucket).await?.read(key, size).await,
            }
        };
        result.await.map_err(|failure| StorageError::new(Operation::Read, file, failure))
    }

    /// Reads a whole file of unknown size into memory; `None` if it is larger than `max` bytes.
    ///
    /// # Errors
    /// The same as [`Storage::read`].
    pub async fn read_up_to(
        &self,
        file: &Location,
        max: u64,
    ) -> Result<Option<Bytes>, StorageError> {
        let opened = self.open(file).await?;
        if opened.is_whole() && opened.size <= max {
            return Ok(Some(opened.start));
        }
        if opened.size > max {
            return Ok(None);
        }
        self.read(file, opened.size).await.map(Some)
    }

    /// Reads the beginning and the version of a file. On S3, this takes one request.
    ///
    /// # Errors
    /// [`Failure::Missing`] if the file does not exist, and others if it cannot be read.
    pub async fn open(&self, file: &Location) -> Result<Opened, StorageError> {
        self.open_start(file, START_LENGTH).await
    }

    /// The same as [`Storage::open`], with `length` bytes of the beginning, at least 1.
    ///
    /// # Errors
    /// The same as [`Storage::open`].
    pub async fn open_start(&self, file: &Location, length: u64) -> Result<Opened, StorageError> {
        let result = async {
            match file {
                Location::Local(path) => local::open(file, path.clone(), length).await,
                Location::S3 { bucket, key } => {
                    self.s3.bucket(bucket).await?.open(file, key, length).await
                }
            }
        };
        result.await.map_err(|failure| StorageError::new(Operation::Read, file, failure))
    }

    /// The same as [`Storage::open_start`], for a scene that the user names: an error about a local
    /// path says what is wrong with it.
    ///
    /// # Errors
    /// [`Failure::Mistaken`] in place of [`Failure::Missing`] if the path is local, and the other
    /// errors of [`Storage::open`].
    pub async fn open_scene(&self, scene: &Location, length: u64) -> Result<Opened, StorageError> {
        match (self.open_start(scene, length).await, scene) {
            (Err(StorageError { failure: Failure::Missing(why), .. }), Location::Local(path)) => {
                let failure = local::explain_scene(path.clone(), Failure::Missing(why)).await;
                Err(StorageError::new(Operation::Read, scene, failure))
            }
            (opened, _) => opened,
        }
    }

    /// Checks that a local `folder` exists. Does nothing on S3, which has no folders.
    ///
    /// # Errors
    /// [`Failure::Mistaken`] if it does not exist or is not a folder.
    pub async fn ensure_folder(&self, folder: &Location) -> Result<(), StorageError> {
        let result = match folder {
            Location::Local(path) => local::ensure_folder(path.clone()).await,
            Location::S3 { .. } => Ok(()),
        };
        result.map_err(|failure| StorageError::new(Operation::List, folder, failure))
    }

    /// Checks the beginning of a file by reading it again. Call this before a decision that depends
    /// on the beginning and cannot be corrected later. [`Storage::localise`] also checks it, if the
    /// store has a checksum.
    ///
    /// # Errors
    /// If the file cannot be read. On S3, also [`Failure::Transient`] if its beginning differs.
    pub async fn confirm(&self, file: &Opened) -> Result<(), StorageError> {
        let (Version::S3 { etag }, Location::S3 { bucket, key }) = (&file.version, &file.location)
        else {
            return Ok(());
        };
        let result = async {
            let bucket = self.s3.bucket(bucket).await?;
            bucket.confirm(key, etag.as_deref(), &file.start).await
        };
        let location = &file.location;
        result.await.map_err(|failure| StorageError::new(Operation::Read, location, failure))
    }

    /// Reads the bytes from `start` up to but not including `end`, of the version of a file that was
    /// opened. These come without a checksum.
    ///
    /// # Errors
    /// [`Failure::Transient`] if an object was replaced by another version, or the file is shorter;
    /// and others if it cannot be read.
    pub async fn read_range(
        &self,
        file: &Opened,
        start: u64,
        end: u64,
    ) -> Result<Bytes, StorageError> {
        let result = async {
            match (&file.version, &file.location) {
                (Version::S3 { etag }, Location::S3 { bucket, key }) => {
                    let bucket = self.s3.bucket(bucket).await?;
                    bucket.read_range(key, etag.as_deref(), start, end).await
                }
                (Version::Local(path), _) | (_, Location::Local(path)) => {
                    local::read_range(path.clone(), start, end).await
                }
            }
        };
        let location = &file.location;
        result.await.map_err(|failure| StorageError::new(Operation::Read, location, failure))
    }

    /// Makes an opened file available on this machine. Downloads an object to `copy`. Returns the
    /// path of the copy, or of the file itself if it is local.
    ///
    /// # Errors
    /// [`Failure::Transient`] if an object was replaced by another version, [`Failure::Io`] if
    /// `copy` cannot be written, and others if the file cannot be read.
    pub async fn localise(&self, file: &Opened, copy: &Path) -> Result<PathBuf, StorageError> {
        let result = async {
            match (&file.version, &file.location) {
                (Version::S3 { etag }, Location::S3 { bucket, key }) => {
                    let bucket = self.s3.bucket(bucket).await?;
                    bucket.download(key, etag.as_deref(), file, copy).await?;
                    Ok(copy.to_owned())
                }
                (Version::Local(path), _) | (_, Location::Local(path)) => Ok(path.clone()),
            }
        };
        let location = &file.location;
        result.await.map_err(|failure| StorageError::new(Operation::Read, location, failure))
    }

    /// The fingerprint that a file was stored with. `None` if the file does not exist, has no
    /// fingerprint, or has other content than the fingerprint was stored for.
    ///
    /// # Errors
    /// If that cannot be determined, for example [`Failure::Denied`].
    pub async fn fingerprint(&self, file: &Location) -> Result<Option<Fingerprint>, StorageError> {
        let result = async {
            match file {
                Location::Local(path) => local::fingerprint(path.clone()).await,
                Location::S3 { bucket, key } => {
                    self.s3.bucket(bucket).await?.fingerprint(key).await
                }
            }
        };
        result.await.map_err(|failure| StorageError::new(Operation::Read, file, failure))
    }

    /// Creates a local `folder`, and checks that files can be written to it. Does nothing on S3:
    /// only the first upload can show that.
    ///
    /// # Errors
    /// If no files can be written to it.
    pub async fn prepare(&self, folder: &Location) -> Result<(), StorageError> {
        let result = match folder {
            Location::Local(path) => local::prepare(path.clone()).await,
            Location::S3 { .. } => Ok(()),
        };
        result.map_err(|failure| StorageError::new(Operation::Write, folder, failure))
    }

    /// Returns the local folders that [`Storage::prepare`] would create, innermost first.
    pub async fn missing_folders(&self, folder: &Location) -> Vec<PathBuf> {
        match folder {
            Location::Local(path) => local::missing_folders(path.clone()).await,
            Location::S3 { .. } => Vec::new(),
        }
    }

    /// Removes those of these local folders that are empty, in this order.
    pub async fn remove_empty(&self, folders: Vec<PathBuf>) {
        local::remove_empty(folders).await;
    }

    /// Writes `content` to `file`, replacing an existing file.
    ///
    /// # Errors
    /// If `file` cannot be written. An existing file is then unchanged.
    pub async fn write(&self, file: &Location, content: Bytes) -> Result<(), StorageError> {
        let result = async {
            match file {
                Location::Local(path) => local::write(path.clone(), content).await,
                Location::S3 { bucket, key } => {
                    self.s3.bucket(bucket).await?.write(key, content, None).await
                }
            }
        };
        result.await.map_err(|failure| StorageError::new(Operation::Write, file, failure))
    }

    /// Copies the open file `source`, from its beginning, to `file`, replacing an existing file and
    /// its fingerprint. Returns the size in bytes. The path of `source` is not used, so it does not
    /// matter if another file has taken its place.
    ///
    /// # Errors
    /// If `source` cannot be read or `file` cannot be written. An existing file is then unchanged,
    /// but may have lost its fingerprint.
    pub async fn upload(
        &self,
        source: File,
        file: &Location,
        fingerprint: Option<Fingerprint>,
    ) -> Result<u64, StorageError> {
        self.upload_with_progress(source, file, fingerprint, &TransferProgress::default()).await
    }

    /// The same as [`Storage::upload`], reporting progress with each part of a multipart upload.
    ///
    /// # Errors
    /// The same as [`Storage::upload`].
    pub async fn upload_with_progress(
        &self,
        source: File,
        file: &Location,
        fingerprint: Option<Fingerprint>,
        progress: &TransferProgress,
    ) -> Result<u64, StorageError> {
        let content = UploadedFile::new(source, fingerprint);
        self.upload_content(content, file, progress).await
    }

    /// The same as [`Storage::upload_with_progress`], unless `is_unchanged` says in the end, with the
    /// whole content read, that this is no longer that of `source`. Then nothing is stored.
    ///
    /// # Errors
    /// [`Failure::Transient`] if it has changed, and those of [`Storage::upload`].
    pub async fn upload_unchanged(
        &self,
        source: File,
        file: &Location,
        is_unchanged: impl Fn(&File) -> bool + Send + Sync + 'static,
        progress: &TransferProgress,
    ) -> Result<u64, StorageError> {
        let content = UploadedFile::checked(source, is_unchanged);
        self.upload_content(content, file, progress).await
    }

    async fn upload_content(
        &self,
        content: UploadedFile,
        file: &Location,
        progress: &TransferProgress,
    ) -> Result<u64, StorageError> {
        let result = async {
            match file {
                Location::Local(path) => local::copy(content, path.clone()).await,
                Location::S3 { bucket, key } => {
                    self.s3.bucket(bucket).await?.upload(content, key, progress).await
                }
            }
        };
        result.await.map_err(|failure| StorageError::new(Operation::Write, file, failure))
    }

    /// The number of retried requests so far.
    pub fn retries(&self) -> u64 {
        self.s3.retries()
    }

    /// Waits until cancelled uploads are aborted. The parts of an upload that is neither completed
    /// nor aborted would stay in the bucket, invisible.
    pub async fn settle(&self) {
        self.s3.settle().await;
    }
}

//! Files and objects by their [`Location`]: list, read, fetch, store.
//!
//! Invariants, the same for every kind of location and held by one contract suite
//! (`tests/storage.rs`):
//!
//! - Nothing is ever visible half written: an object or file is there whole, under
//!   its final name, or not at all.
//! - A name out of a listing is data. It never becomes a path that is written to.
//! - Memory is bounded whatever the size of a file, and whatever a store sends.
//! - Transient faults have been retried before an error is returned.
//! - A [`Fingerprint`] that is found with a file is the one that this very file was
//!   stored with.

mod crc;
mod error;
mod fingerprint;
mod local;
mod opened;
mod s3;
mod transfer_progress;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;

pub use error::{Failure, Operation, StorageError};
pub use fingerprint::Fingerprint;
use opened::START;
pub use opened::{Opened, Version};
pub use transfer_progress::TransferProgress;

use crate::request::{Location, Transfers};

/// What a listing tells of one file or object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name below the folder that was listed; contains no slash.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last written.
    pub modified: SystemTime,
}

/// Names between two others, in the order of their bytes, which is that of listings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// What comes before the first one; empty for all there are.
    pub after: String,
    /// What comes after the last one; `None` for all there are.
    pub before: Option<String>,
    /// How many a listing asks for first, if it is known how many it takes to have them all.
    /// They are all found in any case.
    pub expected: Option<u32>,
}

impl Names {
    /// All names.
    pub fn all() -> Self {
        Self::default()
    }

    /// Whether `name` is one of them.
    pub fn contain(&self, name: &str) -> bool {
        name > self.after.as_str() && !self.end_before(name)
    }

    /// Whether none of them can follow in a listing that has come to `name`.
    fn end_before(&self, name: &str) -> bool {
        self.before.as_deref().is_some_and(|before| name >= before)
    }
}

/// All storage there is: the file system and every S3 bucket.
#[derive(Debug)]
pub struct Storage {
    s3: s3::Buckets,
}

impl Storage {
    /// Storage whose transfers are bounded like this.
    pub fn new(transfers: Transfers) -> Self {
        Self { s3: s3::Buckets::new(transfers) }
    }

    /// What lies directly in `folder`, in no particular order. A folder that is not
    /// there is empty: S3 knows no folders.
    ///
    /// # Errors
    /// If the listing cannot be had, for example for want of a right.
    pub async fn list(&self, folder: &Location) -> Result<Vec<Entry>, StorageError> {
        self.list_names(folder, Names::all()).await
    }

    /// The same, of these names only. Costs no more than they do, however many others
    /// there are.
    ///
    /// # Errors
    /// As those of [`Storage::list`].
    pub async fn list_names(
        &self,
        folder: &Location,
        names: Names,
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

    /// The whole content of a file that is known to have `size` bytes at most, in memory.
    ///
    /// # Errors
    /// If it is not there or cannot be read, or if it is larger by now (that is
    /// [`Failure::Transient`]).
    pub async fn read(&self, file: &Location, size: u64) -> Result<Bytes, StorageError> {
        let result = async {
            match file {
                Location::Local(path) => local::read(path.clone(), size).await,
                Location::S3 { bucket, key } => self.s3.bucket(bucket).await?.read(key, size).await,
            }
        };
        result.await.map_err(|failure| StorageError::new(Operation::Read, file, failure))
    }

    /// The same of a file of any size, if it is no larger than `most` bytes; `None` if it is.
    ///
    /// # Errors
    /// As those of [`Storage::read`].
    pub async fn read_up_to(
        &self,
        file: &Location,
        most: u64,
    ) -> Result<Option<Bytes>, StorageError> {
        let opened = self.open(file).await?;
        if opened.is_whole() && opened.size <= most {
            return Ok(Some(opened.start));
        }
        if opened.size > most {
            return Ok(None);
        }
        self.read(file, opened.size).await.map(Some)
    }

    /// The beginning of a file, and what tells this version of it from others. Of S3
    /// that takes one request.
    ///
    /// # Errors
    /// If it is not there or cannot be read.
    pub async fn open(&self, file: &Location) -> Result<Opened, StorageError> {
        self.open_start(file, START).await
    }

    /// The same, with no more than `length` bytes of the beginning, 1 and up.
    ///
    /// # Errors
    /// As those of [`Storage::open`].
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

    /// Makes sure of the beginning of a file before something is decided by it that nothing
    /// later would put right: [`Storage::localise`] compares it as well, where the store
    /// keeps checksums.
    ///
    /// # Errors
    /// If it cannot be read, or is not the same (of S3; that is [`Failure::Transient`]).
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

    /// Where a file that was opened can be read on this machine: the file itself, or
    /// `copy`, to which it was downloaded.
    ///
    /// # Errors
    /// If it cannot be read, if it is another version by now (of S3; that is
    /// [`Failure::Transient`]), or if `copy` cannot be written.
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

    /// The fingerprint that a file was stored with. `None` if it has none or is not
    /// there, or if the file is not (any more) the one that was stored with it.
    ///
    /// # Errors
    /// If that cannot be told, for example for want of a right.
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

    /// Proves that files can be written to `folder`, as far as that can be told before
    /// there is one: of S3, the first object tells.
    ///
    /// # Errors
    /// If they cannot.
    pub async fn prepare(&self, folder: &Location) -> Result<(), StorageError> {
        let result = match folder {
            Location::Local(path) => local::prepare(path.clone()).await,
            Location::S3 { .. } => Ok(()),
        };
        result.map_err(|failure| StorageError::new(Operation::Write, folder, failure))
    }

    /// Stores `content` as `file`, in place of what was there.
    ///
    /// # Errors
    /// If it cannot be written. What was there before is then still there.
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

    /// Stores the open file `source`, from its beginning, as `file`, in place of what was
    /// there, and says how many bytes that were. What is found at its name by then does
    /// not matter: this very file is stored. With it goes `fingerprint`; one that was
    /// stored with what was there before is gone.
    ///
    /// # Errors
    /// If `source` cannot be read or `file` cannot be written. What was there before
    /// is then still there, but perhaps without its fingerprint.
    pub async fn upload(
        &self,
        source: File,
        file: &Location,
        fingerprint: Option<Fingerprint>,
    ) -> Result<u64, StorageError> {
        self.upload_watched(source, file, fingerprint, &TransferProgress::default()).await
    }

    /// The same, telling how far that has come, as far as it is stored piece by piece.
    ///
    /// # Errors
    /// As those of [`Storage::upload`].
    pub async fn upload_watched(
        &self,
        source: File,
        file: &Location,
        fingerprint: Option<Fingerprint>,
        progress: &TransferProgress,
    ) -> Result<u64, StorageError> {
        let result = async {
            match file {
                Location::Local(path) => local::copy(source, path.clone(), fingerprint).await,
                Location::S3 { bucket, key } => {
                    self.s3.bucket(bucket).await?.upload(source, key, fingerprint, progress).await
                }
            }
        };
        result.await.map_err(|failure| StorageError::new(Operation::Write, file, failure))
    }

    /// How many requests were tried again up to now.
    pub fn retries(&self) -> u64 {
        self.s3.retries()
    }

    /// Waits until nothing is left of what was given up half way: uploads in parts that
    /// nobody completes would lie in a bucket for ever, unseen.
    pub async fn settle(&self) {
        self.s3.settle().await;
    }
}

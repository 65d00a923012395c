//! Files and objects by their [`Location`]: list, read, fetch, store.
//!
//! Invariants, the same for every kind of location and held by one contract suite
//! (`tests/storage.rs`):
//!
//! - Nothing is ever visible half written: an object or file is there whole, under
//!   its final name, or not at all.
//! - A name out of a listing is data. It never becomes a path that is written to.
//! - Memory is bounded whatever the size of a file, except in [`Storage::read`],
//!   whose caller knows the size.
//! - Transient faults have been retried before an error is returned.

mod error;
mod local;
mod s3;

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;

pub use error::{Failure, Operation, StorageError};

use crate::request::Location;

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

/// All storage there is: the file system and every S3 bucket.
#[derive(Debug)]
pub struct Storage {
    s3: s3::Buckets,
}

impl Storage {
    /// Storage that gives up on an S3 request after so many attempts, the first one
    /// included; `None` is a number that takes about a minute.
    pub fn new(s3_attempts: Option<u32>) -> Self {
        Self { s3: s3::Buckets::new(s3_attempts) }
    }

    /// What lies directly in `folder`, in no particular order. A folder that is not
    /// there is empty: S3 knows no folders.
    ///
    /// # Errors
    /// If the listing cannot be had, for example for want of a right.
    pub async fn list(&self, folder: &Location) -> Result<Vec<Entry>, StorageError> {
        let result = async {
            match folder {
                Location::Local(path) => local::list(path.clone()).await,
                Location::S3 { bucket, key } => self.s3.bucket(bucket).await?.list(key).await,
            }
        };
        result.await.map_err(|failure| StorageError::new(Operation::List, folder, failure))
    }

    /// The whole content of a file, in memory.
    ///
    /// # Errors
    /// If it is not there or cannot be read.
    pub async fn read(&self, file: &Location) -> Result<Bytes, StorageError> {
        let result = async {
            match file {
                Location::Local(path) => local::read(path.clone()).await,
                Location::S3 { bucket, key } => self.s3.bucket(bucket).await?.read(key).await,
            }
        };
        result.await.map_err(|failure| StorageError::new(Operation::Read, file, failure))
    }

    /// Where a file can be read on this machine: the file itself, or `copy`, to which
    /// it was downloaded.
    ///
    /// # Errors
    /// If it is not there or cannot be read, or `copy` cannot be written.
    pub async fn localise(&self, file: &Location, copy: &Path) -> Result<PathBuf, StorageError> {
        let result = async {
            match file {
                Location::Local(path) => local::readable(path.clone()).await,
                Location::S3 { bucket, key } => self
                    .s3
                    .bucket(bucket)
                    .await?
                    .download(key, copy)
                    .await
                    .map(|()| copy.to_owned()),
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
                    self.s3.bucket(bucket).await?.write(key, content).await
                }
            }
        };
        result.await.map_err(|failure| StorageError::new(Operation::Write, file, failure))
    }

    /// Stores the file at `source` as `file`, in place of what was there, and says
    /// how many bytes that were.
    ///
    /// # Errors
    /// If `source` cannot be read or `file` cannot be written. What was there before
    /// is then still there.
    pub async fn upload(&self, source: &Path, file: &Location) -> Result<u64, StorageError> {
        let result = async {
            match file {
                Location::Local(path) => local::copy(source.to_owned(), path.clone()).await,
                Location::S3 { bucket, key } => {
                    self.s3.bucket(bucket).await?.upload(source, key).await
                }
            }
        };
        result.await.map_err(|failure| StorageError::new(Operation::Write, file, failure))
    }

    /// Waits until nothing is left of what was given up half way: uploads in parts that
    /// nobody completes would lie in a bucket for ever, unseen.
    pub async fn settle(&self) {
        self.s3.settle().await;
    }
}

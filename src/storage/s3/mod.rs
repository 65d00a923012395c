//! S3, and stores with the same API.

mod bucket;
mod connection;
mod download;
mod integrity;
mod requests;
mod upload;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use aws_config::SdkConfig;
use tokio::sync::{Mutex, OnceCell};

use super::Failure;
use crate::request::Transfers;
use bucket::Bucket;
use connection::load_config;

/// All buckets. Each has a client for its region, created on first use.
#[derive(Debug)]
pub(crate) struct Buckets {
    transfers: Transfers,
    config: OnceCell<SdkConfig>,
    known: Mutex<HashMap<String, Bucket>>,
    /// The number of retries, in all buckets.
    retries: Arc<AtomicU64>,
}

impl Buckets {
    pub(crate) fn new(transfers: Transfers) -> Self {
        Self {
            transfers,
            config: OnceCell::default(),
            known: Mutex::default(),
            retries: Arc::default(),
        }
    }

    /// The bucket `name`. The first call loads the settings for S3. No request is sent: the first
    /// one by the caller will show whether the bucket exists, and in which region.
    ///
    /// # Errors
    /// [`Failure::Misconfigured`] if a setting for S3 is invalid.
    pub(crate) async fn bucket(&self, name: &str) -> Result<Bucket, Failure> {
        // Boxed, or every future of storage would be large.
        let config = self.config.get_or_try_init(|| Box::pin(load_config(None))).await?;
        let mut known = self.known.lock().await;
        let new = || Bucket::new(config, name, &self.transfers, &self.retries);
        Ok(known.entry(name.to_owned()).or_insert_with(new).clone())
    }

    /// The number of retries so far, in all buckets.
    pub(crate) fn retries(&self) -> u64 {
        self.retries.load(Relaxed)
    }

    /// Waits until cancelled uploads are cleaned up.
    pub(crate) async fn settle(&self) {
        let buckets: Vec<_> = self.known.lock().await.values().cloned().collect();
        for bucket in buckets {
            bucket.background.settle().await;
        }
    }
}

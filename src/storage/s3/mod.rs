//! S3 and what speaks its protocol.

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

/// The buckets that have been met, each with a client for its region.
#[derive(Debug)]
pub(crate) struct Buckets {
    transfers: Transfers,
    config: OnceCell<SdkConfig>,
    known: Mutex<HashMap<String, Bucket>>,
    /// How many requests were tried again.
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

    /// The bucket of that name. Nothing is set up before the first call, and nothing is
    /// asked of it: whether it is there, and in which region, the first request tells.
    /// (What that takes is boxed: it would make every storage future large.)
    ///
    /// # Errors
    /// If a setting for S3 makes no sense.
    pub(crate) async fn bucket(&self, name: &str) -> Result<Bucket, Failure> {
        let config = self.config.get_or_try_init(|| Box::pin(load_config(None))).await?;
        let mut known = self.known.lock().await;
        let new = || Bucket::new(config, name, &self.transfers, &self.retries);
        Ok(known.entry(name.to_owned()).or_insert_with(new).clone())
    }

    /// How many requests were tried again up to now.
    pub(crate) fn retries(&self) -> u64 {
        self.retries.load(Relaxed)
    }

    /// Waits until nothing is left of uploads that were given up.
    pub(crate) async fn settle(&self) {
        let buckets: Vec<_> = self.known.lock().await.values().cloned().collect();
        for bucket in buckets {
            bucket.background.settle().await;
        }
    }
}

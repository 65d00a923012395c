//! S3 and what speaks its protocol.

mod bucket;
mod classify;
mod connection;
mod download;
mod integrity;
mod retry;
mod scratch;
mod unfinished;
mod upload;

use std::collections::HashMap;

use aws_config::{Region, SdkConfig};
use tokio::sync::{Mutex, OnceCell};

use super::Failure;
use bucket::Bucket;
use classify::fault;
use connection::load_config;
use retry::{Patience, limit, within};

/// The buckets that have been met, each with a client for its region.
#[derive(Debug)]
pub(super) struct Buckets {
    patience: Patience,
    config: OnceCell<SdkConfig>,
    known: Mutex<HashMap<String, Bucket>>,
}

impl Buckets {
    pub(super) fn new(attempts: Option<u32>) -> Self {
        let patience = Patience::new(attempts);
        Self { patience, config: OnceCell::default(), known: Mutex::default() }
    }

    /// The bucket of that name. Nothing is set up before the first call, and a bucket
    /// costs one request when it is met for the first time.
    /// (What that takes is boxed: it would make every storage future large.)
    pub(super) async fn bucket(&self, name: &str) -> Result<Bucket, Failure> {
        let config = self.config.get_or_init(|| Box::pin(load_config(None))).await;
        // Held while connecting, so that a bucket is met once however many ask.
        let mut known = self.known.lock().await;
        if let Some(bucket) = known.get(name) {
            return Ok(bucket.clone());
        }
        let bucket = Box::pin(connect(config, name, self.patience)).await?;
        known.insert(name.to_owned(), bucket.clone());
        Ok(bucket)
    }

    /// Waits until nothing is left of uploads that were given up.
    pub(super) async fn settle(&self) {
        let buckets: Vec<_> = self.known.lock().await.values().cloned().collect();
        for bucket in buckets {
            bucket.background.settle().await;
        }
    }
}

/// What a bucket's head told.
enum Met {
    /// It is here.
    Here,
    /// It is in that region.
    Elsewhere(String),
    /// There is none.
    Nowhere,
}

/// Meets a bucket: finds out that it exists and in which region it is.
///
/// S3 answers in the wrong region too, but only with the right one's name, which
/// the SDK for Rust does not follow ("`HeadBucket`" in the S3 API reference).
async fn connect(config: &SdkConfig, name: &str, patience: Patience) -> Result<Bucket, Failure> {
    let bucket = Bucket::new(config, name, patience);
    let asked = config.region().map(Region::as_ref);
    let met = bucket.persist("", |client| async move {
        let request = client.head_bucket().bucket(name).send();
        let answer = within(limit(0), async { Ok(request.await) }).await?;
        let Err(error) = answer else { return Ok(Met::Here) };
        let status = error.raw_response().map(|response| response.status().as_u16());
        let home = error
            .raw_response()
            .and_then(|response| response.headers().get("x-amz-bucket-region"))
            .filter(|home| asked.is_none_or(|asked| asked != *home))
            .map(str::to_owned);
        match (home, status) {
            (Some(home), Some(301 | 400)) => Ok(Met::Elsewhere(home)),
            (_, Some(404)) => Ok(Met::Nowhere),
            (_, Some(429)) => Err(fault(error)),
            // Whoever may read and write objects need not be allowed to ask this. What
            // is really wrong, if anything, the next request says with a body.
            (_, Some(400..500)) => Ok(Met::Here),
            _ => Err(fault(error)),
        }
    });
    match met.await? {
        Met::Here => Ok(bucket),
        Met::Elsewhere(home) => {
            tracing::debug!(bucket = name, region = home, "the bucket is in another region");
            let config = config.to_builder().region(Region::new(home)).build();
            Ok(Bucket::new(&config, name, patience))
        }
        Met::Nowhere => Err(Failure::Missing(
            format!("there is no bucket {name:?}; is its name right, and is it in this account's partition?").into(),
        )),
    }
}

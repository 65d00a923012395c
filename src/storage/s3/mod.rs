//! S3 and what speaks its protocol.

mod bucket;
mod classify;
mod download;
mod http;
mod scratch;
mod upload;

use std::collections::HashMap;
use std::time::Duration;

use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::region::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_types::service_config::ServiceConfigKey;
use tokio::sync::{Mutex, OnceCell};

use super::Failure;
use bucket::Bucket;

/// Attempts at one request, the first one included. With the back-off below the
/// last one begins about half a minute after the first.
const ATTEMPTS: u32 = 10;

/// The longest pause between two attempts at a request.
const MAX_BACKOFF: Duration = Duration::from_secs(15);

/// Asked first where neither environment, profile nor instance names a region; the
/// bucket then tells where it really is.
const FALLBACK_REGION: &str = "us-east-1";

/// The buckets that have been met, each with a client for its region.
#[derive(Debug, Default)]
pub(super) struct Buckets {
    attempts: Option<u32>,
    config: OnceCell<SdkConfig>,
    known: Mutex<HashMap<String, Bucket>>,
}

impl Buckets {
    pub(super) fn new(attempts: Option<u32>) -> Self {
        Self { attempts, ..Self::default() }
    }

    /// The bucket of that name. Nothing is set up before the first call, and a bucket
    /// costs one request when it is met for the first time.
    /// (What that takes is boxed: it would make every storage future large.)
    pub(super) async fn bucket(&self, name: &str) -> Result<Bucket, Failure> {
        let config = self.config.get_or_init(|| Box::pin(load_config(self.attempts))).await;
        // Held while connecting, so that a bucket is met once however many ask.
        let mut known = self.known.lock().await;
        if let Some(bucket) = known.get(name) {
            return Ok(bucket.clone());
        }
        let bucket = Box::pin(connect(config, name, self.attempts)).await?;
        known.insert(name.to_owned(), bucket.clone());
        Ok(bucket)
    }
}

async fn load_config(attempts: Option<u32>) -> SdkConfig {
    let http = http::client();
    // The SDK's own chain panics: it asks the instance with a client that is not
    // built in.
    let sources = ProviderConfig::without_region().with_http_client(http.clone());
    let region = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::builder().configure(&sources).build())
        .or_else(ImdsRegionProvider::builder().configure(&sources).build())
        .or_else(FALLBACK_REGION);
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        // To the first byte of the answer. Counts the upload too, which is why parts
        // are small; a stalled body is the SDK's stalled stream protection's affair.
        .read_timeout(Duration::from_mins(1))
        .build();
    let retries = RetryConfig::standard()
        .with_max_attempts(attempts.unwrap_or(ATTEMPTS))
        .with_initial_backoff(Duration::from_millis(250))
        .with_max_backoff(MAX_BACKOFF);
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(retries)
        .region(region)
        .load()
        .await
}

/// Meets a bucket: finds out that it exists and in which region it is.
///
/// S3 answers in the wrong region too, but only with the right one's name, which
/// the SDK for Rust does not follow ("`HeadBucket`" in the S3 API reference).
async fn connect(config: &SdkConfig, name: &str, attempts: Option<u32>) -> Result<Bucket, Failure> {
    let client = Client::from_conf(client_config(config).build());
    let endpoint = custom_endpoint(config);
    let tls = endpoint.is_none_or(|endpoint| endpoint.starts_with("https"));
    let answer = client.head_bucket().bucket(name).send().await;
    let Err(error) = answer else {
        return Ok(Bucket::new(client, name, tls, attempts));
    };
    let status = error.raw_response().map(|response| response.status().as_u16());
    let home = error
        .raw_response()
        .and_then(|response| response.headers().get("x-amz-bucket-region"))
        .filter(|home| config.region().is_none_or(|asked| asked.as_ref() != *home))
        .map(str::to_owned);
    match (home, status) {
        (Some(home), Some(301 | 400)) => {
            tracing::debug!(bucket = name, region = home, "the bucket is in another region");
            let region = Region::new(home);
            let client = Client::from_conf(client_config(config).region(region).build());
            Ok(Bucket::new(client, name, tls, attempts))
        }
        (_, Some(404)) => Err(Failure::Missing(
            format!("there is no bucket {name:?}; is its name right, and is it in this account's partition?").into(),
        )),
        // Whoever may read and write objects need not be allowed to ask this. What
        // is really wrong, if anything, the next request says with a body.
        (_, Some(400..500)) => Ok(Bucket::new(client, name, tls, attempts)),
        _ => Err(classify::failure(error)),
    }
}

fn client_config(config: &SdkConfig) -> aws_sdk_s3::config::Builder {
    // The SDK's default quota of retries is made for services that would rather fail
    // than wait. A worker that gives up loses rendered frames: it only waits.
    let bucket = TokenBucket::builder().capacity(1_000_000).build();
    aws_sdk_s3::config::Builder::from(config)
        .retry_partition(RetryPartition::custom("s3").token_bucket(bucket).build())
        .force_path_style(custom_endpoint(config).is_some_and(|url| !is_aws(&url)))
}

/// The endpoint that environment or profile sets for S3, service-specific first.
fn custom_endpoint(config: &SdkConfig) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id("S3")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok()?;
    let specific = config.service_config().and_then(|source| source.load_config(key));
    specific.or_else(|| config.endpoint_url().map(str::to_owned))
}

/// AWS's own endpoints know buckets as host names; others often only as paths.
fn is_aws(endpoint: &str) -> bool {
    let host = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let host = host.split(['/', ':']).next().unwrap_or(host);
    host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aws_endpoints_are_known_by_their_domain() {
        for endpoint in [
            "https://s3.eu-west-1.amazonaws.com",
            "https://bucket.vpce-1a2b-5e6f.s3.us-east-1.vpce.amazonaws.com/",
            "https://s3.cn-north-1.amazonaws.com.cn:443",
        ] {
            assert!(is_aws(endpoint), "{endpoint}");
        }
        for endpoint in [
            "http://localhost:9000",
            "https://amazonaws.com.example.org",
            "http://10.0.0.1/s3.amazonaws.com",
        ] {
            assert!(!is_aws(endpoint), "{endpoint}");
        }
    }
}

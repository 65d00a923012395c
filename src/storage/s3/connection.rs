//! Who we are to S3 and how it is reached: credentials, region, client. Credentials can
//! expire in the middle of a job; then a new client is made of what their source says now.
//! So it is when a bucket turns out to be in another region.

use std::time::Duration;

use aws_config::{Region, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{Builder, StalledStreamProtectionConfig};
use aws_types::service_config::ServiceConfigKey;
use tokio::sync::Mutex;

use super::retry::limit;
use crate::aws;

/// Asked first where neither environment, profile nor instance names a region; the
/// bucket then tells where it really is.
const FALLBACK_REGION: &str = "us-east-1";

/// How long a body may pause on its way. S3 takes its time now and then; a network path
/// that died is not noticed otherwise.
const SILENCE: Duration = Duration::from_secs(20);

/// The way to a bucket.
#[derive(Debug)]
pub(super) struct Connection {
    session: Mutex<Session>,
}

/// A client and its number among those that there were.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) client: Client,
    config: SdkConfig,
    number: u32,
}

impl Session {
    /// The region whose S3 is asked.
    pub(super) fn region(&self) -> Option<&str> {
        self.config.region().map(Region::as_ref)
    }

    fn replace(&mut self, config: SdkConfig) {
        *self = Self { client: client(&config), config, number: self.number + 1 };
    }
}

impl Connection {
    /// By way of the region of `config`.
    pub(super) fn new(config: &SdkConfig) -> Self {
        let session = Session { client: client(config), config: config.clone(), number: 0 };
        Self { session: Mutex::new(session) }
    }

    /// The client to use now.
    pub(super) async fn session(&self) -> Session {
        self.session.lock().await.clone()
    }

    /// Replaces the client of `session`, whose credentials are no longer accepted, by one
    /// that has asked for them anew: the SDK keeps credentials until the time that their
    /// source has named, whatever S3 says, and reads a profile once.
    pub(super) async fn renew(&self, session: &Session) {
        let mut current = self.session.lock().await;
        // Several requests can fail of it at once; one of them asks.
        if current.number == session.number {
            tracing::info!("the credentials for S3 have expired: asking for new ones");
            let region = current.config.region().cloned();
            current.replace(Box::pin(load_config(region)).await);
        }
    }

    /// Replaces the client of `session` by one for the region `home`.
    pub(super) async fn move_to(&self, session: &Session, home: String) {
        let mut current = self.session.lock().await;
        if current.number == session.number {
            tracing::debug!(region = home, "the bucket is in another region");
            current.replace(session.config.to_builder().region(Region::new(home)).build());
        }
    }
}

/// What environment, profile, container and instance say of us, for a region or else the
/// one that they name.
pub(super) async fn load_config(region: Option<Region>) -> SdkConfig {
    let region = match region {
        Some(region) => Some(region),
        None => aws::region().await,
    };
    aws::config(region.unwrap_or(Region::from_static(FALLBACK_REGION))).await
}

/// What is set for a request that carries something: the SDK's time until the first byte of
/// the answer counts the upload, however it moves. [`while_moving`](super::retry) does not.
pub(super) fn carrying() -> Builder {
    let timeouts = TimeoutConfig::builder().connect_timeout(aws::CONNECT).disable_read_timeout();
    Builder::new().timeout_config(timeouts.build())
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(aws::CONNECT).read_timeout(limit(0)).build()
}

fn client(config: &SdkConfig) -> Client {
    let config = Builder::from(config)
        .force_path_style(custom_endpoint(config).is_some_and(|url| !is_aws(&url)))
        .timeout_config(timeouts())
        .stalled_stream_protection(
            // Of what goes out we know better what moves.
            StalledStreamProtectionConfig::enabled()
                .upload_enabled(false)
                .grace_period(SILENCE)
                .build(),
        )
        .build();
    Client::from_conf(config)
}

/// Whether what is said to S3 is protected by TLS.
pub(super) fn is_protected(config: &SdkConfig) -> bool {
    custom_endpoint(config).is_none_or(|endpoint| endpoint.starts_with("https"))
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

//! Who we are to S3 and how it is reached: credentials, region, client. Credentials can
//! expire in the middle of a job; then a new client is made of what their source says now.
//! So it is when a bucket turns out to be in another region.

use std::time::Duration;

use aws_config::{Region, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    Builder, ConfigBag, Intercept, RuntimeComponents, StalledStreamProtectionConfig,
};
use aws_sdk_s3::error::BoxError;
use tokio::sync::Mutex;

use super::requests::deadlines::limit;
use crate::aws;
use crate::aws::{Misconfigured, Service};

/// Asked first where neither environment, profile nor instance names a region; the
/// bucket then tells where it really is.
const FALLBACK_REGION: &str = "us-east-1";

/// How long a body may pause on its way. S3 takes its time now and then; a network path
/// that died is not noticed otherwise.
const SILENCE: Duration = Duration::from_secs(20);

/// The way to a bucket.
#[derive(Debug)]
pub(crate) struct Connection {
    session: Mutex<Session>,
}

/// A client and its number among those that there were.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) client: Client,
    config: SdkConfig,
    requester_pays: bool,
    number: u32,
}

impl Session {
    /// The region whose S3 is asked.
    pub(crate) fn region(&self) -> Option<&str> {
        self.config.region().map(Region::as_ref)
    }

    fn replace(&mut self, config: SdkConfig) {
        self.client = client(&config, self.requester_pays);
        self.config = config;
        self.number += 1;
    }
}

impl Connection {
    /// By way of the region of `config`.
    pub(crate) fn new(config: &SdkConfig, requester_pays: bool) -> Self {
        let client = client(config, requester_pays);
        let session = Session { client, config: config.clone(), requester_pays, number: 0 };
        Self { session: Mutex::new(session) }
    }

    /// The client to use now.
    pub(crate) async fn session(&self) -> Session {
        self.session.lock().await.clone()
    }

    /// Replaces the client of `session`, that has no credentials or some that have expired, by one
    /// that has asked for them anew: the SDK keeps credentials until the time that their
    /// source has named, whatever S3 says, and reads a profile once.
    pub(crate) async fn renew(&self, session: &Session, expired: bool) {
        let mut current = self.session.lock().await;
        // Several requests can fail of it at once; one of them asks.
        if current.number == session.number {
            if expired {
                tracing::info!("the credentials for S3 have expired: asking for new ones");
            }
            let region = current.config.region().cloned();
            match Box::pin(load_config(region)).await {
                Ok(config) => current.replace(config),
                // It was right before: somebody is writing to it.
                Err(error) => tracing::warn!("no new credentials for S3: {error}"),
            }
        }
    }

    /// Replaces the client of `session` by one for the region `home`.
    pub(crate) async fn move_to(&self, session: &Session, home: String) {
        let mut current = self.session.lock().await;
        if current.number == session.number {
            tracing::debug!(region = home, "the bucket is in another region");
            current.replace(session.config.to_builder().region(Region::new(home)).build());
        }
    }
}

/// What environment, profile, container and instance say of us, for a region or else the
/// one that they name.
///
/// # Errors
/// If one of these settings makes no sense.
pub(crate) async fn load_config(region: Option<Region>) -> Result<SdkConfig, Misconfigured> {
    let region = match region {
        Some(region) => Some(region),
        None => aws::region().await,
    };
    aws::config(Service::S3, region.unwrap_or(Region::from_static(FALLBACK_REGION))).await
}

/// What is set for a request that carries something: the SDK's time until the first byte of
/// the answer counts the upload, however it moves. [`while_moving`](super::requests::deadlines::while_moving) does not.
pub(crate) fn carrying() -> Builder {
    let timeouts = TimeoutConfig::builder().connect_timeout(aws::CONNECT).disable_read_timeout();
    Builder::new().timeout_config(timeouts.build())
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(aws::CONNECT).read_timeout(limit(0)).build()
}

fn client(config: &SdkConfig, requester_pays: bool) -> Client {
    let endpoint = Service::S3.endpoint(config);
    let mut builder = Builder::from(config)
        .force_path_style(endpoint.as_ref().is_some_and(|url| !is_aws(url)))
        .timeout_config(timeouts())
        .stalled_stream_protection(
            // Of what goes out we know better what moves.
            StalledStreamProtectionConfig::enabled()
                .upload_enabled(false)
                .grace_period(SILENCE)
                .build(),
        );
    builder.set_endpoint_url(endpoint);
    if requester_pays {
        builder = builder.interceptor(RequesterPays);
    }
    Client::from_conf(builder.build())
}

/// Says in every request that we pay for it.
#[derive(Debug)]
struct RequesterPays;

impl Intercept for RequesterPays {
    fn name(&self) -> &'static str {
        "RequesterPays"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        context.request_mut().headers_mut().insert("x-amz-request-payer", "requester");
        Ok(())
    }
}

/// Whether what is said to S3 is protected by TLS.
pub(crate) fn is_protected(config: &SdkConfig) -> bool {
    Service::S3.endpoint(config).is_none_or(|endpoint| endpoint.starts_with("https"))
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

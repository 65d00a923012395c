//! The client of a bucket: credentials, region, endpoint. The client is replaced when its
//! credentials expire in the middle of a job, and when the bucket proves to be in another region.

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

use super::requests::deadlines::response_timeout;
use crate::aws;
use crate::aws::{Misconfigured, Service};

/// The region of the first request if neither the environment, the profile nor the instance names
/// one. The response to it names the bucket's region.
const FALLBACK_REGION: &str = "us-east-1";

/// How long the body of a response may stall. S3 pauses now and then, but a dead network path is
/// not noticed otherwise.
const STALL_GRACE_PERIOD: Duration = Duration::from_secs(20);

/// The current client of a bucket.
#[derive(Debug)]
pub(crate) struct Connection {
    session: Mutex<Session>,
}

/// A client, and what it was made from.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) client: Client,
    config: SdkConfig,
    requester_pays: bool,
    /// Which client of the bucket this is, from 0.
    generation: u32,
}

impl Session {
    /// The region that requests are sent to.
    pub(crate) fn region(&self) -> Option<&str> {
        self.config.region().map(Region::as_ref)
    }

    fn replace(&mut self, config: SdkConfig) {
        self.client = client(&config, self.requester_pays);
        self.config = config;
        self.generation += 1;
    }
}

impl Connection {
    /// A connection to the region of `config`.
    pub(crate) fn new(config: &SdkConfig, requester_pays: bool) -> Self {
        let client = client(config, requester_pays);
        let session = Session { client, config: config.clone(), requester_pays, generation: 0 };
        Self { session: Mutex::new(session) }
    }

    /// The client to use now.
    pub(crate) async fn session(&self) -> Session {
        self.session.lock().await.clone()
    }

    /// Replaces the client of `session`, whose credentials are missing or have expired, by one with
    /// new credentials. The SDK does not do so: it keeps credentials until the expiry time that
    /// their source has named, whatever S3 responds, and reads a profile only once.
    pub(crate) async fn renew(&self, session: &Session, expired: bool) {
        let mut current = self.session.lock().await;
        // Several requests can fail at once. Only the first of them replaces the client.
        if current.generation == session.generation {
            if expired {
                tracing::info!("the credentials for S3 have expired: getting new ones");
            }
            let region = current.config.region().cloned();
            match Box::pin(load_config(region)).await {
                Ok(config) => current.replace(config),
                // The settings were valid before. Somebody may be writing to a profile file.
                Err(error) => tracing::warn!("cannot get new credentials for S3: {error}"),
            }
        }
    }

    /// Replaces the client of `session` by one for `region`.
    pub(crate) async fn move_to(&self, session: &Session, region: String) {
        let mut current = self.session.lock().await;
        if current.generation == session.generation {
            tracing::debug!(region, "the bucket is in another region");
            current.replace(session.config.to_builder().region(Region::new(region)).build());
        }
    }
}

/// The SDK's configuration for S3 in `region`, or else in the configured one, from the environment,
/// the profile, the container and the instance metadata.
///
/// # Errors
/// If one of these settings is invalid.
pub(crate) async fn load_config(region: Option<Region>) -> Result<SdkConfig, Misconfigured> {
    let region = match region {
        Some(region) => Some(region),
        None => aws::region().await,
    };
    aws::config(Service::S3, region.unwrap_or(Region::from_static(FALLBACK_REGION))).await
}

/// The configuration of a request with a body. It has no read timeout: the SDK's would include the
/// time for sending the body, even while that makes progress.
/// [`until_stalled`](super::requests::deadlines::until_stalled) limits the request instead.
pub(crate) fn upload_config() -> Builder {
    let timeouts =
        TimeoutConfig::builder().connect_timeout(aws::CONNECT_TIMEOUT).disable_read_timeout();
    Builder::new().timeout_config(timeouts.build())
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(aws::CONNECT_TIMEOUT)
        .read_timeout(response_timeout(0))
        .build()
}

fn client(config: &SdkConfig, requester_pays: bool) -> Client {
    let endpoint = Service::S3.endpoint(config);
    let mut builder = Builder::from(config)
        .force_path_style(endpoint.as_ref().is_some_and(|url| !is_aws(url)))
        .timeout_config(timeouts())
        .stalled_stream_protection(
            // Not for uploads: `until_stalled` measures their progress more precisely.
            StalledStreamProtectionConfig::enabled()
                .upload_enabled(false)
                .grace_period(STALL_GRACE_PERIOD)
                .build(),
        );
    builder.set_endpoint_url(endpoint);
    if requester_pays {
        builder = builder.interceptor(RequesterPays);
    }
    Client::from_conf(builder.build())
}

/// Adds the header to every request by which the requester agrees to pay for it.
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

/// Whether requests to S3 use TLS.
pub(crate) fn uses_tls(config: &SdkConfig) -> bool {
    Service::S3.endpoint(config).is_none_or(|endpoint| endpoint.starts_with("https"))
}

/// Whether the endpoint is AWS's own. These accept the bucket in the host name, other stores often
/// only in the path.
fn is_aws(endpoint: &str) -> bool {
    let host = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let host = host.split(['/', ':']).next().unwrap_or(host);
    host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aws_endpoints_are_recognised_by_their_domain() {
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

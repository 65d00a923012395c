//! What all AWS services share: region, credentials, and the classification of errors.

mod identity;
mod settings;
mod trouble;

use std::error::Error;
use std::fmt::Write as _;
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::ProvideRegion as _;
use aws_config::profile::region::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;

pub use identity::{Identity, identity};
pub use settings::{Misconfigured, Service, has_static_keys};
pub use trouble::{Blame, Trouble, blame_of};

use crate::helpers::LockedProvider;
use crate::http;

/// How long connecting may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a small response may take.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long fetching credentials may take: a helper program may send requests of its own.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_mins(1);

/// The region from the environment, the profile or the instance metadata, in this order.
pub async fn region() -> Option<Region> {
    if let Some(region) = settings::region() {
        return Some(region);
    }
    let sources = ProviderConfig::without_region().with_http_client(http::client());
    let mut profile = ProfileFileRegionProvider::builder().configure(&sources);
    if let Some(name) = settings::profile_name() {
        profile = profile.profile_name(name);
    }
    let named = profile.build().region().await;
    match named.filter(|region| !region.as_ref().is_empty()) {
        Some(region) => Some(region),
        None => ImdsRegionProvider::builder().configure(&sources).build().region().await,
    }
}

/// The SDK's configuration for `service` in `region`, from the environment, the profile, the
/// container and the instance metadata.
///
/// # Errors
/// If one of these settings is invalid. They are checked without a request to any service.
pub async fn config(service: Service, region: Region) -> Result<SdkConfig, Misconfigured> {
    let profiles = settings::profiles().await?;
    // The SDK's default HTTP client is not compiled in, and its default region chain panics without
    // one. So the client and the region are set here.
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if let Some(name) = settings::profile_name() {
        loader = loader.profile_name(name);
    }
    let config = loader
        .http_client(http::client())
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .read_timeout(RESPONSE_TIMEOUT)
                .build(),
        )
        // Our code retries, differently for each service. If nothing is set here, the SDK reads its
        // retry settings from the environment and the profile, and panics on invalid values.
        .retry_config(RetryConfig::disabled())
        .identity_cache(IdentityCache::lazy().load_timeout(CREDENTIALS_TIMEOUT).build())
        .region(region)
        .load()
        .await;
    service.check(&config)?;
    let mut names = profiles.profiles().filter_map(|name| profiles.get_profile(name));
    let starts_helpers = names.any(|profile| profile.get("credential_process").is_some());
    let provider = config.credentials_provider().filter(|_| starts_helpers);
    Ok(match provider {
        None => config,
        Some(provider) => {
            let locked = SharedCredentialsProvider::new(LockedProvider(provider));
            config.to_builder().credentials_provider(locked).build()
        }
    })
}

/// Formats the error response of a service: its code and message, and details that AWS Support
/// asks for, such as the request ID.
pub fn refusal(
    service: &str,
    code: &str,
    message: Option<&str>,
    details: impl IntoIterator<Item = String>,
) -> String {
    let mut text = match (code, message) {
        ("", None) => format!("{service} refused the request without giving a reason"),
        ("", Some(message)) => message.to_owned(),
        (code, None) => code.to_owned(),
        (code, Some(message)) => format!("{code}: {message}"),
    };
    let details: Vec<_> = details.into_iter().collect();
    if !details.is_empty() {
        _ = write!(text, " ({})", details.join(", "));
    }
    text
}

/// Joins the messages of an error and its causes, outermost first. A message that the one before it
/// already contains is left out.
pub fn causes(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        if texts.last().is_none_or(|last| !last.contains(&text)) {
            texts.push(text);
        }
        next = error.source();
    }
    texts.join(": ")
}

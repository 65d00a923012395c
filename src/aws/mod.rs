//! Who we are to AWS: region and credentials; and what its services say when they refuse.

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

pub use settings::{Misconfigured, Service, has_fixed_keys};
pub use trouble::{Blame, Trouble, blame_of};

use crate::helpers::Announced;
use crate::http;

/// How long a connection may take to be made.
pub const CONNECT: Duration = Duration::from_secs(5);

/// How long an answer may take that is not large.
pub const ANSWER: Duration = Duration::from_secs(30);

/// How long credentials may take to be had: a helper may have to ask around for them.
const CREDENTIALS: Duration = Duration::from_mins(1);

/// The region that environment, profile or instance name, if any does.
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

/// What environment, profile, container and instance say of us, for `service` in `region`.
///
/// # Errors
/// If one of these settings makes no sense. No service is asked for that.
pub async fn config(service: Service, region: Region) -> Result<SdkConfig, Misconfigured> {
    let profiles = settings::profiles().await?;
    // The SDK's own client is not built in, and its own chain of regions panics without.
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if let Some(name) = settings::profile_name() {
        loader = loader.profile_name(name);
    }
    let config = loader
        .http_client(http::client())
        .timeout_config(
            TimeoutConfig::builder().connect_timeout(CONNECT).read_timeout(ANSWER).build(),
        )
        // Each service tries again in its own way; and the SDK looks for one in the environment
        // and the profile, and panics at what it finds no sense in, where none is set here.
        .retry_config(RetryConfig::disabled())
        .identity_cache(IdentityCache::lazy().load_timeout(CREDENTIALS).build())
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
            let announced = SharedCredentialsProvider::new(Announced(provider));
            config.to_builder().credentials_provider(announced).build()
        }
    })
}

/// What a service says in refusing a request: its code, its message, and details that its
/// support asks for.
pub fn refusal(
    service: &str,
    code: &str,
    message: Option<&str>,
    details: impl IntoIterator<Item = String>,
) -> String {
    let mut text = match (code, message) {
        ("", None) => format!("{service} refused without saying why"),
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

/// The causes of an error from the outside in, without those that only repeat the
/// next one or say nothing.
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

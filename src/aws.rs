//! Who we are to AWS: region and credentials; and what its services say when they refuse.

use std::error::Error;
use std::fmt::Write as _;
use std::time::Duration;

use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::region::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};

use crate::http;

/// How long a connection may take to be made.
pub const CONNECT: Duration = Duration::from_secs(5);

/// How long an answer may take that is not large.
pub const ANSWER: Duration = Duration::from_secs(30);

/// The region that environment, profile or instance name, if any does.
pub async fn region() -> Option<Region> {
    let sources = ProviderConfig::without_region().with_http_client(http::client());
    RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::builder().configure(&sources).build())
        .or_else(ImdsRegionProvider::builder().configure(&sources).build())
        .region()
        .await
}

/// What environment, profile, container and instance say of us, for services in `region`.
pub async fn config(region: Region) -> SdkConfig {
    // The SDK's own client is not built in, and its own chain of regions panics without.
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http::client())
        .timeout_config(
            TimeoutConfig::builder().connect_timeout(CONNECT).read_timeout(ANSWER).build(),
        )
        // Each service tries again in its own way; and the SDK looks for one in the environment
        // and the profile, and panics at what it finds no sense in, where none is set here.
        .retry_config(RetryConfig::disabled())
        .region(region)
        .load()
        .await
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

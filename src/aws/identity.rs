//! Whose credentials are in use.

use std::time::Duration;

use aws_config::Region;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sdk_sts::Client;
use aws_sdk_sts::config::Builder;
use tokio::time::timeout;

use super::{Service, causes, config, region};

/// How long the Security Token Service may take. Only the name depends on it.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The region of the request where none is set: every region has the service.
const FALLBACK_REGION: &str = "us-east-1";

/// The credentials in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The id of the access key, which is no secret.
    pub key: String,
    /// The ARN of the user or role; `None` if the service does not tell it, as other stores do not.
    pub arn: Option<String>,
}

/// The credentials from the environment, the profile, the container or the instance, and whose they are.
///
/// # Errors
/// Why there are none.
pub async fn identity() -> Result<Identity, String> {
    let region = region().await.unwrap_or(Region::from_static(FALLBACK_REGION));
    let config = Box::pin(config(Service::Sts, region)).await.map_err(|why| why.to_string())?;
    let provider = config.credentials_provider().ok_or("no source of credentials is known")?;
    let credentials = provider.provide_credentials().await.map_err(|why| causes(&why))?;
    let mut settings = Builder::from(&config);
    settings.set_endpoint_url(Service::Sts.endpoint(&config));
    let answer = Client::from_conf(settings.build()).get_caller_identity().send();
    let arn = match timeout(TIMEOUT, answer).await {
        Ok(Ok(answer)) => answer.arn,
        Ok(Err(error)) => {
            tracing::debug!("whose credentials these are is unknown: {}", causes(&error));
            None
        }
        Err(_) => None,
    };
    Ok(Identity { key: credentials.access_key_id().to_owned(), arn })
}

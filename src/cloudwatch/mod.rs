//! Reads log streams of CloudWatch Logs.
//!
//! One operation is needed, `GetLogEvents`. Its request is signed and sent here, because the SDK's client of
//! the service is as large as everything else that `logs` needs.

mod error;

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sdk_s3::config::SharedHttpClient;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

pub use error::{LogsError, LogsErrorKind};

use crate::aws;
use crate::aws::Service;
use crate::http;
use crate::http::{Answer, Post};

/// The operation, as the service names it.
const GET_LOG_EVENTS: &str = "Logs_20140328.GetLogEvents";

/// The delays between the attempts to send a request.
const RETRY_DELAYS: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// How long before their end credentials are renewed.
const EXPIRY_MARGIN: Duration = Duration::from_mins(1);

/// A log stream: the output of one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogStream {
    /// The log group.
    pub group: String,
    /// The name in it.
    pub name: String,
}

/// Some messages of a log stream, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The messages, without line breaks at their ends.
    pub messages: Vec<String>,
    /// Where the next page begins. At the end of the stream it is where this page began.
    pub next: Option<String>,
}

/// CloudWatch Logs in one account and region.
#[derive(Debug)]
pub struct CloudWatchLogs {
    client: SharedHttpClient,
    config: SdkConfig,
    region: String,
    /// Scheme, host and port.
    server: String,
    credentials: Option<Credentials>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    log_group_name: &'a str,
    log_stream_name: &'a str,
    start_from_head: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    #[serde(default)]
    events: Vec<Event>,
    next_forward_token: Option<String>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    message: String,
}

impl CloudWatchLogs {
    /// Creates a client for the region of the environment, the profile or the instance. Sends no
    /// request to the service.
    ///
    /// # Errors
    /// If none of them names a region, or a setting is invalid.
    pub async fn connect() -> Result<Self, LogsError> {
        let region = aws::region().await.ok_or_else(LogsError::no_region)?;
        let config = Box::pin(aws::config(Service::Logs, region.clone())).await;
        let config = config.map_err(|error| LogsError::misconfigured(&error))?;
        let region = region.to_string();
        let endpoint = Service::Logs.endpoint(&config);
        let server = endpoint.unwrap_or_else(|| server_in(&region));
        Ok(Self { client: http::client(), config, region, server, credentials: None })
    }

    /// Reads the messages of a stream from a place on, or from the beginning.
    ///
    /// # Errors
    /// If there is no such stream, or it cannot be read.
    pub async fn read(
        &mut self,
        stream: &LogStream,
        from: Option<&str>,
    ) -> Result<Page, LogsError> {
        let mut delays = RETRY_DELAYS.into_iter();
        loop {
            match self.read_once(stream, from).await {
                Err(error) if error.is_transient() => match delays.next() {
                    Some(delay) => sleep(delay.mul_f64(0.5 + fastrand::f64() / 2.0)).await,
                    None => return Err(error),
                },
                result => return result,
            }
        }
    }

    async fn read_once(
        &mut self,
        stream: &LogStream,
        from: Option<&str>,
    ) -> Result<Page, LogsError> {
        let operation = || format!("read the log stream {} of {}", stream.name, stream.group);
        let request = Request {
            log_group_name: &stream.group,
            log_stream_name: &stream.name,
            start_from_head: true,
            next_token: from,
        };
        let invalid =
            |error: &dyn std::error::Error| LogsError::invalid(operation(), error.to_string());
        let body = serde_json::to_string(&request).map_err(|error| invalid(&error))?;
        let credentials = self.credentials(&operation).await?;
        let request =
            self.signed(body, credentials).map_err(|why| LogsError::invalid(operation(), why))?;
        let answer = http::post(&self.client, request).await;
        let answer: Answer = answer.map_err(|error| LogsError::no_answer(operation(), &error))?;
        if !(200..300).contains(&answer.status) {
            return Err(LogsError::refused(operation(), &answer));
        }
        let response: Response =
            serde_json::from_slice(&answer.body).map_err(|error| invalid(&error))?;
        let messages = response.events.into_iter();
        let messages = messages.map(|event| event.message.trim_end_matches('\n').to_owned());
        Ok(Page { messages: messages.collect(), next: response.next_forward_token })
    }

    /// The credentials, renewed if they are about to end.
    async fn credentials(
        &mut self,
        operation: &impl Fn() -> String,
    ) -> Result<Credentials, LogsError> {
        let soon = SystemTime::now() + EXPIRY_MARGIN;
        let holds = |known: &Credentials| known.expiry().is_none_or(|end| end > soon);
        if let Some(known) = self.credentials.as_ref().filter(|known| holds(known)) {
            return Ok(known.clone());
        }
        let none = |why: String| LogsError::no_credentials(operation(), why);
        let provider = self.config.credentials_provider();
        let provider =
            provider.ok_or_else(|| none("no source of credentials is known".to_owned()))?;
        let fetched = provider.provide_credentials().await;
        let fetched = fetched.map_err(|error| none(aws::causes(&error)))?;
        self.credentials = Some(fetched.clone());
        Ok(fetched)
    }

    /// The request with this body, signed.
    fn signed(&self, body: String, credentials: Credentials) -> Result<Post, String> {
        let path = "/";
        let mut headers = vec![
            ("content-type".to_owned(), "application/x-amz-json-1.1".to_owned()),
            ("x-amz-target".to_owned(), GET_LOG_EVENTS.to_owned()),
        ];
        let identity = credentials.into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("logs")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| error.to_string())?;
        let url = format!("{}{path}", self.server.trim_end_matches('/'));
        let given = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let signable =
            SignableRequest::new("POST", &url, given, SignableBody::Bytes(body.as_bytes()))
                .map_err(|error| error.to_string())?;
        let signed = sign(signable, &params.into()).map_err(|error| error.to_string())?;
        let (instructions, _) = signed.into_parts();
        headers.extend(
            instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        Ok(Post { server: self.server.clone(), path: path.to_owned(), headers, body })
    }
}

/// The server of a region. China has a domain of its own.
fn server_in(region: &str) -> String {
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://logs.{region}.{domain}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_region_has_its_server() {
        assert_eq!(server_in("eu-central-1"), "https://logs.eu-central-1.amazonaws.com");
        assert_eq!(server_in("cn-north-1"), "https://logs.cn-north-1.amazonaws.com.cn");
    }
}

//! Posts to services for which there is no client here, through the same HTTP client.

use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use aws_sdk_s3::config::SharedHttpClient;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::timeout::TimeoutConfig;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the response may take.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

/// A request. It is not shown: headers and path can be secret.
#[derive(Clone)]
pub struct Post {
    /// Scheme, host and port: `https://example.org`.
    pub server: String,
    /// Path and query: `/hooks?x=y`.
    pub path: String,
    /// The headers, besides Host and Content-Length.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post").field("server", &self.server).finish_non_exhaustive()
    }
}

/// A response, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status: 200, 302, 404.
    pub status: u16,
    /// The body; of an error, its beginning.
    pub body: Vec<u8>,
}

/// Why there is no response.
pub type NoAnswer = SdkError<Infallible, HttpResponse>;

/// Sends a request once. Redirects are not followed.
///
/// # Errors
/// If there is no response in time.
pub async fn post(client: &SharedHttpClient, request: Post) -> Result<Answer, NoAnswer> {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(RESPONSE_TIMEOUT)
        .operation_timeout(CONNECT_TIMEOUT + RESPONSE_TIMEOUT)
        .build();
    let operation = Operation::builder()
        .service_name("post")
        .operation_name("post")
        .http_client(client.clone())
        .endpoint_url(&request.server)
        .no_auth()
        .no_retry()
        .timeout_config(timeouts)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .serializer(|request: Post| {
            let mut sent = HttpRequest::new(SdkBody::from(request.body));
            sent.set_method("POST")?;
            sent.set_uri(request.path)?;
            for (name, value) in request.headers {
                sent.headers_mut().try_insert(name, value)?;
            }
            Ok(sent)
        })
        .deserializer(|response: &HttpResponse| {
            let body = response.body().bytes().unwrap_or_default().to_vec();
            Ok::<_, aws_smithy_runtime_api::client::orchestrator::OrchestratorError<Infallible>>(
                Answer { status: response.status().as_u16(), body },
            )
        })
        .build();
    Box::pin(operation.invoke(request)).await
}

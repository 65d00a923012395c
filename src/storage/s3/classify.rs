//! What the SDK reports, as a [`Failure`].

use std::error::Error;
use std::fmt;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId as _;
use aws_sdk_s3::operation::RequestIdExt as _;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::storage::Failure;

/// What S3 or the way to it said, in one line.
#[derive(Debug)]
struct S3Error(String);

impl fmt::Display for S3Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for S3Error {}

/// Sorts an error of the SDK.
#[expect(clippy::needless_pass_by_value, reason = "what map_err hands over")]
pub(super) fn failure<E>(error: SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let SdkError::ServiceError(service) = &error else {
        // No answer, a time-out, an answer that is not S3's, or no credentials.
        return Failure::Transient(Box::new(S3Error(innermost(&error))));
    };
    let code = service.err().code().unwrap_or_default();
    if code.is_empty() && status.is_some_and(|status| (200..300).contains(&status)) {
        // An answer that cannot be read, such as the page of a proxy.
        return Failure::Transient(Box::new(S3Error(innermost(&error))));
    }
    let text = describe(&error, status, code, service.err().message());
    let text = Box::new(S3Error(text));
    match (code, status.unwrap_or_default()) {
        ("NoSuchKey" | "NoSuchBucket" | "NotFound", _) | (_, 404) => Failure::Missing(text),
        // Denied by status, but cured by time: new credentials, a clock that is set.
        (
            "ExpiredToken"
            | "ExpiredTokenException"
            | "TokenRefreshRequired"
            | "RequestTimeTooSkewed"
            | "RequestTimeout"
            | "RequestExpired"
            | "PreconditionFailed",
            _,
        )
        // Success with an error in the body, as when an upload is completed.
        | (_, 200..300 | 429 | 500..600) => Failure::Transient(text),
        _ => Failure::Denied(text),
    }
}

/// What went wrong while the body of an answer arrived.
pub(super) fn body_failure(error: &(dyn Error + 'static)) -> Failure {
    Failure::Transient(Box::new(S3Error(innermost(error))))
}

fn describe<E>(
    error: &SdkError<E, HttpResponse>,
    status: Option<u16>,
    code: &str,
    message: Option<&str>,
) -> String
where
    E: ProvideErrorMetadata,
{
    let mut words: Vec<String> = Vec::new();
    match (code, message) {
        ("", None) => words.push("S3 refused without saying why".to_owned()),
        ("", Some(message)) => words.push(message.to_owned()),
        (code, None) => words.push(code.to_owned()),
        (code, Some(message)) => words.push(format!("{code}: {message}")),
    }
    let mut details = Vec::new();
    details.extend(status.map(|status| format!("HTTP {status}")));
    details.extend(error.request_id().map(|id| format!("request id {id}")));
    details.extend(error.extended_request_id().map(|id| format!("extended request id {id}")));
    if !details.is_empty() {
        words.push(format!("({})", details.join(", ")));
    }
    words.join(" ")
}

/// The causes of an error from the outside in, without those that only repeat the
/// next one or say nothing.
fn innermost(error: &(dyn Error + 'static)) -> String {
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

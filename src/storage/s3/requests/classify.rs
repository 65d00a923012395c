//! Classifies the SDK's errors: as a [`Failure`], and by how a retry could succeed.

use std::error::Error;
use std::time::Duration;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId as _;
use aws_sdk_s3::operation::RequestIdExt as _;
use aws_sdk_s3::operation::create_session::CreateSessionError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::aws;
use crate::aws::{Blame, Trouble, blame_of, causes};
use crate::storage::Failure;

/// How a failed request can be retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryAction {
    /// It would fail again.
    None,
    /// After a pause.
    Later,
    /// After a pause, with fewer transfers at once.
    SlowDown,
    /// After a pause, with new credentials.
    RenewCredentials,
}

/// How one attempt at a request failed.
#[derive(Debug)]
pub(crate) struct AttemptError {
    pub(crate) failure: Failure,
    pub(crate) action: RetryAction,
    /// The pause that S3 asks for.
    pub(crate) retry_after: Option<Duration>,
    /// The error code of S3; empty if there is none.
    pub(crate) code: String,
    /// The bucket's region, if S3 reports that the request went to another one.
    pub(crate) bucket_region: Option<String>,
}

impl AttemptError {
    fn new(failure: Failure, action: RetryAction) -> Self {
        Self { failure, action, retry_after: None, code: String::new(), bucket_region: None }
    }

    /// A failure that a later attempt may not meet.
    pub(crate) fn transient(text: String) -> Self {
        Self::new(Failure::Transient(text.into()), RetryAction::Later)
    }
}

/// A failure that did not come from S3, and that a retry would meet again.
impl From<Failure> for AttemptError {
    fn from(failure: Failure) -> Self {
        Self::new(failure, RetryAction::None)
    }
}

/// Classifies an error of the SDK.
#[expect(clippy::needless_pass_by_value, reason = "the signature that map_err needs")]
pub(crate) fn attempt_error<E>(error: SdkError<E, HttpResponse>) -> AttemptError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let SdkError::ServiceError(service) = &error else {
        return without_response(&error);
    };
    let code = service.err().code().unwrap_or_default();
    if code.is_empty() && status.is_some_and(|status| (200..300).contains(&status)) {
        // A response that cannot be parsed, such as the page of a proxy.
        return AttemptError::transient(causes(&error));
    }
    let text = describe(&error, status, code, service.err().message());
    let (kind, action) = classify(code, status.unwrap_or_default());
    let header = |name| error.raw_response().and_then(|response| response.headers().get(name));
    let retry_after =
        header("retry-after").and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
    // The request went to the wrong region. The SDK for Rust does not follow the redirect
    // ("HeadBucket" in the S3 API reference).
    let is_redirect = matches!(status, Some(301 | 307 | 400));
    let bucket_region = header("x-amz-bucket-region").filter(|_| is_redirect).map(str::to_owned);
    let (failure, code) = (kind.failure(text), code.to_owned());
    AttemptError { failure, action, retry_after, code, bucket_region }
}

/// Classifies an error without a response of S3: no connection, a timeout, a response of another
/// server, or a request that could not be built.
fn without_response<E>(error: &SdkError<E, HttpResponse>) -> AttemptError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    // Requests to a directory bucket need a session. If the bucket is missing or access is denied,
    // creating the session fails.
    if let Some(code) = session_error_code(error) {
        let (kind, action) = classify(&code, 0);
        return AttemptError { code, ..AttemptError::new(kind.failure(causes(error)), action) };
    }
    let Trouble { blame, message } = Trouble::of(error);
    let kind = match blame {
        Blame::Settings => Kind::Misconfigured,
        Blame::Machine => Kind::Lacking,
        Blame::Credentials => Kind::Unrecognised,
        Blame::Access => Kind::Denied,
        Blame::NoCredentials | Blame::Network => Kind::Transient,
    };
    let action = match blame {
        // The SDK reads a profile file only once. New credentials read it again.
        Blame::NoCredentials => RetryAction::RenewCredentials,
        Blame::Network => RetryAction::Later,
        Blame::Settings | Blame::Machine | Blame::Credentials | Blame::Access => RetryAction::None,
    };
    AttemptError::new(kind.failure(message), action)
}

/// The error code of S3 if creating a session for a directory bucket failed.
fn session_error_code(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        let session: Option<&SdkError<CreateSessionError, HttpResponse>> = error.downcast_ref();
        if let Some(code) = session.and_then(ProvideErrorMetadata::code) {
            return Some(code.to_owned());
        }
        next = error.source();
    }
    None
}

/// The kinds of [`Failure`] that a request can end in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Missing,
    Archived,
    Transient,
    Denied,
    Unrecognised,
    Refused,
    Misconfigured,
    Lacking,
}

impl Kind {
    fn failure(self, text: String) -> Failure {
        let text = text.into();
        match self {
            Self::Missing => Failure::Missing(text),
            Self::Archived => Failure::Archived(text),
            Self::Transient => Failure::Transient(text),
            Self::Denied => Failure::Denied(text),
            Self::Unrecognised => Failure::Unrecognised(text),
            Self::Refused => Failure::Refused(text),
            Self::Misconfigured => Failure::Misconfigured(text),
            Self::Lacking => Failure::Lacking(text),
        }
    }
}

/// Classifies an error response of S3 by its code and status. The codes are those of "Error
/// responses" in the S3 API reference, and those that the AWS SDKs treat as throttling.
fn classify(code: &str, status: u16) -> (Kind, RetryAction) {
    match (code, status) {
        // The status says denied, but new credentials help.
        ("ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired", _) => {
            return (Kind::Transient, RetryAction::RenewCredentials);
        }
        ("InvalidObjectState", _) => return (Kind::Archived, RetryAction::None),
        ("InvalidBucketName" | "KeyTooLongError", _) => {
            return (Kind::Misconfigured, RetryAction::None);
        }
        _ => {}
    }
    match blame_of(code) {
        Some(Blame::Credentials | Blame::NoCredentials) => {
            return (Kind::Unrecognised, RetryAction::None);
        }
        Some(Blame::Access) => return (Kind::Denied, RetryAction::None),
        Some(Blame::Settings) => return (Kind::Misconfigured, RetryAction::None),
        Some(Blame::Machine | Blame::Network) | None => {}
    }
    match (code, status) {
        // The object was replaced while it was being read: the bytes received so far are useless.
        ("PreconditionFailed", _) | (_, 412) => (Kind::Transient, RetryAction::None),
        ("NoSuchKey" | "NoSuchBucket" | "NotFound", _) | (_, 404) => {
            (Kind::Missing, RetryAction::None)
        }
        // The store does not implement this request. No other 5xx status is permanent.
        ("NotImplemented", _) | (_, 501) => (Kind::Refused, RetryAction::None),
        // Our clock is wrong. The SDK takes the time from this response, and signs the next request
        // with it.
        (
            "RequestTimeTooSkewed" | "RequestExpired"
            // The request was too slow, or corrupted in transit.
            | "RequestTimeout" | "RequestTimeoutException" | "IncompleteBody" | "BadDigest"
            | "XAmzContentSHA256Mismatch" | "XAmzContentChecksumMismatch"
            // Another request for the same object is in progress.
            | "OperationAborted" | "ConditionalRequestConflict"
            | "PriorRequestNotComplete" | "TransactionInProgressException",
            _,
        ) => (Kind::Transient, RetryAction::Later),
        // Throttling, as different services and stores call it.
        (
            "SlowDown" | "SlowDownRead" | "SlowDownWrite" | "Throttling" | "ThrottlingException"
            | "ThrottledException" | "RequestThrottled" | "RequestThrottledException"
            | "RequestLimitExceeded" | "TooManyRequests" | "TooManyRequestsException"
            | "BandwidthLimitExceeded" | "LimitExceededException" | "EC2ThrottledException",
            _,
        )
        | (_, 429 | 503) => (Kind::Transient, RetryAction::SlowDown),
        // 2xx: CompleteMultipartUpload can report an error in the body of a success.
        (_, 200..300 | 408 | 425 | 500..600) => (Kind::Transient, RetryAction::Later),
        // A response without a body has no code. The error may be ExpiredToken.
        ("", 400) => (Kind::Refused, RetryAction::RenewCredentials),
        (_, 401 | 403) => (Kind::Denied, RetryAction::None),
        _ => (Kind::Refused, RetryAction::None),
    }
}

/// Classifies an error while the body of a response was being read.
pub(crate) fn body_error(error: &(dyn Error + 'static)) -> AttemptError {
    AttemptError::transient(causes(error))
}

fn describe<E>(
    error: &SdkError<E, HttpResponse>,
    status: Option<u16>,
    code: &str,
    message: Option<&str>,
) -> String {
    let details = [
        status.map(|status| format!("HTTP {status}")),
        error.request_id().map(|id| format!("request id {id}")),
        error.extended_request_id().map(|id| format!("extended request id {id}")),
    ];
    aws::refusal("S3", code, message, details.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_response_tells_who_must_act_and_how_to_retry() {
        use Kind::{Archived, Denied, Misconfigured, Missing, Refused, Transient, Unrecognised};
        use RetryAction::{Later, None as Never, RenewCredentials, SlowDown};
        for (code, status, expected) in [
            ("SlowDown", 503, (Transient, SlowDown)),
            ("", 503, (Transient, SlowDown)),
            ("InternalError", 500, (Transient, Later)),
            ("InternalError", 200, (Transient, Later)),
            ("TooManyRequests", 429, (Transient, SlowDown)),
            ("ThrottlingException", 400, (Transient, SlowDown)),
            ("RequestTimeout", 400, (Transient, Later)),
            ("RequestTimeTooSkewed", 403, (Transient, Later)),
            ("BadDigest", 400, (Transient, Later)),
            ("XAmzContentSHA256Mismatch", 400, (Transient, Later)),
            ("IncompleteBody", 400, (Transient, Later)),
            ("OperationAborted", 409, (Transient, Later)),
            ("ExpiredToken", 400, (Transient, RenewCredentials)),
            ("TokenRefreshRequired", 400, (Transient, RenewCredentials)),
            ("", 400, (Refused, RenewCredentials)),
            ("PreconditionFailed", 412, (Transient, Never)),
            ("NoSuchKey", 404, (Missing, Never)),
            ("", 404, (Missing, Never)),
            ("AccessDenied", 403, (Denied, Never)),
            ("NotImplemented", 501, (Refused, Never)),
            ("InvalidAccessKeyId", 403, (Unrecognised, Never)),
            ("SignatureDoesNotMatch", 403, (Unrecognised, Never)),
            ("InvalidToken", 400, (Unrecognised, Never)),
            ("InvalidObjectState", 403, (Archived, Never)),
            ("NoSuchBucket", 404, (Missing, Never)),
            ("NoSuchBucket", 0, (Missing, Never)),
            ("AuthorizationHeaderMalformed", 400, (Misconfigured, Never)),
            ("KeyTooLongError", 400, (Misconfigured, Never)),
            ("InvalidArgument", 400, (Refused, Never)),
            ("MethodNotAllowed", 405, (Refused, Never)),
            ("AllAccessDisabled", 403, (Denied, Never)),
            ("", 401, (Denied, Never)),
            ("", 403, (Denied, Never)),
        ] {
            assert_eq!(classify(code, status), expected, "{code} {status}");
        }
    }
}

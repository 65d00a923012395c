//! What the SDK reports, as a [`Failure`], and what would cure it.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId as _;
use aws_sdk_s3::operation::RequestIdExt as _;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::aws::{self, causes};
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

/// What would cure a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cure {
    /// Nothing that we could do.
    None,
    /// The same again, a little later.
    Time,
    /// The same again, a little later and less of it at once.
    Restraint,
    /// The same again, a little later and with new credentials.
    Credentials,
}

/// How one attempt at a request failed.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) failure: Failure,
    pub(super) cure: Cure,
    /// How long S3 asks to be left alone.
    pub(super) retry_after: Option<Duration>,
    /// What S3 calls it; empty where it did not say.
    pub(super) code: String,
    /// The region that the bucket is in, where this is not the one that was asked.
    pub(super) home: Option<String>,
}

impl Fault {
    fn new(failure: Failure, cure: Cure) -> Self {
        Self { failure, cure, retry_after: None, code: String::new(), home: None }
    }

    /// What passes by itself.
    pub(super) fn passing(text: String) -> Self {
        Self::new(Failure::Transient(text.into()), Cure::Time)
    }
}

/// What was no fault of S3, and is the same the next time.
impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self::new(failure, Cure::None)
    }
}

/// Sorts an error of the SDK.
#[expect(clippy::needless_pass_by_value, reason = "what map_err hands over")]
pub(super) fn fault<E>(error: SdkError<E, HttpResponse>) -> Fault
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let SdkError::ServiceError(service) = &error else {
        // No answer, a time-out, an answer that is not S3's, or no credentials.
        return Fault::passing(causes(&error));
    };
    let code = service.err().code().unwrap_or_default();
    if code.is_empty() && status.is_some_and(|status| (200..300).contains(&status)) {
        // An answer that cannot be read, such as the page of a proxy.
        return Fault::passing(causes(&error));
    }
    let text = Box::new(S3Error(describe(&error, status, code, service.err().message())));
    let (failure, cure) = match sort(code, status.unwrap_or_default()) {
        (Kind::Missing, cure) => (Failure::Missing(text), cure),
        (Kind::Transient, cure) => (Failure::Transient(text), cure),
        (Kind::Denied, cure) => (Failure::Denied(text), cure),
    };
    let header = |name| error.raw_response().and_then(|response| response.headers().get(name));
    let retry_after =
        header("retry-after").and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
    // An answer to the wrong region; the SDK for Rust does not follow it ("HeadBucket" in the
    // S3 API reference).
    let elsewhere = matches!(status, Some(301 | 307 | 400));
    let home = header("x-amz-bucket-region").filter(|_| elsewhere).map(str::to_owned);
    Fault { failure, cure, retry_after, code: code.to_owned(), home }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Missing,
    Transient,
    Denied,
}

/// Who must act when S3 answers with this code and status, and what cures it. The codes
/// are those of "Error responses" in the S3 API reference, and what the AWS SDKs take for
/// throttling.
fn sort(code: &str, status: u16) -> (Kind, Cure) {
    match (code, status) {
        // Denied by status, but cured by new credentials.
        ("ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired", _) => {
            (Kind::Transient, Cure::Credentials)
        }
        // The object was replaced while it was read: what was had of it is of no use.
        ("PreconditionFailed", _) | (_, 412) => (Kind::Transient, Cure::None),
        ("NoSuchKey" | "NoSuchBucket" | "NotFound", _) | (_, 404) => (Kind::Missing, Cure::None),
        // The store is none that can do this: the one 5xx that does not pass.
        ("NotImplemented", _) | (_, 501) => (Kind::Denied, Cure::None),
        // A clock that is wrong: the SDK has learned the right time from this answer, and
        // signs the next request with it.
        (
            "RequestTimeTooSkewed" | "RequestExpired"
            // Too slow, or spoilt on its way.
            | "RequestTimeout" | "RequestTimeoutException" | "IncompleteBody" | "BadDigest"
            | "XAmzContentSHA256Mismatch" | "XAmzContentChecksumMismatch"
            // Another request for the same object is being carried out.
            | "OperationAborted" | "ConditionalRequestConflict"
            | "PriorRequestNotComplete" | "TransactionInProgressException",
            _,
        ) => (Kind::Transient, Cure::Time),
        // Throttling under the names that services and stores have for it.
        (
            "SlowDown" | "SlowDownRead" | "SlowDownWrite" | "Throttling" | "ThrottlingException"
            | "ThrottledException" | "RequestThrottled" | "RequestThrottledException"
            | "RequestLimitExceeded" | "TooManyRequests" | "TooManyRequestsException"
            | "BandwidthLimitExceeded" | "LimitExceededException" | "EC2ThrottledException",
            _,
        )
        | (_, 429 | 503) => (Kind::Transient, Cure::Restraint),
        // Success with an error in the body, as when an upload is completed.
        (_, 200..300 | 408 | 425 | 500..600) => (Kind::Transient, Cure::Time),
        // An answer without a body has no room for a code: it may well be ExpiredToken.
        ("", 400) => (Kind::Denied, Cure::Credentials),
        _ => (Kind::Denied, Cure::None),
    }
}

/// What went wrong while the body of an answer arrived.
pub(super) fn body_fault(error: &(dyn Error + 'static)) -> Fault {
    Fault::passing(causes(error))
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
    fn what_s3_answers_says_who_must_act_and_what_cures_it() {
        use Cure::{Credentials, None as Nothing, Restraint, Time};
        use Kind::{Denied, Missing, Transient};
        for (code, status, expected) in [
            ("SlowDown", 503, (Transient, Restraint)),
            ("", 503, (Transient, Restraint)),
            ("InternalError", 500, (Transient, Time)),
            ("InternalError", 200, (Transient, Time)),
            ("TooManyRequests", 429, (Transient, Restraint)),
            ("ThrottlingException", 400, (Transient, Restraint)),
            ("RequestTimeout", 400, (Transient, Time)),
            ("RequestTimeTooSkewed", 403, (Transient, Time)),
            ("BadDigest", 400, (Transient, Time)),
            ("XAmzContentSHA256Mismatch", 400, (Transient, Time)),
            ("IncompleteBody", 400, (Transient, Time)),
            ("OperationAborted", 409, (Transient, Time)),
            ("ExpiredToken", 400, (Transient, Credentials)),
            ("TokenRefreshRequired", 400, (Transient, Credentials)),
            ("", 400, (Denied, Credentials)),
            ("PreconditionFailed", 412, (Transient, Nothing)),
            ("NoSuchKey", 404, (Missing, Nothing)),
            ("", 404, (Missing, Nothing)),
            ("AccessDenied", 403, (Denied, Nothing)),
            ("NotImplemented", 501, (Denied, Nothing)),
            ("InvalidAccessKeyId", 403, (Denied, Nothing)),
            ("SignatureDoesNotMatch", 403, (Denied, Nothing)),
            ("InvalidToken", 400, (Denied, Nothing)),
            ("", 403, (Denied, Nothing)),
        ] {
            assert_eq!(sort(code, status), expected, "{code} {status}");
        }
    }
}

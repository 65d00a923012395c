//! What the SDK reports, as a [`Failure`], and what would action it.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId as _;
use aws_sdk_s3::operation::RequestIdExt as _;
use aws_sdk_s3::operation::create_session::CreateSessionError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::aws;
use crate::aws::{Blame, Trouble, blame_of, causes};
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

/// What would action a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryAction {
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
pub(crate) struct AttemptError {
    pub(crate) failure: Failure,
    pub(crate) action: RetryAction,
    /// How long S3 asks to be left alone.
    pub(crate) retry_after: Option<Duration>,
    /// What S3 calls it; empty where it did not say.
    pub(crate) code: String,
    /// The region that the bucket is in, where this is not the one that was asked.
    pub(crate) home: Option<String>,
}

impl AttemptError {
    fn new(failure: Failure, action: RetryAction) -> Self {
        Self { failure, action, retry_after: None, code: String::new(), home: None }
    }

    /// What passes by itself.
    pub(crate) fn passing(text: String) -> Self {
        Self::new(Failure::Transient(text.into()), RetryAction::Time)
    }
}

/// What was no fault of S3, and is the same the next time.
impl From<Failure> for AttemptError {
    fn from(failure: Failure) -> Self {
        Self::new(failure, RetryAction::None)
    }
}

/// Sorts an error of the SDK.
#[expect(clippy::needless_pass_by_value, reason = "what map_err hands over")]
pub(crate) fn attempt_error<E>(error: SdkError<E, HttpResponse>) -> AttemptError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let SdkError::ServiceError(service) = &error else {
        return before_an_answer(&error);
    };
    let code = service.err().code().unwrap_or_default();
    if code.is_empty() && status.is_some_and(|status| (200..300).contains(&status)) {
        // An answer that cannot be read, such as the page of a proxy.
        return AttemptError::passing(causes(&error));
    }
    let text = describe(&error, status, code, service.err().message());
    let (kind, action) = sort(code, status.unwrap_or_default());
    let header = |name| error.raw_response().and_then(|response| response.headers().get(name));
    let retry_after =
        header("retry-after").and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
    // An answer to the wrong region; the SDK for Rust does not follow it ("HeadBucket" in the
    // S3 API reference).
    let elsewhere = matches!(status, Some(301 | 307 | 400));
    let home = header("x-amz-bucket-region").filter(|_| elsewhere).map(str::to_owned);
    AttemptError { failure: kind.failure(text), action, retry_after, code: code.to_owned(), home }
}

/// No answer, a time-out, an answer that is not S3's, or nothing that could be asked.
fn before_an_answer<E>(error: &SdkError<E, HttpResponse>) -> AttemptError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    // A bucket on one zone takes a session first, and the bucket's name is in no other request.
    if let Some(code) = code_of_session(error) {
        let (kind, action) = sort(&code, 0);
        return AttemptError { code, ..AttemptError::new(kind.failure(causes(error)), action) };
    }
    let Trouble { blame, words } = Trouble::of(error);
    let kind = match blame {
        Blame::Settings => Kind::Misconfigured,
        Blame::Machine => Kind::Lacking,
        Blame::Identity => Kind::Unrecognised,
        Blame::Access => Kind::Denied,
        Blame::NoIdentity | Blame::Way => Kind::Transient,
    };
    let action = match blame {
        // A file of a profile is read once, as long as nobody asks anew.
        Blame::NoIdentity => RetryAction::Credentials,
        Blame::Way => RetryAction::Time,
        Blame::Settings | Blame::Machine | Blame::Identity | Blame::Access => RetryAction::None,
    };
    AttemptError::new(kind.failure(words), action)
}

/// What S3 calls it that no session of a directory bucket is to be had.
fn code_of_session(error: &(dyn Error + 'static)) -> Option<String> {
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
        let text = Box::new(S3Error(text));
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

/// Who must act when S3 answers with this code and status, and what cures it. The codes
/// are those of "Error responses" in the S3 API reference, and what the AWS SDKs take for
/// throttling.
fn sort(code: &str, status: u16) -> (Kind, RetryAction) {
    match (code, status) {
        // Denied by status, but cured by new credentials.
        ("ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired", _) => {
            return (Kind::Transient, RetryAction::Credentials);
        }
        ("InvalidObjectState", _) => return (Kind::Archived, RetryAction::None),
        ("InvalidBucketName" | "KeyTooLongError", _) => {
            return (Kind::Misconfigured, RetryAction::None);
        }
        _ => {}
    }
    match blame_of(code) {
        Some(Blame::Identity | Blame::NoIdentity) => {
            return (Kind::Unrecognised, RetryAction::None);
        }
        Some(Blame::Access) => return (Kind::Denied, RetryAction::None),
        Some(Blame::Settings) => return (Kind::Misconfigured, RetryAction::None),
        Some(Blame::Machine | Blame::Way) | None => {}
    }
    match (code, status) {
        // The object was replaced while it was read: what was had of it is of no use.
        ("PreconditionFailed", _) | (_, 412) => (Kind::Transient, RetryAction::None),
        ("NoSuchKey" | "NoSuchBucket" | "NotFound", _) | (_, 404) => (Kind::Missing, RetryAction::None),
        // The store is none that can do this: the one 5xx that does not pass.
        ("NotImplemented", _) | (_, 501) => (Kind::Refused, RetryAction::None),
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
        ) => (Kind::Transient, RetryAction::Time),
        // Throttling under the names that services and stores have for it.
        (
            "SlowDown" | "SlowDownRead" | "SlowDownWrite" | "Throttling" | "ThrottlingException"
            | "ThrottledException" | "RequestThrottled" | "RequestThrottledException"
            | "RequestLimitExceeded" | "TooManyRequests" | "TooManyRequestsException"
            | "BandwidthLimitExceeded" | "LimitExceededException" | "EC2ThrottledException",
            _,
        )
        | (_, 429 | 503) => (Kind::Transient, RetryAction::Restraint),
        // Success with an error in the body, as when an upload is completed.
        (_, 200..300 | 408 | 425 | 500..600) => (Kind::Transient, RetryAction::Time),
        // An answer without a body has no room for a code: it may well be ExpiredToken.
        ("", 400) => (Kind::Refused, RetryAction::Credentials),
        (_, 401 | 403) => (Kind::Denied, RetryAction::None),
        _ => (Kind::Refused, RetryAction::None),
    }
}

/// What went wrong while the body of an answer arrived.
pub(crate) fn body_error(error: &(dyn Error + 'static)) -> AttemptError {
    AttemptError::passing(causes(error))
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
        use Kind::{Archived, Denied, Misconfigured, Missing, Refused, Transient, Unrecognised};
        use RetryAction::{Credentials, None as Nothing, Restraint, Time};
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
            ("", 400, (Refused, Credentials)),
            ("PreconditionFailed", 412, (Transient, Nothing)),
            ("NoSuchKey", 404, (Missing, Nothing)),
            ("", 404, (Missing, Nothing)),
            ("AccessDenied", 403, (Denied, Nothing)),
            ("NotImplemented", 501, (Refused, Nothing)),
            ("InvalidAccessKeyId", 403, (Unrecognised, Nothing)),
            ("SignatureDoesNotMatch", 403, (Unrecognised, Nothing)),
            ("InvalidToken", 400, (Unrecognised, Nothing)),
            ("InvalidObjectState", 403, (Archived, Nothing)),
            ("NoSuchBucket", 404, (Missing, Nothing)),
            ("NoSuchBucket", 0, (Missing, Nothing)),
            ("AuthorizationHeaderMalformed", 400, (Misconfigured, Nothing)),
            ("KeyTooLongError", 400, (Misconfigured, Nothing)),
            ("InvalidArgument", 400, (Refused, Nothing)),
            ("MethodNotAllowed", 405, (Refused, Nothing)),
            ("AllAccessDisabled", 403, (Denied, Nothing)),
            ("", 401, (Denied, Nothing)),
            ("", 403, (Denied, Nothing)),
        ] {
            assert_eq!(sort(code, status), expected, "{code} {status}");
        }
    }
}

//! Errors of requests to AWS Batch.

use std::error::Error;

use aws_sdk_batch::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_batch::operation::RequestId as _;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::aws;
use crate::aws::{Blame, Misconfigured, Trouble, blame_of};

/// The kinds of [`BatchError`], one for each remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchErrorKind {
    /// The request is invalid, or names something that does not exist.
    InvalidRequest,
    /// An AWS variable or profile setting is wrong.
    Misconfigured,
    /// The machine lacks something that the settings refer to.
    Machine,
    /// AWS does not accept the credentials.
    InvalidCredentials,
    /// The credentials do not permit the request.
    AccessDenied,
    /// There are no credentials at the moment.
    NoCredentials,
    /// There were too many requests. Batch did nothing.
    Throttled,
    /// A network or service failure that a retry may resolve.
    Transient,
    /// Batch may or may not have carried out the request.
    OutcomeUnknown,
}

/// A request to AWS Batch that failed.
#[derive(Debug, thiserror::Error)]
#[error("AWS Batch cannot {operation}: {message}")]
pub struct BatchError {
    /// The operation as an infinitive: `submit the job demo`.
    operation: String,
    kind: BatchErrorKind,
    message: String,
}

impl BatchError {
    /// The error of a missing region.
    pub(super) fn no_region() -> Self {
        let message = "no region is set; set AWS_REGION, or the region of your profile";
        Self::connect(message.to_owned())
    }

    /// The error of an invalid setting.
    pub(super) fn misconfigured(error: &Misconfigured) -> Self {
        Self::connect(error.to_string())
    }

    fn connect(message: String) -> Self {
        let operation = "be reached".to_owned();
        Self { operation, kind: BatchErrorKind::Misconfigured, message }
    }

    /// The error of a request without a usable response.
    pub(super) fn transient(operation: String, message: &str) -> Self {
        Self { operation, kind: BatchErrorKind::Transient, message: message.to_owned() }
    }

    /// Converts an error of the SDK.
    #[expect(clippy::needless_pass_by_value, reason = "map_err passes it by value")]
    pub(super) fn new<E>(operation: String, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let SdkError::ServiceError(service) = &error else {
            let Trouble { blame, message } = Trouble::of(&error);
            return Self { operation, kind: blame.into(), message };
        };
        let code = service.err().code().unwrap_or_default();
        let details = [
            status.map(|status| format!("HTTP {status}")),
            error.request_id().map(|id| format!("request id {id}")),
        ];
        let details = details.into_iter().flatten();
        let message = aws::refusal("AWS Batch", code, service.err().message(), details);
        Self { operation, kind: classify(status.unwrap_or_default(), code), message }
    }

    /// Marks the outcome of the request as unknown: it must not be repeated blindly.
    pub(super) fn with_unknown_outcome(self) -> Self {
        Self { kind: BatchErrorKind::OutcomeUnknown, ..self }
    }

    /// Returns the kind of the error.
    pub fn kind(&self) -> BatchErrorKind {
        self.kind
    }
}

impl From<Blame> for BatchErrorKind {
    fn from(blame: Blame) -> Self {
        match blame {
            Blame::Settings => Self::Misconfigured,
            Blame::Machine => Self::Machine,
            Blame::Credentials => Self::InvalidCredentials,
            Blame::Access => Self::AccessDenied,
            Blame::NoCredentials => Self::NoCredentials,
            Blame::Network => Self::Transient,
        }
    }
}

/// Maps an HTTP status and an error code to a kind ("Common errors" in the AWS Batch API
/// reference).
fn classify(status: u16, code: &str) -> BatchErrorKind {
    if let Some(blame) = blame_of(code) {
        return blame.into();
    }
    match (status, code) {
        (_, "ThrottlingException" | "TooManyRequestsException") | (429, _) => {
            BatchErrorKind::Throttled
        }
        (500..600, _) => BatchErrorKind::Transient,
        (401 | 403, _) => BatchErrorKind::AccessDenied,
        _ => BatchErrorKind::InvalidRequest,
    }
}

#[cfg(test)]
mod tests {
    use super::BatchErrorKind::{
        AccessDenied, InvalidCredentials, InvalidRequest, Throttled, Transient,
    };
    use super::*;

    #[test]
    fn error_codes_of_batch_are_classified() {
        for (status, code, expected) in [
            (400, "ClientException", InvalidRequest),
            (404, "", InvalidRequest),
            (403, "AccessDeniedException", AccessDenied),
            (403, "UnrecognizedClientException", InvalidCredentials),
            (403, "ExpiredTokenException", InvalidCredentials),
            (400, "ThrottlingException", Throttled),
            (429, "TooManyRequestsException", Throttled),
            (500, "ServerException", Transient),
            (503, "", Transient),
        ] {
            assert_eq!(classify(status, code), expected, "{status} {code}");
        }
    }
}

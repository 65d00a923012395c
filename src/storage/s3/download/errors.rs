//! The errors of responses that are not what was asked for.

use std::error::Error;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::storage::Failure;
use crate::storage::s3::requests::classify::{AttemptError, attempt_error};

/// Classifies an error of a request for one version of an object.
pub(super) fn version_error<E>(error: SdkError<E, HttpResponse>) -> AttemptError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    if error.raw_response().is_some_and(|response| response.status().as_u16() == 412) {
        let text = "it was replaced by another version while it was being read";
        return Failure::Transient(text.into()).into();
    }
    attempt_error(error)
}

/// The error for a body that is shorter than its `Content-Length`.
pub(super) fn truncated(length: u64, expected: u64) -> AttemptError {
    AttemptError::transient(format!("the body ended after {length} of {expected} bytes"))
}

/// The error for a response of another length than the requested range, both ends of which are
/// included. A store without support for ranges sends the whole object.
pub(super) fn wrong_length((start, end): (u64, u64), total: u64, length: u64) -> AttemptError {
    let text =
        format!("asked for bytes {start} to {end} of {total}, but the store sent {length} bytes");
    Failure::Refused(text.into()).into()
}

//! Why AWS Batch did not do what was asked of it.

use std::error::Error;
use std::fmt;

use aws_sdk_batch::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_batch::operation::RequestId as _;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::aws;
use crate::aws::{Blame, Misconfigured, Trouble, blame_of};

/// Who must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Whoever wrote the request: it names what is not there, or cannot be.
    Request,
    /// The one who set the variables or the profile.
    Settings,
    /// The one who set up this machine.
    Machine,
    /// The one who gave us the credentials: they are not accepted.
    Identity,
    /// Whoever gives rights.
    Access,
    /// Nobody: there are no credentials at the moment.
    NoIdentity,
    /// Nobody: there was too much at once, and nothing was done.
    Throttled,
    /// Nobody: it may pass by itself.
    ForNow,
    /// Whoever can see whether it was done all the same.
    Unknown,
}

/// What was asked of Batch and not done.
#[derive(Debug)]
pub struct BatchError {
    doing: String,
    refused: Refused,
    words: String,
}

impl BatchError {
    /// Nobody knows which region's Batch is meant.
    pub(super) fn no_region() -> Self {
        Self {
            doing: "be asked".to_owned(),
            refused: Refused::Settings,
            words: "no region is set; name one with AWS_REGION, or in your profile".to_owned(),
        }
    }

    /// A setting for Batch makes no sense.
    pub(super) fn misconfigured(error: &Misconfigured) -> Self {
        Self { doing: "be asked".to_owned(), refused: Refused::Settings, words: error.to_string() }
    }

    /// An answer that is none.
    pub(super) fn no_sense(doing: String, words: &str) -> Self {
        Self { doing, refused: Refused::ForNow, words: words.to_owned() }
    }

    /// What the SDK reports.
    #[expect(clippy::needless_pass_by_value, reason = "what map_err hands over")]
    pub(super) fn of<E>(doing: String, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let SdkError::ServiceError(service) = &error else {
            let Trouble { blame, words } = Trouble::of(&error);
            return Self { doing, refused: blame.into(), words };
        };
        let code = service.err().code().unwrap_or_default();
        let details = [
            status.map(|status| format!("HTTP {status}")),
            error.request_id().map(|id| format!("request id {id}")),
        ];
        let details = details.into_iter().flatten();
        let words = aws::refusal("AWS Batch", code, service.err().message(), details);
        Self { doing, refused: sort(status.unwrap_or_default(), code), words }
    }

    /// The same, where doing it once more would not be the same.
    pub(super) fn of_unknown_end(self) -> Self {
        Self { refused: Refused::Unknown, ..self }
    }

    /// Who must act.
    pub fn refused(&self) -> Refused {
        self.refused
    }
}

impl From<Blame> for Refused {
    fn from(blame: Blame) -> Self {
        match blame {
            Blame::Settings => Self::Settings,
            Blame::Machine => Self::Machine,
            Blame::Identity => Self::Identity,
            Blame::Access => Self::Access,
            Blame::NoIdentity => Self::NoIdentity,
            Blame::Way => Self::ForNow,
        }
    }
}

/// "Common errors" in the AWS Batch API reference.
fn sort(status: u16, code: &str) -> Refused {
    if let Some(blame) = blame_of(code) {
        return blame.into();
    }
    match (status, code) {
        (_, "ThrottlingException" | "TooManyRequestsException") | (429, _) => Refused::Throttled,
        (500..600, _) => Refused::ForNow,
        (401 | 403, _) => Refused::Access,
        _ => Refused::Request,
    }
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AWS Batch cannot {}: {}", self.doing, self.words)
    }
}

impl Error for BatchError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_batch_answers_says_who_must_act() {
        for (status, code, expected) in [
            (400, "ClientException", Refused::Request),
            (404, "", Refused::Request),
            (403, "AccessDeniedException", Refused::Access),
            (403, "UnrecognizedClientException", Refused::Identity),
            (403, "ExpiredTokenException", Refused::Identity),
            (400, "ThrottlingException", Refused::Throttled),
            (429, "TooManyRequestsException", Refused::Throttled),
            (500, "ServerException", Refused::ForNow),
            (503, "", Refused::ForNow),
        ] {
            assert_eq!(sort(status, code), expected, "{status} {code}");
        }
    }
}

//! Errors of requests to CloudWatch Logs.

use serde::Deserialize;

use crate::aws;
use crate::aws::{Blame, Misconfigured, Trouble, blame_of};
use crate::http::{Answer, NoAnswer};

/// The kinds of [`LogsError`], one for each remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogsErrorKind {
    /// There is no such log group or log stream.
    Missing,
    /// The request is invalid.
    InvalidRequest,
    /// Somebody must act, or nobody can.
    Trouble(Blame),
}

/// A request to CloudWatch Logs that failed.
#[derive(Debug, thiserror::Error)]
#[error("CloudWatch Logs cannot {operation}: {message}")]
pub struct LogsError {
    /// The operation as an infinitive: `read the log stream x`.
    operation: String,
    kind: LogsErrorKind,
    message: String,
}

impl LogsError {
    /// Returns the kind of the error.
    pub fn kind(&self) -> LogsErrorKind {
        self.kind
    }

    /// Whether the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, LogsErrorKind::Trouble(Blame::Network | Blame::NoCredentials))
    }

    pub(super) fn no_region() -> Self {
        let message = "no region is set; set AWS_REGION, or the region of your profile";
        Self::connect(message.to_owned())
    }

    pub(super) fn misconfigured(error: &Misconfigured) -> Self {
        Self::connect(error.to_string())
    }

    fn connect(message: String) -> Self {
        let kind = LogsErrorKind::Trouble(Blame::Settings);
        Self { operation: "be reached".to_owned(), kind, message }
    }

    pub(super) fn no_credentials(operation: String, message: String) -> Self {
        Self { operation, kind: LogsErrorKind::Trouble(Blame::NoCredentials), message }
    }

    pub(super) fn invalid(operation: String, message: String) -> Self {
        Self { operation, kind: LogsErrorKind::InvalidRequest, message }
    }

    pub(super) fn no_answer(operation: String, error: &NoAnswer) -> Self {
        let Trouble { blame, message } = Trouble::of(error);
        Self { operation, kind: LogsErrorKind::Trouble(blame), message }
    }

    /// The error of a response that is none of success.
    pub(super) fn refused(operation: String, answer: &Answer) -> Self {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Body {
            #[serde(rename = "__type")]
            code: String,
            #[serde(alias = "Message")]
            message: Option<String>,
        }

        let body: Body = serde_json::from_slice(&answer.body).unwrap_or_default();
        // `com.amazonaws.logs#ResourceNotFoundException`.
        let code = body.code.rsplit('#').next().unwrap_or_default();
        let status = Some(format!("HTTP {}", answer.status));
        let message = aws::refusal("CloudWatch Logs", code, body.message.as_deref(), status);
        Self { operation, kind: classify(answer.status, code), message }
    }
}

/// Maps an HTTP status and an error code to a kind ("Common errors" in the CloudWatch Logs API
/// reference).
fn classify(status: u16, code: &str) -> LogsErrorKind {
    if let Some(blame) = blame_of(code) {
        return LogsErrorKind::Trouble(blame);
    }
    match (status, code) {
        (_, "ResourceNotFoundException") => LogsErrorKind::Missing,
        (_, "ThrottlingException" | "ServiceUnavailableException") | (429 | 500..600, _) => {
            LogsErrorKind::Trouble(Blame::Network)
        }
        (401 | 403, _) => LogsErrorKind::Trouble(Blame::Access),
        _ => LogsErrorKind::InvalidRequest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_codes_of_cloudwatch_are_classified() {
        for (status, code, expected) in [
            (400, "ResourceNotFoundException", LogsErrorKind::Missing),
            (400, "AccessDeniedException", LogsErrorKind::Trouble(Blame::Access)),
            (400, "UnrecognizedClientException", LogsErrorKind::Trouble(Blame::Credentials)),
            (400, "ThrottlingException", LogsErrorKind::Trouble(Blame::Network)),
            (500, "", LogsErrorKind::Trouble(Blame::Network)),
            (400, "InvalidParameterException", LogsErrorKind::InvalidRequest),
        ] {
            assert_eq!(classify(status, code), expected, "{status} {code}");
        }
    }

    #[test]
    fn the_message_has_what_the_service_says() {
        let body = br#"{"__type":"a.b#ResourceNotFoundException","message":"no such stream"}"#;
        let answer = Answer { status: 400, body: body.to_vec() };
        let error = LogsError::refused("read the log stream x".to_owned(), &answer);
        assert_eq!(
            error.to_string(),
            "CloudWatch Logs cannot read the log stream x: ResourceNotFoundException: no such \
             stream (HTTP 400)"
        );
        let answer = Answer { status: 502, body: b"<html>".to_vec() };
        assert!(LogsError::refused(String::new(), &answer).is_transient());
    }
}

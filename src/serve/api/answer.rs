//! Answers: JSON, and problems as JSON.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

use crate::serve::problem::{Problem, ProblemKind};

/// The answer to a request.
pub type Answer<T = Response> = Result<T, Problem>;

/// An answer in JSON.
pub fn json(status: StatusCode, value: &impl Serialize) -> Response {
    // What the server serializes has text as keys, so that this does not fail.
    let body = serde_json::to_vec(value).unwrap_or_default();
    let kind = HeaderValue::from_static("application/json");
    (status, [(header::CONTENT_TYPE, kind)], body).into_response()
}

impl Problem {
    fn status(&self) -> StatusCode {
        match self.kind {
            ProblemKind::Invalid => StatusCode::BAD_REQUEST,
            ProblemKind::NotFound => StatusCode::NOT_FOUND,
            ProblemKind::Denied => StatusCode::FORBIDDEN,
            ProblemKind::Conflict => StatusCode::CONFLICT,
            ProblemKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ProblemKind::Unsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ProblemKind::Unusable => StatusCode::UNPROCESSABLE_ENTITY,
            ProblemKind::NoSpace => StatusCode::INSUFFICIENT_STORAGE,
            ProblemKind::Slow => StatusCode::REQUEST_TIMEOUT,
            ProblemKind::Elsewhere => StatusCode::BAD_GATEWAY,
            ProblemKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        if self.kind == ProblemKind::Internal {
            tracing::error!("{}", self.message);
        }
        json(status, &json!({"error": self.message, "picture": self.picture}))
    }
}

//! What all uploads share.

use std::path::PathBuf;
use std::time::SystemTime;

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::answer::Answer;
use super::body::Arriving;
use crate::serve::store::incoming::{Incoming, Partial};
use crate::serve::store::time::time_of;

/// Receives a file, which has no name of its own yet.
///
/// # Errors
/// If it is too large, does not fit, or breaks off.
pub async fn receive(arriving: &mut Arriving, folder: PathBuf, limit: u64) -> Answer<Partial> {
    let mut incoming = Incoming::start(folder, limit, arriving.declared()).await?;
    while let Some(bytes) = arriving.next().await? {
        incoming.write(&bytes).await?;
    }
    incoming.finish().await
}

/// The answer, after what a refused upload still sends was read.
pub async fn drained(arriving: Arriving, answer: Answer) -> Answer {
    if answer.is_err() {
        arriving.drain().await;
    }
    answer
}

/// The answer to an upload.
pub fn stored(is_new: bool) -> Response {
    if is_new { StatusCode::CREATED } else { StatusCode::NO_CONTENT }.into_response()
}

/// The time of the last change of a picture, as its user's machine knows it.
pub fn modified(query: Option<&str>) -> Option<SystemTime> {
    let mut pairs = query?.split('&');
    time_of(pairs.find_map(|pair| pair.strip_prefix("modified="))?.parse().ok()?)
}

//! What all uploads share.

use std::path::PathBuf;
use std::time::SystemTime;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::answer::Answer;
use super::body::Arriving;
use super::query;
use crate::serve::blocking::blocking;
use crate::serve::store::incoming::{Incoming, Partial};
use crate::serve::store::time::time_of;

/// Where an upload goes.
pub struct Target<F> {
    /// The folder in which it is received.
    pub folder: PathBuf,
    /// The most that it may have, in bytes.
    pub limit: u64,
    /// What becomes of the file once it is whole. It may wait for the disk.
    pub keep: F,
}

/// Receives the body of a request as a file. If it is refused, a part of what is left of it is read, so
/// that a browser gets to read why.
///
/// # Errors
/// Those of `target` and of its `keep`, and if the file is too large, does not fit, or breaks off.
pub async fn receive<F>(
    body: Body,
    headers: &HeaderMap,
    target: impl FnOnce() -> Answer<Target<F>>,
) -> Answer
where
    F: FnOnce(Partial) -> Answer + Send + 'static,
{
    let mut arriving = Arriving::new(body, headers);
    let received = async {
        let Target { folder, limit, keep } = target()?;
        let mut incoming = Incoming::start(folder, limit, arriving.declared()).await?;
        while let Some(bytes) = arriving.next().await? {
            incoming.write(&bytes).await?;
        }
        let partial = incoming.finish().await?;
        blocking(move || keep(partial)).await
    };
    let received = received.await;
    if received.is_err() {
        arriving.drain().await;
    }
    received
}

/// The answer to an upload.
pub fn stored(is_new: bool) -> Response {
    if is_new { StatusCode::CREATED } else { StatusCode::NO_CONTENT }.into_response()
}

/// The time of the last change of a picture, as its user's machine knows it.
pub fn modified(query: Option<&str>) -> Option<SystemTime> {
    time_of(query::value(query, "modified")?.parse().ok()?)
}

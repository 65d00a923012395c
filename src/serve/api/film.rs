//! A finished video as an answer.

use std::path::Path;

use axum::http::HeaderMap;

use super::answer::Answer;
use super::files::{self, Disposition};
use super::query;
use crate::serve::problem::Problem;
use crate::serve::store::stored_file::StoredFile;

/// Whether the browser stores the video, as `download` asks for, or plays it.
pub fn disposition(query: Option<&str>) -> Disposition {
    if query::has(query, "download") { Disposition::Attachment } else { Disposition::Inline }
}

/// Sends a finished video of a folder: for the player, or to be stored if the query has `download`.
///
/// # Errors
/// If there is none.
pub async fn send(
    folder: &Path,
    made: Option<StoredFile>,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Answer {
    let made = made.ok_or_else(|| Problem::not_found("finished video"))?;
    let disposition = disposition(query);
    let kind = files::video_kind(&made.name);
    files::send(folder.join(&made.name), &made.name, kind, disposition, headers).await
}

//! The log of an item as an answer.

use axum::http::HeaderMap;

use super::answer::Answer;
use super::files::{self, Disposition};
use crate::serve::store::item::Kind;
use crate::serve::store::making::LOG;

/// Sends the log of the last run of an item.
///
/// # Errors
/// If there is none.
pub async fn send<K: Kind>(item: &K, headers: &HeaderMap) -> Answer {
    let path = item.item().folder().join(LOG);
    files::send(path, LOG, "text/plain; charset=utf-8", Disposition::Inline, headers).await
}

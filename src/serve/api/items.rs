//! What the server does alike for videos and renders: stop, remove, news, log.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;

use super::answer::{Answer, json};
use super::app::{App, Worked};
use super::events;
use super::files::{self, Disposition};
use crate::serve::blocking::blocking;
use crate::serve::problem::{Problem, ProblemKind};
use crate::serve::store::making::LOG;

/// `POST …/{id}/stop`
pub async fn stop<K: Worked>(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    let item = app.find::<K>(&id)?;
    blocking(move || {
        let cannot = |error| Problem::io(format_args!("stop the {}", K::NOUN), &error);
        K::queue(&app).remove(&item).map_err(cannot)?;
        Ok(json(StatusCode::ACCEPTED, &item.item().making()))
    })
    .await
}

/// `DELETE …/{id}`
pub async fn remove<K: Worked>(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    let item = app.find::<K>(&id)?;
    if item.item().making().is_pending() {
        let message = format!("the {} is being made; stop it first", K::NOUN);
        return Err(Problem::new(ProblemKind::Conflict, message));
    }
    blocking(move || {
        let cannot = |error| Problem::io(format_args!("remove the {}", K::NOUN), &error);
        K::shelf(&app).remove(&item).map_err(cannot)?;
        Ok(StatusCode::NO_CONTENT.into_response())
    })
    .await
}

/// `GET …/{id}/events`
pub async fn events<K: Worked>(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    Ok(events::of(app.find::<K>(&id)?))
}

/// `GET …/{id}/log`
pub async fn log<K: Worked>(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let path = app.find::<K>(&id)?.item().folder().join(LOG);
    files::send(path, LOG, "text/plain; charset=utf-8", Disposition::Inline, &headers).await
}

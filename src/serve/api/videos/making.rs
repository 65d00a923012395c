//! Making the video: start, stop, watch, take it.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};

use crate::serve::api::answer::{Answer, json};
use crate::serve::api::app::App;
use crate::serve::api::film;
use crate::serve::blocking::blocking;
use crate::serve::problem::{Problem, ProblemKind};
use crate::serve::store::item::Kind as _;

/// `POST /api/videos/{id}/make`
pub async fn start(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    let video = app.video(&id)?;
    if video.picture_count() == 0 {
        let message = "there are no pictures yet; add some first";
        return Err(Problem::new(ProblemKind::Conflict, message));
    }
    blocking(move || {
        app.videos.add(&video, |_| {}).map_err(|error| Problem::io("start the video", &error))?;
        Ok(json(StatusCode::ACCEPTED, &video.item().making()))
    })
    .await
}

/// `GET /api/videos/{id}/video`, with `?download` to store it
pub async fn video(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let video = app.video(&id)?;
    let (folder, made) = blocking(move || {
        let made = video.made().map_err(|error| Problem::io("read the video", &error))?;
        Ok((video.made_folder(), made))
    })
    .await?;
    film::send(&folder, made, query.as_deref(), &headers).await
}

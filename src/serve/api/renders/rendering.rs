//! Rendering: look into the scene, start, stop, watch, take the video.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::MAX_REQUEST;
use crate::serve::api::answer::{Answer, json};
use crate::serve::api::app::App;
use crate::serve::api::files::{self, Disposition};
use crate::serve::api::{body, film, query};
use crate::serve::blocking::blocking;
use crate::serve::problem::{Problem, ProblemKind};
use crate::serve::store::item::Kind as _;
use crate::serve::store::render::Render;

/// How to render.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Start {
    /// Whether only a quick look is wanted.
    preview: bool,
}

/// `POST /api/renders/{id}/inspect`
pub async fn inspect(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    let render = app.render(&id)?;
    blocking(move || {
        let cannot = |error| Problem::io("read the files of the scene", &error);
        let project = render.project().map_err(cannot)?;
        let of = render.inspected(&project).ok_or_else(no_scene)?;
        app.inspector.begin(&render, of);
        Ok(json(StatusCode::ACCEPTED, &render.inspection(&project)))
    })
    .await
}

/// `POST /api/renders/{id}/start`
pub async fn start(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let render = app.render(&id)?;
    let Start { preview } = body::json(body, &headers, MAX_REQUEST).await?;
    blocking(move || {
        let cannot = |error| Problem::io("start the render", &error);
        let project = render.project().map_err(cannot)?;
        render.main(&project).ok_or_else(no_scene)?;
        app.renders.add(&render, |choices| choices.is_preview = preview).map_err(cannot)?;
        Ok(json(StatusCode::ACCEPTED, &render.item().making()))
    })
    .await
}

/// `GET /api/renders/{id}/video`, with `?download` to store it, and `?preview` for that of the quick
/// look
pub async fn video(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let render = app.render(&id)?;
    let is_preview = query::has(query.as_deref(), "preview");
    let (folder, video) = blocking(move || {
        let folder = if is_preview { render.preview_folder() } else { render.output_folder() };
        let video =
            Render::video(&folder).map_err(|error| Problem::io("read the video", &error))?;
        Ok((folder, video))
    })
    .await?;
    film::send(&folder, video, query.as_deref(), &headers).await
}

/// `GET /api/renders/{id}/cover`
pub async fn cover(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let render = app.render(&id)?;
    let cover =
        blocking(move || render.cover().ok_or_else(|| Problem::not_found("picture"))).await?;
    files::send(cover, "cover.jpg", "image/jpeg", Disposition::Inline, &headers).await
}

fn no_scene() -> Problem {
    let message = "there is no scene file yet, or there are several; add one, or choose one";
    Problem::new(ProblemKind::Conflict, message)
}

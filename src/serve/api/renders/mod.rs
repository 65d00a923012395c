//! Renders: list, create, show, change, remove.

pub mod rendering;
pub mod scene;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};

use crate::serve::api::answer::{Answer, json};
use crate::serve::api::app::App;
use crate::serve::api::body;
use crate::serve::blocking::blocking;
use crate::serve::problem::Problem;
use crate::serve::store::incoming::MAX_ARCHIVE;
use crate::serve::store::item::{Document, Kind as _};
use crate::serve::store::making::Making;
use crate::serve::store::names::ScenePath;
use crate::serve::store::render::document::{RenderChoices, RenderSettings};
use crate::serve::store::render::inspection::Inspection;
use crate::serve::store::render::{Project, Render};
use crate::serve::store::stored_file::StoredFile;

/// The largest request in bytes.
const MAX_REQUEST: usize = 64 << 10;

/// What the page shows of each render in the list.
#[derive(Serialize)]
struct Summary {
    id: String,
    name: String,
    created: u64,
    making: Making,
    /// Whether the making is that of the quick look.
    is_preview: bool,
    /// Whether there is a picture of it.
    has_cover: bool,
}

/// A render as the page shows it.
#[derive(Serialize)]
struct Shown {
    id: String,
    revision: u64,
    name: String,
    created: u64,
    /// The scene file to render; `None` if there are several and none is chosen.
    main: Option<String>,
    project: Project,
    inspection: Inspection,
    settings: RenderSettings,
    making: Making,
    /// Whether the making is that of the quick look.
    is_preview: bool,
    video: Option<StoredFile>,
    preview_video: Option<StoredFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    #[serde(default)]
    name: String,
}

/// What a request changes of a render.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    name: Option<String>,
    main: Option<String>,
    settings: Option<RenderSettings>,
}

/// `GET /api/renders`
pub async fn list(State(app): State<Arc<App>>) -> Answer {
    let summary = |render: Arc<Render>| {
        let Document { name, created, choices, .. } = render.item().document();
        Summary {
            id: render.item().id.to_string(),
            name,
            created,
            making: render.item().making(),
            is_preview: choices.is_preview,
            has_cover: render.cover().is_some(),
        }
    };
    let renders =
        blocking(move || Ok(app.data.renders.all().into_iter().map(summary).collect::<Vec<_>>()));
    let renders = renders.await?;
    let limits = serde_json::json!({"scene_bytes": MAX_ARCHIVE});
    Ok(json(StatusCode::OK, &serde_json::json!({"renders": renders, "limits": limits})))
}

/// `POST /api/renders`
pub async fn create(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Answer {
    let New { name } = body::json(body, &headers, MAX_REQUEST).await?;
    blocking(move || {
        let cannot = |error| Problem::io("create the render", &error);
        let render = app.data.renders.create(&name).map_err(cannot)?;
        shown(&render, StatusCode::CREATED)
    })
    .await
}

/// `GET /api/renders/{id}`
pub async fn show(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    let render = app.render(&id)?;
    blocking(move || shown(&render, StatusCode::OK)).await
}

/// `PATCH /api/renders/{id}`
pub async fn change(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let render = app.render(&id)?;
    let Change { name, main, settings } = body::json(body, &headers, MAX_REQUEST).await?;
    if let Some(settings) = &settings {
        settings.check()?;
    }
    let main = main.map(|path| ScenePath::new(&path)).transpose()?;
    blocking(move || {
        let changed = render.item().change(|document| {
            if let Some(name) = name {
                document.rename(&name);
            }
            let choices = &mut document.choices;
            if let Some(main) = main {
                choices.main = Some(main.to_string());
            }
            choices.settings = settings.unwrap_or_else(|| choices.settings.clone());
        });
        changed.map_err(|error| Problem::io("change the render", &error))?;
        shown(&render, StatusCode::OK)
    })
    .await
}

/// A render as the page shows it.
fn shown(render: &Render, status: StatusCode) -> Answer<Response> {
    let cannot = |error| Problem::io("read the render", &error);
    // Before everything else: what changes meanwhile has a higher one.
    let revision = render.item().revision();
    let Document { name, created, choices, .. } = render.item().document();
    let RenderChoices { is_preview, settings, .. } = choices;
    let project = render.project().map_err(cannot)?;
    let shown = Shown {
        id: render.item().id.to_string(),
        revision,
        name,
        created,
        main: render.main(&project).map(|file| file.name),
        inspection: render.inspection(&project),
        project,
        settings,
        making: render.item().making(),
        is_preview,
        video: Render::video(&render.output_folder()).map_err(cannot)?,
        preview_video: Render::video(&render.preview_folder()).map_err(cannot)?,
    };
    Ok(json(status, &shown))
}

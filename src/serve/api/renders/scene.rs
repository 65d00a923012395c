//! The files of a scene: upload them one by one, or as an archive.

use std::fs::{self, File};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::json;

use crate::serve::api::answer::{self, Answer};
use crate::serve::api::app::App;
use crate::serve::api::upload::{self, Target};
use crate::serve::problem::Problem;
use crate::serve::store::archive::{Upload, Wanted};
use crate::serve::store::incoming::{MAX_ARCHIVE, Partial, check_space};
use crate::serve::store::item::Kind as _;
use crate::serve::store::names::ScenePath;
use crate::serve::store::render::Render;

/// `PUT /api/renders/{id}/scene/{path}?modified=MILLISECONDS`
pub async fn upload_file(
    State(app): State<Arc<App>>,
    Path((id, path)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    upload::receive(body, &headers, || {
        let (render, path) = (app.render(&id)?, ScenePath::new(&path)?);
        let folder = path.folder(&render.scene_folder());
        let cannot = |error| Problem::io("store the file", &error);
        fs::create_dir_all(&folder).map_err(cannot)?;
        let modified = upload::modified(query.as_deref());
        let keep = move |partial: Partial| {
            let is_new = partial.keep(path.name(), modified)?;
            render.item().content_changed();
            Ok(upload::stored(is_new))
        };
        Ok(Target { folder, limit: MAX_ARCHIVE, keep })
    })
    .await
}

/// `PUT /api/renders/{id}/archive`
pub async fn upload_archive(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    upload::receive(body, &headers, || {
        let render = app.render(&id)?;
        let folder = render.item().folder().to_owned();
        let keep = move |partial: Partial| unpack(&render, &partial);
        Ok(Target { folder, limit: MAX_ARCHIVE, keep })
    })
    .await
}

fn unpack(render: &Render, partial: &Partial) -> Answer {
    let cannot = |error| Problem::io("read the archive", &error);
    let file = File::open(partial.path()).map_err(cannot)?;
    let archive = Upload::open(file, Wanted::Project)?;
    check_space(render.item().folder(), archive.size)?;
    archive.unpack(&render.scene_folder(), |_, _| {})?;
    render.item().content_changed();
    Ok(answer::json(StatusCode::CREATED, &json!({"files": archive.count()})))
}

//! Videos: list, create, show, change, remove.

pub mod making;
pub mod pictures;

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
use crate::serve::store::incoming::{MAX_ARCHIVE, MAX_PICTURE, MAX_PICTURES, MAX_SOUND};
use crate::serve::store::input;
use crate::serve::store::item::{Document, Kind as _};
use crate::serve::store::making::Making;
use crate::serve::store::names::FileName;
use crate::serve::store::stored_file::StoredFile;
use crate::serve::store::video::Video;
use crate::serve::store::video::document::{Order, Settings, VideoChoices};

/// The largest request in bytes: an order of the most pictures.
const MAX_REQUEST: usize = 32 << 20;

/// What the page shows of each video in the list.
#[derive(Serialize)]
struct Summary {
    id: String,
    name: String,
    created: u64,
    pictures: usize,
    making: Making,
    /// The first picture.
    cover: Option<StoredFile>,
}

/// A video as the page shows it.
#[derive(Serialize)]
struct Shown {
    id: String,
    revision: u64,
    name: String,
    created: u64,
    order: &'static str,
    settings: Settings,
    sound: Option<StoredFile>,
    pictures: Vec<StoredFile>,
    making: Making,
    video: Option<StoredFile>,
}

/// The limits of uploads, which the page knows before it sends anything.
#[derive(Serialize)]
struct Limits {
    picture_bytes: u64,
    sound_bytes: u64,
    archive_bytes: u64,
    pictures: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    #[serde(default)]
    name: String,
    /// The folder on the server that it takes its pictures from.
    folder: Option<String>,
}

/// What a request changes of a video.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    name: Option<String>,
    order: Option<Order>,
    settings: Option<Settings>,
    /// The names of pictures to remove.
    #[serde(default)]
    remove: Vec<String>,
}

/// `GET /api/videos`
pub async fn list(State(app): State<Arc<App>>) -> Answer {
    let videos = blocking(move || {
        let summary = |video: Arc<Video>| {
            let document = video.item().document();
            let cannot = |error| Problem::io("list the pictures", &error);
            let pictures = video.pictures().map_err(cannot)?;
            Ok::<_, Problem>(Summary {
                id: video.item().id.to_string(),
                name: document.name,
                created: document.created,
                pictures: pictures.len(),
                making: video.item().making(),
                cover: pictures.into_iter().next(),
            })
        };
        // One that is being removed has no pictures any more.
        Ok(app
            .data
            .videos
            .all()
            .into_iter()
            .filter_map(|video| summary(video).ok())
            .collect::<Vec<_>>())
    });
    let limits = Limits {
        picture_bytes: MAX_PICTURE,
        sound_bytes: MAX_SOUND,
        archive_bytes: MAX_ARCHIVE,
        pictures: MAX_PICTURES,
    };
    let videos = videos.await?;
    Ok(json(StatusCode::OK, &serde_json::json!({"videos": videos, "limits": limits})))
}

/// `GET /api/folders`: the folders with pictures that are on the server already
pub async fn folders(State(app): State<Arc<App>>) -> Answer {
    blocking(move || {
        let cannot = |error| Problem::io("read the folder of pictures", &error);
        let folders = app.input.as_deref().map(input::folders).transpose().map_err(cannot)?;
        Ok(json(StatusCode::OK, &serde_json::json!({"folders": folders.unwrap_or_default()})))
    })
    .await
}

/// `POST /api/videos`
pub async fn create(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Answer {
    let New { name, folder } = body::json(body, &headers, MAX_REQUEST).await?;
    blocking(move || {
        let cannot = |error| Problem::io("create the video", &error);
        let video = app.data.videos.create(&name).map_err(cannot)?;
        if let Some(path) = folder {
            let no_input = || Problem::not_found(format!("folder {path}"));
            let taken = app
                .input
                .as_ref()
                .ok_or_else(no_input)
                .and_then(|input| input::take(input, &path, &video));
            if let Err(problem) = taken {
                app.data.videos.remove(&video).map_err(cannot)?;
                return Err(problem);
            }
        }
        shown(&video, StatusCode::CREATED)
    })
    .await
}

/// `GET /api/videos/{id}`
pub async fn show(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    let video = app.video(&id)?;
    blocking(move || shown(&video, StatusCode::OK)).await
}

/// `PATCH /api/videos/{id}`
pub async fn change(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let video = app.video(&id)?;
    let Change { name, order, settings, remove } = body::json(body, &headers, MAX_REQUEST).await?;
    if let Some(settings) = &settings {
        settings.check()?;
    }
    blocking(move || {
        let names = remove.iter().map(|name| FileName::new(name)).collect::<Result<Vec<_>, _>>()?;
        let cannot = |error| Problem::io("change the video", &error);
        if !names.is_empty() {
            video.remove_pictures(&names).map_err(cannot)?;
        }
        let changed = video.item().change(|document| {
            if let Some(name) = name {
                document.rename(&name);
            }
            let choices = &mut document.choices;
            choices.order = order.unwrap_or_else(|| choices.order.clone());
            choices.settings = settings.unwrap_or_else(|| choices.settings.clone());
        });
        changed.map_err(cannot)?;
        shown(&video, StatusCode::OK)
    })
    .await
}

/// A video as the page shows it.
fn shown(video: &Video, status: StatusCode) -> Answer<Response> {
    let cannot = |error| Problem::io("read the video", &error);
    // Before everything else: what changes meanwhile has a higher one.
    let revision = video.item().revision();
    let Document { name, created, choices, .. } = video.item().document();
    let VideoChoices { order, settings } = choices;
    let shown = Shown {
        id: video.item().id.to_string(),
        revision,
        name,
        created,
        order: match order {
            Order::By(key) => key.as_str(),
            Order::Exactly(_) => "own",
        },
        settings,
        sound: video.sound().map_err(cannot)?,
        pictures: video.pictures().map_err(cannot)?,
        making: video.item().making(),
        video: video.made().map_err(cannot)?,
    };
    Ok(json(status, &shown))
}

//! Pictures, sound and archives of a video: upload, show, remove.

use std::fs::File;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse as _;
use serde_json::json;

use crate::request::ImageFormat;
use crate::serve::api::answer::{self, Answer};
use crate::serve::api::app::App;
use crate::serve::api::files::{self, Disposition};
use crate::serve::api::upload::{self, Target};
use crate::serve::blocking::blocking;
use crate::serve::problem::{Problem, ProblemKind};
use crate::serve::store::archive::{Upload, Wanted};
use crate::serve::store::incoming::{
    MAX_ARCHIVE, MAX_PICTURE, MAX_PICTURES, MAX_SOUND, Partial, check_space,
};
use crate::serve::store::item::Kind as _;
use crate::serve::store::names::FileName;
use crate::serve::store::video::Video;

/// `PUT /api/videos/{id}/pictures/{name}?modified=MILLISECONDS`
pub async fn upload_picture(
    State(app): State<Arc<App>>,
    Path((id, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    upload::receive(body, &headers, || {
        let (video, name) = (app.video(&id)?, FileName::of_picture(&name)?);
        check_count(&video, 1)?;
        let (folder, modified) = (video.pictures_folder(), upload::modified(query.as_deref()));
        let keep = move |partial: Partial| {
            let is_new = partial.keep(&name, modified)?;
            video.picture_stored(&name, is_new);
            Ok(upload::stored(is_new))
        };
        Ok(Target { folder, limit: MAX_PICTURE, keep })
    })
    .await
}

/// `PUT /api/videos/{id}/sound/{name}`
pub async fn upload_sound(
    State(app): State<Arc<App>>,
    Path((id, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    upload::receive(body, &headers, || {
        let (video, name) = (app.video(&id)?, FileName::new(&name)?);
        let folder = video.sound_folder();
        let keep = move |partial: Partial| {
            let is_new = partial.keep(&name, None)?;
            let cannot = |error| Problem::io("store the sound", &error);
            video.remove_sound(Some(&name)).map_err(cannot)?;
            Ok(upload::stored(is_new))
        };
        Ok(Target { folder, limit: MAX_SOUND, keep })
    })
    .await
}

/// `PUT /api/videos/{id}/archive`
pub async fn upload_archive(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    upload::receive(body, &headers, || {
        let video = app.video(&id)?;
        let folder = video.item().folder().to_owned();
        let keep = move |partial: Partial| unpack(&video, &partial);
        Ok(Target { folder, limit: MAX_ARCHIVE, keep })
    })
    .await
}

/// `GET /api/videos/{id}/pictures/{name}`
pub async fn show(
    State(app): State<Arc<App>>,
    Path((id, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    let (video, name) = (app.video(&id)?, FileName::of_picture(&name)?);
    let path = video.pictures_folder().join(name.as_str());
    let (kind, disposition) = kind(name.format());
    files::send(path, name.as_str(), kind, disposition, &headers).await
}

/// `GET /api/videos/{id}/pictures/{name}/thumbnail`
///
/// Its address has the time of the picture, so that it can stay in the browser's cache.
pub async fn thumbnail(
    State(app): State<Arc<App>>,
    Path((id, name)): Path<(String, String)>,
) -> Answer {
    let (video, name) = (app.video(&id)?, FileName::of_picture(&name)?);
    let thumbnail = app.thumbnails.of(video, name).await?;
    let headers = [
        (header::CONTENT_TYPE, "image/jpeg"),
        (header::CACHE_CONTROL, "private, max-age=31536000, immutable"),
    ];
    Ok((headers, thumbnail).into_response())
}

/// `DELETE /api/videos/{id}/pictures/{name}`
pub async fn remove(
    State(app): State<Arc<App>>,
    Path((id, name)): Path<(String, String)>,
) -> Answer {
    let (video, name) = (app.video(&id)?, FileName::of_picture(&name)?);
    blocking(move || {
        video.picture(&name).map_err(|_| Problem::not_found(format!("picture {name}"))).and_then(
            |_| {
                let cannot = |error| Problem::io("remove the picture", &error);
                video.remove_pictures(&[name]).map_err(cannot)
            },
        )?;
        Ok(StatusCode::NO_CONTENT.into_response())
    })
    .await
}

/// `DELETE /api/videos/{id}/sound`
pub async fn remove_sound(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    let video = app.video(&id)?;
    blocking(move || {
        video.remove_sound(None).map_err(|error| Problem::io("remove the sound", &error))?;
        Ok(StatusCode::NO_CONTENT.into_response())
    })
    .await
}

fn unpack(video: &Video, partial: &Partial) -> Answer {
    let cannot = |error| Problem::io("read the archive", &error);
    let file = File::open(partial.path()).map_err(cannot)?;
    let archive = Upload::open(file, Wanted::Pictures)?;
    check_count(video, archive.count())?;
    check_space(video.item().folder(), archive.size)?;
    archive.unpack(&video.pictures_folder(), |name, is_new| video.picture_stored(name, is_new))?;
    let (count, others) = (archive.count(), archive.others);
    Ok(answer::json(StatusCode::CREATED, &json!({"pictures": count, "left_out": others})))
}

fn check_count(video: &Video, more: usize) -> Answer<()> {
    if video.picture_count() + more <= MAX_PICTURES {
        return Ok(());
    }
    let message = format!("a video has at most {MAX_PICTURES} pictures; make several videos");
    Err(Problem::new(ProblemKind::TooLarge, message))
}

/// The type of a picture, and whether a browser may show it. What is no image for browsers is stored.
pub fn kind(format: Option<ImageFormat>) -> (&'static str, Disposition) {
    use Disposition::{Attachment, Inline};
    match format {
        Some(ImageFormat::Png) => ("image/png", Inline),
        Some(ImageFormat::Jpeg) => ("image/jpeg", Inline),
        Some(ImageFormat::WebP) => ("image/webp", Inline),
        Some(ImageFormat::Gif) => ("image/gif", Inline),
        Some(ImageFormat::Bmp) => ("image/bmp", Inline),
        Some(ImageFormat::OpenExr | ImageFormat::Tiff | ImageFormat::Tga | ImageFormat::Hdr)
        | None => ("application/octet-stream", Attachment),
    }
}

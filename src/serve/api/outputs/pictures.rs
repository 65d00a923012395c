//! The frames, previews and video of an output.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};

use crate::request::{FRAMES_DIR, ImageFormat};
use crate::serve::api::answer::Answer;
use crate::serve::api::app::App;
use crate::serve::api::files::{Disposition, send_stored, video_kind};
use crate::serve::api::pictures::kind;
use crate::serve::api::{film, query};
use crate::serve::problem::Problem;

/// `GET /api/outputs/{id}/frames/{name}`, with `?download` to store the file as it is
///
/// Without it, a picture that browsers cannot show comes as a JPEG.
pub async fn frame(
    State(app): State<Arc<App>>,
    Path((id, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let output = app.output(&id)?;
    let named = output.frame(&name).await?;
    let stores = query::has(query.as_deref(), "download");
    let is_for_browsers = matches!(
        named.format,
        ImageFormat::Png
            | ImageFormat::Jpeg
            | ImageFormat::WebP
            | ImageFormat::Bmp
            | ImageFormat::Gif
    );
    if stores || is_for_browsers {
        let file = output.file(FRAMES_DIR, &name).await?;
        let (kind, disposition) = kind(Some(named.format));
        let disposition = if stores { Disposition::Attachment } else { disposition };
        return send_stored(&app.storage, file, &name, kind, disposition, &headers).await;
    }
    let modified = named.file.modified;
    let jpeg = output.full(named).await?;
    Ok(picture(jpeg, asked_for(query.as_deref()) == Some(modified)))
}

/// `GET /api/outputs/{id}/previews/{name}?of=VERSION`, with `&before` for the version before
///
/// The name is that of the frame. The address has the version of the picture, so that it can stay in the
/// browser's cache.
pub async fn preview(
    State(app): State<Arc<App>>,
    Path((id, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Answer {
    let output = app.output(&id)?;
    let named = output.frame(&name).await?;
    if query::has(query.as_deref(), "before") {
        let (preview, _) = output.preview_before(named).await?;
        return Ok(picture(preview, false));
    }
    let (preview, version) = output.preview(named).await?;
    Ok(picture(preview, asked_for(query.as_deref()) == Some(version)))
}

/// `GET /api/outputs/{id}/video`, with `?download` to store it
pub async fn video(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let output = app.output(&id)?;
    let snapshot = output.look().await;
    let video = snapshot.state.video.as_ref().ok_or_else(|| Problem::not_found("video"))?;
    let disposition = film::disposition(query.as_deref());
    let file = output.file("", &video.name).await?;
    let kind = video_kind(&video.name);
    send_stored(&app.storage, file, &video.name, kind, disposition, &headers).await
}

/// The version that a query asks for.
fn asked_for(query: Option<&str>) -> Option<u64> {
    query::value(query, "of")?.parse().ok()
}

/// A JPEG, which stays in the browser's cache if its address has its version.
fn picture(jpeg: Vec<u8>, stays: bool) -> Response {
    let cache = if stays { "private, max-age=31536000, immutable" } else { "private, no-cache" };
    ([(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, cache)], jpeg).into_response()
}

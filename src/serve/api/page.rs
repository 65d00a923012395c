//! What the browser gets besides data: the page, its style, its modules, and the description of the
//! API. All of it is in the program.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest as _, Sha256};

use super::answer::Answer;
use crate::hex::hex;
use crate::serve::problem::Problem;

const HTML: &str = "text/html; charset=utf-8";

/// The page. It is the same for every address that is shown in it.
const PAGE: &str = include_str!("../page/index.html");

/// The page that says where the token is.
const SIGN_IN: &str = include_str!("../page/sign-in.html");

/// The description of the API.
const API: &str = include_str!("../page/openapi.json");

/// Files in `page/`, by their paths below it.
macro_rules! files {
    ($($path:literal),* $(,)?) => {
        [$(($path, include_str!(concat!("../page/", $path)))),*]
    };
}

/// The other files of the page: their paths below `/assets/`, and their contents.
const ASSETS: [(&str, &str); 27] = files![
    "style.css",
    "icon.svg",
    "main.js",
    "texts.js",
    "dom.js",
    "api.js",
    "home.js",
    "files.js",
    "item.js",
    "list.js",
    "player.js",
    "watching.js",
    "work.js",
    "video/video.js",
    "video/grid.js",
    "video/drag.js",
    "video/panel.js",
    "render/render.js",
    "render/scene-panel.js",
    "output/output.css",
    "output/outputs.js",
    "output/output.js",
    "output/output-model.js",
    "output/sheet.js",
    "output/chart.js",
    "output/viewer.js",
    "output/attempts.js",
];

/// `GET /`, and the addresses of single videos
pub async fn page(headers: HeaderMap) -> Response {
    text(HTML, PAGE, &headers)
}

/// The answer to a browser that has no token.
pub fn sign_in() -> Response {
    (StatusCode::UNAUTHORIZED, [(header::CONTENT_TYPE, HTML)], SIGN_IN).into_response()
}

/// `GET /openapi.json`
pub async fn api(headers: HeaderMap) -> Response {
    text("application/json", API, &headers)
}

/// `GET /assets/{path}`
pub async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Answer {
    let asset = ASSETS.into_iter().find(|(asset, _)| *asset == path);
    let (_, content) = asset.ok_or_else(|| Problem::not_found(format!("file {path}")))?;
    let kind = match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/javascript; charset=utf-8",
    };
    Ok(text(kind, content, &headers))
}

/// A text that the browser asks for again each time, and gets again if it has changed.
fn text(kind: &'static str, content: &'static str, headers: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", hex(&Sha256::digest(content)));
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = if known.is_some_and(|known| known.contains(&tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, kind)], Body::from(content)).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

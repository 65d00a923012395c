//! What the browser gets besides data: the page, its style, its modules, and the description of the
//! API. All of it is in the program.

use std::sync::LazyLock;

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

/// The style of all pages. One file takes the browser less time than two.
const STYLE: &str =
    concat!(include_str!("../page/style.css"), include_str!("../page/output/output.css"));

/// The style, and files in `page/`, by their paths below it.
macro_rules! assets {
    ($($path:literal),* $(,)?) => {
        [("style.css", STYLE), $(($path, include_str!(concat!("../page/", $path)))),*]
    };
}

/// The other files of the page: their paths below `/assets/`, and their contents.
const ASSETS: [(&str, &str); 26] = assets![
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
    "output/outputs.js",
    "output/output.js",
    "output/output-model.js",
    "output/sheet.js",
    "output/chart.js",
    "output/viewer.js",
    "output/attempts.js",
];

/// The version of the files of the page: a hash of all of them, in hexadecimal digits.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for (path, content) in ASSETS {
        hash.update(path);
        hash.update(content);
    }
    hex(&hash.finalize())[..VERSION_LENGTH].to_owned()
});

const VERSION_LENGTH: usize = 16;

/// `GET /`, and the addresses of single videos
///
/// It asks for its files by their version, so that the browser asks once.
pub async fn page(headers: HeaderMap) -> Response {
    static VERSIONED: LazyLock<String> =
        LazyLock::new(|| PAGE.replace("/assets/", &format!("/assets/{}/", *VERSION)));
    text(HTML, &VERSIONED, &headers)
}

/// The answer to a browser that has no token.
pub fn sign_in() -> Response {
    (StatusCode::UNAUTHORIZED, [(header::CONTENT_TYPE, HTML)], SIGN_IN).into_response()
}

/// `GET /openapi.json`
pub async fn api(headers: HeaderMap) -> Response {
    text("application/json", API, &headers)
}

/// `GET /assets/{path}`, also with a version in front of the path
pub async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Answer {
    let is_version = |first: &str| {
        first.len() == VERSION_LENGTH && first.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let (version, path) = match path.split_once('/') {
        Some((first, rest)) if is_version(first) => (Some(first), rest),
        _ => (None, path.as_str()),
    };
    let asset = ASSETS.into_iter().find(|(asset, _)| *asset == path);
    let (_, content) = asset.ok_or_else(|| Problem::not_found(format!("file {path}")))?;
    let kind = match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/javascript; charset=utf-8",
    };
    let mut response = text(kind, content, &headers);
    // A page of an older version may be open. It gets the files that there are.
    if version == Some(VERSION.as_str()) {
        let forever = HeaderValue::from_static("max-age=31536000, immutable");
        response.headers_mut().insert(header::CACHE_CONTROL, forever);
    }
    Ok(response)
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

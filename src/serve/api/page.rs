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
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The page. It is the same for every address that is shown in it.
const PAGE: &str = include_str!("../page/index.html");

/// The page that says where the token is.
const SIGN_IN: &str = include_str!("../page/sign-in.html");

/// The description of the API.
const API: &str = include_str!("../page/openapi.json");

/// The other files of the page.
const ASSETS: [(&str, &str, &str); 25] = [
    ("style.css", "text/css; charset=utf-8", include_str!("../page/style.css")),
    ("icon.svg", "image/svg+xml", include_str!("../page/icon.svg")),
    ("main.js", SCRIPT, include_str!("../page/main.js")),
    ("texts.js", SCRIPT, include_str!("../page/texts.js")),
    ("dom.js", SCRIPT, include_str!("../page/dom.js")),
    ("api.js", SCRIPT, include_str!("../page/api.js")),
    ("home.js", SCRIPT, include_str!("../page/home.js")),
    ("video.js", SCRIPT, include_str!("../page/video.js")),
    ("grid.js", SCRIPT, include_str!("../page/grid.js")),
    ("drag.js", SCRIPT, include_str!("../page/drag.js")),
    ("files.js", SCRIPT, include_str!("../page/files.js")),
    ("panel.js", SCRIPT, include_str!("../page/panel.js")),
    ("player.js", SCRIPT, include_str!("../page/player.js")),
    ("work.js", SCRIPT, include_str!("../page/work.js")),
    ("render.js", SCRIPT, include_str!("../page/render.js")),
    ("scene-panel.js", SCRIPT, include_str!("../page/scene-panel.js")),
    ("output.css", "text/css; charset=utf-8", include_str!("../page/output.css")),
    ("watching.js", SCRIPT, include_str!("../page/watching.js")),
    ("outputs.js", SCRIPT, include_str!("../page/outputs.js")),
    ("output.js", SCRIPT, include_str!("../page/output.js")),
    ("output-model.js", SCRIPT, include_str!("../page/output-model.js")),
    ("sheet.js", SCRIPT, include_str!("../page/sheet.js")),
    ("chart.js", SCRIPT, include_str!("../page/chart.js")),
    ("viewer.js", SCRIPT, include_str!("../page/viewer.js")),
    ("attempts.js", SCRIPT, include_str!("../page/attempts.js")),
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

/// `GET /assets/{name}`
pub async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Answer {
    let asset = ASSETS.into_iter().find(|(asset, _, _)| *asset == name);
    let (_, kind, content) = asset.ok_or_else(|| Problem::not_found(format!("file {name}")))?;
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

//! The routes. `page/openapi.json` describes them, and a test compares the two.

mod answer;
pub mod app;
mod body;
mod events;
mod files;
mod film;
mod items;
mod outputs;
mod page;
mod query;
mod renders;
mod upload;
mod videos;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post, put};
use serde_json::json;

use super::access::{Admission, headers};
use super::problem::Problem;
use crate::serve::store::render::Render;
use crate::serve::store::video::Video;
use app::App;
use renders::{rendering, scene};
use videos::{making, pictures};

/// The routes of the server.
pub fn router(app: App) -> Router {
    let routes = Router::new()
        .route("/", get(page::page))
        .route("/videos/{id}", get(page::page))
        .route("/renders/{id}", get(page::page))
        .route("/openapi.json", get(page::api))
        .route("/api/events", get(events::all))
        .route("/api/folders", get(videos::folders))
        .route("/api/videos", get(videos::list).post(videos::create))
        .route(
            "/api/videos/{id}",
            get(videos::show).patch(videos::change).delete(items::remove::<Video>),
        )
        .route("/api/videos/{id}/archive", put(pictures::upload_archive))
        .route(
            "/api/videos/{id}/pictures/{name}",
            get(pictures::show).put(pictures::upload_picture).delete(pictures::remove),
        )
        .route("/api/videos/{id}/pictures/{name}/thumbnail", get(pictures::thumbnail))
        .route("/api/videos/{id}/sound/{name}", put(pictures::upload_sound))
        .route("/api/videos/{id}/sound", axum::routing::delete(pictures::remove_sound))
        .route("/api/videos/{id}/make", post(making::start))
        .route("/api/videos/{id}/stop", post(items::stop::<Video>))
        .route("/api/videos/{id}/events", get(items::events::<Video>))
        .route("/api/videos/{id}/log", get(items::log::<Video>))
        .route("/api/videos/{id}/video", get(making::video))
        .route("/api/renders", get(renders::list).post(renders::create))
        .route(
            "/api/renders/{id}",
            get(renders::show).patch(renders::change).delete(items::remove::<Render>),
        )
        .route("/api/renders/{id}/archive", put(scene::upload_archive))
        .route("/api/renders/{id}/scene/{*path}", put(scene::upload_file))
        .route("/api/renders/{id}/inspect", post(rendering::inspect))
        .route("/api/renders/{id}/start", post(rendering::start))
        .route("/api/renders/{id}/stop", post(items::stop::<Render>))
        .route("/api/renders/{id}/events", get(items::events::<Render>))
        .route("/api/renders/{id}/cover", get(rendering::cover))
        .route("/api/renders/{id}/log", get(items::log::<Render>))
        .route("/api/renders/{id}/video", get(rendering::video))
        .route("/api/outputs", get(outputs::list).post(outputs::create))
        .route("/api/outputs/{id}", axum::routing::delete(outputs::remove))
        .merge(of_outputs());
    guarded(routes, app)
}

/// The routes of a server that only shows an output.
pub fn watching(app: App) -> Router {
    guarded(of_outputs(), app)
}

/// The routes that show an output.
fn of_outputs() -> Router<Arc<App>> {
    Router::new()
        .route("/outputs/{id}", get(page::page))
        .route("/assets/{*path}", get(page::asset))
        .route("/api/outputs/{id}", get(outputs::show))
        .route("/api/outputs/{id}/events", get(outputs::events::events))
        .route("/api/outputs/{id}/frames/{name}", get(outputs::pictures::frame))
        .route("/api/outputs/{id}/previews/{name}", get(outputs::pictures::preview))
        .route("/api/outputs/{id}/video", get(outputs::pictures::video))
        .route("/api/outputs/{id}/jobs", get(outputs::jobs::jobs))
}

/// These routes, behind what decides who may come in.
fn guarded(routes: Router<Arc<App>>, app: App) -> Router {
    let app = Arc::new(app);
    routes
        .fallback(|| async { Problem::not_found("page") })
        .layer(from_fn_with_state(Arc::clone(&app), admit))
        .with_state(app)
}

/// Lets in who may come in, and secures every answer.
async fn admit(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let mut response = match app.access.admit(&parts) {
        Admission::Admitted => next.run(Request::from_parts(parts, body)).await,
        Admission::SignIn { cookie, location } => sign_in(&cookie, &location),
        Admission::Refused(StatusCode::UNAUTHORIZED, _) if !is_program(&parts) => page::sign_in(),
        Admission::Refused(status, why) => answer::json(status, &json!({"error": why})),
    };
    headers::secure(response.headers_mut());
    response
}

/// Whether a request is not one of a browser for a page.
fn is_program(parts: &axum::http::request::Parts) -> bool {
    let accept = parts.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_none_or(|accept| !accept.contains("text/html"))
}

/// Gives the browser the cookie, and removes the token from its address.
fn sign_in(cookie: &str, location: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    for (name, value) in [(header::SET_COOKIE, cookie), (header::LOCATION, location)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

//! Outputs that the page watches: add, list, show, forget.

pub mod events;
pub mod jobs;
pub mod pictures;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use serde::{Deserialize, Serialize};

use super::answer::{Answer, json};
use super::app::App;
use super::body;
use crate::request::Location;
use crate::serve::blocking::blocking;
use crate::serve::outputs::compact::Compact;
use crate::serve::outputs::output::Output;
use crate::serve::problem::{Problem, ProblemKind};

/// The largest request in bytes: a long URI.
const MAX_REQUEST: usize = 16 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    uri: String,
}

/// What the page shows of each output in the list.
#[derive(Serialize)]
struct Summary {
    id: String,
    uri: String,
    created: u64,
    /// How many frames are stored, and how many were asked for; null if nobody has looked.
    stored: Option<usize>,
    total: Option<usize>,
    running: usize,
}

/// An output as the page shows it.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    summary: Summary,
    #[serde(flatten)]
    state: Compact<'a>,
}

impl Summary {
    fn of(output: &Output) -> Self {
        let latest = output.latest();
        let figures = latest.as_ref().map(|latest| &latest.state.figures);
        Self {
            id: output.id().to_string(),
            uri: output.location().to_string(),
            created: output.created(),
            stored: figures.map(|figures| figures.stored),
            total: figures.and_then(|figures| figures.total),
            running: figures.map_or(0, |figures| figures.running),
        }
    }
}

/// `GET /api/outputs`
pub async fn list(State(app): State<Arc<App>>) -> Answer {
    let outputs: Vec<_> = app.outputs.all().iter().map(|output| Summary::of(output)).collect();
    let folders: Vec<_> = app.watched.iter().map(|folder| folder.display().to_string()).collect();
    let body = serde_json::json!({"outputs": outputs, "folders": folders});
    Ok(json(StatusCode::OK, &body))
}

/// `POST /api/outputs`
pub async fn create(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Answer {
    let New { uri } = body::json(body, &headers, MAX_REQUEST).await?;
    let location = location(&uri)?;
    blocking(move || {
        let (output, is_new) = app.outputs.add(&location, &app.fence)?;
        let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
        Ok(json(status, &Summary::of(&output)))
    })
    .await
}

/// Where a URI or path leads. A path is absolute: nobody knows the working directory of the server.
fn location(uri: &str) -> Answer<Location> {
    let invalid = |why: String| Problem::new(ProblemKind::Invalid, why);
    let location: Location = uri
        .trim()
        .trim_end_matches('/')
        .parse()
        .map_err(|error| invalid(format!("the address of the output {error}")))?;
    match &location {
        Location::Local(path) if !path.is_absolute() => {
            let shown = crate::printable::printable(uri);
            Err(invalid(format!("{shown} is no whole path; give one that begins with a slash")))
        }
        Location::Local(_) | Location::S3 { .. } => Ok(location),
    }
}

/// `GET /api/outputs/{id}`
pub async fn show(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    let output = app.output(&id)?;
    let snapshot = output.look().await;
    let shown = Shown { summary: Summary::of(&output), state: Compact::whole(&snapshot) };
    Ok(json(StatusCode::OK, &shown))
}

/// `DELETE /api/outputs/{id}`
pub async fn remove(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    // The output of a render goes with the render.
    let found = id.parse().ok().and_then(|id| app.outputs.find(&id));
    let output = found.ok_or_else(|| Problem::not_found("output"))?;
    blocking(move || {
        app.outputs.remove(&output).map_err(|error| Problem::io("forget the output", &error))?;
        Ok(StatusCode::NO_CONTENT.into_response())
    })
    .await
}

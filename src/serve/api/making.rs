//! Making the video: start, stop, watch, take it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse as _;
use futures_util::stream::unfold;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::answer::{Answer, json};
use super::app::App;
use super::files::{self, Disposition};
use crate::serve::blocking::blocking;
use crate::serve::problem::{Problem, ProblemKind};
use crate::serve::store::making::{LOG, Making};
use crate::serve::store::video::Video;

/// The shortest time between two events.
const PAUSE: Duration = Duration::from_millis(100);

/// After how long without news a sign of life is sent, so that a connection that is gone is noticed.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// What an event of a video tells.
#[derive(Serialize)]
struct News {
    /// Another number than before says that the video is to be read again.
    revision: u64,
    making: Making,
}

/// `POST /api/videos/{id}/make`
pub async fn start(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    let video = app.video(&id)?;
    if video.picture_count() == 0 {
        let message = "there are no pictures yet; add some first";
        return Err(Problem::new(ProblemKind::Conflict, message));
    }
    blocking(move || {
        app.queue.add(&video).map_err(|error| Problem::io("start the video", &error))?;
        Ok(json(StatusCode::ACCEPTED, &video.making()))
    })
    .await
}

/// `POST /api/videos/{id}/stop`
pub async fn stop(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    let video = app.video(&id)?;
    blocking(move || {
        app.queue.remove(&video).map_err(|error| Problem::io("stop the video", &error))?;
        Ok(json(StatusCode::ACCEPTED, &video.making()))
    })
    .await
}

/// `GET /api/videos/{id}/video`, with `?download` to store it
pub async fn video(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let video = app.video(&id)?;
    let (folder, made) = blocking(move || {
        let made = video.made().map_err(|error| Problem::io("read the video", &error))?;
        Ok((video.made_folder(), made.ok_or_else(|| Problem::not_found("finished video"))?))
    })
    .await?;
    let stores = query.is_some_and(|query| query.split('&').any(|word| word == "download"));
    let disposition = if stores { Disposition::Attachment } else { Disposition::Inline };
    let kind = match made.name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("mp4") => "video/mp4",
        Some("mov") => "video/quicktime",
        Some("webm") => "video/webm",
        Some("mkv") => "video/x-matroska",
        Some("gif") => "image/gif",
        _ => "application/octet-stream",
    };
    files::send(folder.join(&made.name), &made.name, kind, disposition, &headers).await
}

/// `GET /api/videos/{id}/log`
pub async fn log(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let path = app.video(&id)?.folder().join(LOG);
    files::send(path, LOG, "text/plain; charset=utf-8", Disposition::Inline, &headers).await
}

/// `GET /api/videos/{id}/events`
pub async fn events(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    let video = app.video(&id)?;
    let changes = video.changes();
    Ok(stream(changes, move || news(&video)))
}

/// `GET /api/events`: one event for every change of any video, without content
pub async fn all_events(State(app): State<Arc<App>>) -> Answer {
    Ok(stream(app.data.changes(), || "data: {}\n\n".to_owned()))
}

fn news(video: &Video) -> String {
    let news = News { revision: video.revision(), making: video.making() };
    format!("data: {}\n\n", serde_json::to_string(&news).unwrap_or_default())
}

/// Server-sent events: the state now, and after each change.
fn stream(
    changes: watch::Receiver<()>,
    event: impl Fn() -> String + Send + 'static,
) -> axum::response::Response {
    let state = (changes, event, None::<Instant>);
    let events = unfold(state, |(mut changes, event, sent)| async move {
        let text = match sent {
            None => event(),
            Some(sent) => {
                // What changes quickly is told at the end of the pause.
                sleep_until(sent + PAUSE).await;
                match timeout(SIGN_OF_LIFE, changes.changed()).await {
                    Ok(Ok(())) => event(),
                    Ok(Err(_)) => return None,
                    Err(_) => ":\n\n".to_owned(),
                }
            }
        };
        let text = Ok::<_, std::convert::Infallible>(Bytes::from(text));
        Some((text, (changes, event, Some(Instant::now()))))
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(events)).into_response()
}

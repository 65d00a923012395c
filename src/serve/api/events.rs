//! News for those who watch: server-sent events.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::unfold;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::answer::Answer;
use super::app::App;
use crate::serve::store::item::Kind;
use crate::serve::store::making::Making;

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

/// The events of an item.
pub fn of<K: Kind + Send + Sync + 'static>(item: Arc<K>) -> Response {
    let changes = item.item().changes();
    stream(changes, move || {
        let item = item.item();
        let news = News { revision: item.revision(), making: item.making() };
        format!("data: {}\n\n", serde_json::to_string(&news).unwrap_or_default())
    })
}

/// `GET /api/events`: one event for every change of any video or render, without content
pub async fn all(State(app): State<Arc<App>>) -> Answer {
    Ok(stream(app.data.changes(), || "data: {}\n\n".to_owned()))
}

/// Server-sent events: the state now, and after each change.
pub fn stream(
    changes: watch::Receiver<()>,
    event: impl Fn() -> String + Send + 'static,
) -> Response {
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

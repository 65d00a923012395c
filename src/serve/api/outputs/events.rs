//! What changes of an output, as server-sent events. Each stream causes the looks that it tells of.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse as _;
use futures_util::stream::unfold;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use crate::serve::api::answer::Answer;
use crate::serve::api::app::App;
use crate::serve::outputs::compact::Compact;
use crate::serve::outputs::output::{Output, Snapshot};

/// After how long without news a sign of life is sent, so that a connection that is gone is noticed.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// An event, and what a client knows that has got it.
type Event = (String, Arc<Snapshot>);

/// A stream of events: the output, what the client knows of it, and the next event on its way.
struct Following {
    output: Arc<Output>,
    known: Option<Arc<Snapshot>>,
    next: Option<Pin<Box<dyn Future<Output = Event> + Send>>>,
}

/// `GET /api/outputs/{id}/events`
///
/// The first event has the revision alone. A client that knows another one reads the output again.
pub async fn events(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    let following = Following { output: app.output(&id)?, known: None, next: None };
    let events = unfold(following, |mut following| async move {
        let text = following.next().await;
        Some((Ok::<_, Infallible>(Bytes::from(text)), following))
    });
    Ok(([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(events)).into_response())
}

impl Following {
    /// The next event, or a sign of life: the look that takes long then goes on.
    async fn next(&mut self) -> String {
        let (output, known) = (&self.output, &self.known);
        let next = self.next.get_or_insert_with(|| {
            Box::pin(event(Arc::clone(output), known.as_ref().map(Arc::clone)))
        });
        let Ok((text, snapshot)) = timeout(SIGN_OF_LIFE, next).await else {
            return ":\n\n".to_owned();
        };
        self.next = None;
        self.known = Some(snapshot);
        text
    }
}

/// The next event for a client that knows this much.
async fn event(output: Arc<Output>, known: Option<Arc<Snapshot>>) -> Event {
    let Some(known) = known else {
        let snapshot = output.look().await;
        let first = json!({"revision": snapshot.revision});
        return (format!("data: {first}\n\n"), snapshot);
    };
    loop {
        let began = Instant::now();
        let snapshot = output.look().await;
        if snapshot.revision != known.revision {
            let changes = Compact::changes(&snapshot, &known);
            let text = serde_json::to_string(&changes).unwrap_or_default();
            return (format!("data: {text}\n\n"), snapshot);
        }
        sleep(output.interval().saturating_sub(began.elapsed())).await;
    }
}

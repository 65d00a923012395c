//! Tells a webhook that a job has ended.
//!
//! Invariants:
//!
//! - Nothing here makes a job fail.
//! - The address of the webhook is secret, but for its host.

mod document;

use std::time::{Duration, SystemTime};

use tokio::time::sleep;

pub use document::Notification;

use crate::aws::causes;
use crate::error::Error;
use crate::http;
use crate::http::Post;
use crate::process::shutdown::Shutdown;
use crate::request::{Notify, Webhook};

/// The delays after the attempts that were refused for now. There is one attempt more.
const RETRY_DELAYS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];

/// Tells how a job has ended that began at the time `started`. Gives up after three attempts, and when a
/// worker that was told to stop has no time left.
pub async fn notify(
    shutdown: &Shutdown,
    notify: &Notify,
    started: SystemTime,
    result: Result<(), &Error>,
) {
    let host = notify.webhook.host();
    let document = Notification::of(notify, started, result);
    let sent = tokio::select! {
        biased;
        sent = send(&notify.webhook, &document) => sent,
        () = shutdown.no_time_to_report() => Err("there was no time left".to_owned()),
    };
    match sent {
        Ok(()) => tracing::info!("{host} was told that the job has ended"),
        Err(why) => tracing::warn!("--notify (NOTIFY_URL): {host} was not told of the end: {why}"),
    }
}

/// Posts a document.
///
/// # Errors
/// Why it was not accepted.
async fn send(webhook: &Webhook, document: &Notification) -> Result<(), String> {
    let body = serde_json::to_string(document).map_err(|error| error.to_string())?;
    let is_plain = webhook.server().starts_with("http:");
    let client = if is_plain { http::plain_client() } else { http::client() };
    let request = Post {
        server: webhook.server().to_owned(),
        path: webhook.path().to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body,
    };
    let mut delays = RETRY_DELAYS.into_iter();
    loop {
        let (why, may_pass) = match http::post(&client, request.clone()).await {
            Ok(answer) if (200..300).contains(&answer.status) => return Ok(()),
            Ok(answer) => refusal(answer.status),
            Err(error) => (causes(&error), true),
        };
        match delays.next().filter(|_| may_pass) {
            Some(delay) => {
                tracing::debug!("{} does not answer yet: {why}", webhook.host());
                sleep(delay).await;
            }
            None => return Err(why),
        }
    }
}

/// What a status other than success means, and whether the same request may succeed later.
fn refusal(status: u16) -> (String, bool) {
    match status {
        300..=399 => (format!("HTTP {status}, a redirect, which is not followed"), false),
        401 | 403 | 404 | 410 => (format!("HTTP {status}: check the address"), false),
        408 | 429 | 500.. => (format!("HTTP {status}"), true),
        _ => (format!("HTTP {status}"), false),
    }
}

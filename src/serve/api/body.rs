//! The bodies of requests: read as they arrive, within limits of size and time.

use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::answer::Answer;
use crate::serve::problem::{Problem, ProblemKind};

/// How long a client may send nothing.
const IDLE: Duration = Duration::from_secs(30);

/// The slowest that a client may send for longer than [`IDLE`], in bytes a second.
const SLOWEST: u64 = 1024;

/// The most of a refused upload that is read, in bytes, and for how long: a browser reads the answer
/// only after it has sent what it sends.
const DRAIN: u64 = 64 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// A body that arrives.
pub struct Arriving {
    body: Body,
    began: Instant,
    received: u64,
    /// Whether the client waits for leave to send it.
    waits: bool,
    declared: Option<u64>,
}

impl Arriving {
    /// The body of a request with these headers.
    pub fn new(body: Body, headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let declared = text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
        let waits = headers.contains_key(header::EXPECT);
        Self { body, began: Instant::now(), received: 0, waits, declared }
    }

    /// Its size in bytes, if the client has said it.
    pub fn declared(&self) -> Option<u64> {
        self.declared
    }

    /// The next part; `None` at the end.
    ///
    /// # Errors
    /// If the client has gone, or is too slow.
    pub async fn next(&mut self) -> Answer<Option<Bytes>> {
        loop {
            let Ok(frame) = timeout(IDLE, self.body.frame()).await else {
                return Err(self.too_slow());
            };
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|_| {
                Problem::new(ProblemKind::Invalid, "the upload broke off; send the file again")
            })?;
            let Ok(bytes) = frame.into_data() else { continue };
            self.received += bytes.len() as u64;
            let elapsed = self.began.elapsed();
            if elapsed > IDLE && self.received < SLOWEST * elapsed.as_secs() {
                return Err(self.too_slow());
            }
            return Ok(Some(bytes));
        }
    }

    fn too_slow(&mut self) -> Problem {
        // Nothing more is read of it.
        self.waits = true;
        Problem::new(ProblemKind::Slow, "the upload was too slow; send the file again")
    }

    /// Reads a part of what is left after a refusal, so that a browser gets to read why.
    pub async fn drain(mut self) {
        if self.waits {
            return;
        }
        let mut read = 0;
        let drain = async {
            while read < DRAIN
                && let Some(Ok(frame)) = self.body.frame().await
            {
                read += frame.data_ref().map_or(0, |bytes| bytes.len() as u64);
            }
        };
        // What is left then is cut off.
        _ = timeout(DRAIN_TIME, drain).await;
    }
}

/// A request in JSON of up to `limit` bytes. An empty body is an empty object.
///
/// # Errors
/// If it is too large, or not what it should be.
pub async fn json<T: DeserializeOwned>(body: Body, headers: &HeaderMap, limit: usize) -> Answer<T> {
    let mut arriving = Arriving::new(body, headers);
    let mut text = Vec::new();
    while let Some(bytes) = arriving.next().await? {
        if text.len() + bytes.len() > limit {
            return Err(Problem::new(ProblemKind::TooLarge, "the request is too large"));
        }
        text.extend_from_slice(&bytes);
    }
    let text = if text.is_empty() { &b"{}"[..] } else { &text };
    serde_json::from_slice(text).map_err(|error| {
        Problem::new(ProblemKind::Invalid, format!("the request cannot be read: {error}"))
    })
}

//! Bodies: counted, truncated, slow.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Body, Frame, SizeHint};

use super::connection::Ending;
use super::log::Entry;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// The body of a response.
pub type Reply = UnsyncBoxBody<Bytes, Error>;

/// The number of pieces that a slow body sends in a second.
const DRIPS: u32 = 20;

/// A body that counts its bytes in the log.
pub struct Counted<B> {
    body: B,
    entry: Arc<Entry>,
    count: fn(&Entry, u64),
}

impl<B> Counted<B> {
    pub fn new(body: B, entry: &Arc<Entry>, count: fn(&Entry, u64)) -> Self {
        let entry = Arc::clone(entry);
        Self { body, entry, count }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Counted<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            (self.count)(&self.entry, data.len() as u64);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Sends `bytes`.
pub fn full(bytes: Bytes) -> Reply {
    Full::new(bytes).map_err(Error::from).boxed_unsync()
}

/// Sends the first bytes, then pauses for `hang`, and then closes the connection.
pub fn cut(bytes: Bytes, after: usize, hang: Duration, ending: Arc<Ending>) -> Reply {
    let hang = stream::once(async move {
        // Even a sleep of zero yields, and the first bytes would be flushed too early.
        if !hang.is_zero() {
            tokio::time::sleep(hang).await;
        }
        Bytes::new()
    });
    // While this is pending, the HTTP server flushes; then `Connection` fails.
    let cut = stream::poll_fn(move |_| {
        ending.cut();
        Poll::Pending
    });
    streamed(start(bytes, after).chain(hang).chain(cut))
}

/// Sends the first bytes, and then nothing.
pub fn stalled(bytes: Bytes, after: usize) -> Reply {
    streamed(start(bytes, after).chain(stream::pending()))
}

/// Sends `bytes`, a few at a time.
pub fn slow(bytes: Bytes, bytes_per_second: u32) -> Reply {
    let drip = (bytes_per_second / DRIPS).max(1);
    let pause = Duration::from_secs(1) * drip / bytes_per_second.max(1);
    streamed(stream::unfold(bytes, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let next = rest.split_to(rest.len().min(drip as usize));
        Some((next, rest))
    }))
}

/// Reads at least this many bytes of a body.
pub async fn read<B: Body<Data = Bytes> + Unpin>(
    body: &mut B,
    bytes: usize,
) -> Result<(), B::Error> {
    let mut read = 0;
    while read < bytes
        && let Some(frame) = body.frame().await
    {
        read += frame?.data_ref().map_or(0, Bytes::len);
    }
    Ok(())
}

/// Reads the rest of a body. An error means that the client is gone.
pub async fn drain<B: Body + Unpin>(mut body: B) -> Result<(), B::Error> {
    while let Some(frame) = body.frame().await {
        frame?;
    }
    Ok(())
}

fn start(mut bytes: Bytes, length: usize) -> impl Stream<Item = Bytes> {
    bytes.truncate(length);
    stream::once(std::future::ready(bytes))
}

fn streamed(bytes: impl Stream<Item = Bytes> + Send + 'static) -> Reply {
    StreamBody::new(bytes.map(|bytes| Ok(Frame::data(bytes)))).boxed_unsync()
}

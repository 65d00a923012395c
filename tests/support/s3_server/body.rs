//! Bodies: counted, cut short, slow.

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

/// The body of an answer.
pub type Reply = UnsyncBoxBody<Bytes, Error>;

/// How often a slow body sends something, in a second.
const DRIPS: u32 = 20;

/// A body whose bytes are counted in the log.
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

/// All of `bytes`.
pub fn full(bytes: Bytes) -> Reply {
    Full::new(bytes).map_err(Error::from).boxed_unsync()
}

/// The first bytes, after which nothing more comes for a while, and then the connection
/// is cut.
pub fn cut(bytes: Bytes, after: usize, hang: Duration, ending: Arc<Ending>) -> Reply {
    let hang = stream::once(async move {
        // A sleep of no time is one as well, and what was sent is then flushed without it.
        if !hang.is_zero() {
            tokio::time::sleep(hang).await;
        }
        Bytes::new()
    });
    // Asked for more, the body has none: the server then sends what it has.
    let cut = stream::poll_fn(move |_| {
        ending.cut();
        Poll::Pending
    });
    streamed(start(bytes, after).chain(hang).chain(cut))
}

/// The first bytes, after which nothing more comes.
pub fn stalled(bytes: Bytes, after: usize) -> Reply {
    streamed(start(bytes, after).chain(stream::pending()))
}

/// All of `bytes`, a few at a time.
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

/// Reads the first bytes of a body, at least.
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

/// Reads what is left of a body. An error means that the client has gone.
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

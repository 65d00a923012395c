//! Limits the size of responses, and counts how much of a request has been sent.
//!
//! The SDK collects every response in memory, whatever its size, unless it is the content of an
//! object. A store that never stops sending would take all memory. The SDK also hands over the body
//! of a request in one piece, and reports nothing until the response arrives. A slow upload would
//! look like one that hangs.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use aws_sdk_s3::config::{RuntimeComponents, SharedHttpClient};
use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::watch;

/// The largest response without the content of an object, in bytes. The largest real ones are pages
/// of a listing: a thousand keys of a kilobyte each, with up to three characters for each byte.
const MAX_RESPONSE: u64 = 16 * 1024 * 1024;

/// How much of an error response is read, in bytes. No real one is longer.
const MAX_ERROR_RESPONSE: u64 = 256 * 1024;

/// The largest piece of a body that is passed on at once, in bytes. A [`Meter`] is this precise.
const MAX_PIECE: usize = 128 * 1024;

/// Counts the bytes of a request's body that the connection has taken.
#[derive(Clone, Debug, Default)]
pub struct Meter(watch::Sender<u64>);

impl Meter {
    /// The number of bytes taken so far. The receiver is notified of changes.
    pub fn taken(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }

    /// Adds `bytes` to those taken.
    pub fn add(&self, bytes: u64) {
        self.0.send_modify(|taken| *taken += bytes);
    }
}

/// Wraps `client`: the size of responses is limited, and the bodies of requests that carry a
/// [`Meter`] as an extension are counted.
pub(super) fn watched(client: SharedHttpClient) -> SharedHttpClient {
    SharedHttpClient::new(Watched(client))
}

#[derive(Debug)]
struct Watched<T>(T);

impl HttpClient for Watched<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Watched(self.0.http_connector(settings, components)))
    }
}

impl HttpConnector for Watched<SharedHttpConnector> {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        if let Some(meter) = request.extension::<Meter>().cloned() {
            let body = WatchedBody::new(request.take_body(), meter);
            *request.body_mut() = SdkBody::from_body_1_x(body);
        }
        // The caller reads the content of an object piece by piece, and knows its size.
        let query = request.uri().split_once('?').map_or("", |(_, query)| query);
        let is_object = query.split('&').any(|pair| pair == "x-id=GetObject");
        let response = self.0.call(request);
        HttpConnectorFuture::new(async move {
            let response = response.await?;
            let limit = match response.status().is_success() {
                true if is_object => return Ok(response),
                true => SizeLimit { left: MAX_RESPONSE, excess: Excess::Fail },
                false => SizeLimit { left: MAX_ERROR_RESPONSE, excess: Excess::Truncate },
            };
            Ok(response.map(|body| SdkBody::from_body_1_x(WatchedBody::new(body, limit))))
        })
    }
}

/// What is done with each piece of a body before it is passed on.
trait Watch: Unpin {
    /// Admits a piece of `length` bytes.
    ///
    /// # Errors
    /// If the body is too long.
    fn admit(&mut self, length: u64) -> Result<(), TooLong>;

    /// Whether the rest of the body is dropped.
    fn is_closed(&self) -> bool;

    /// The size of what is passed on, given that of the whole body.
    fn size_hint(&self, body: SizeHint) -> SizeHint;
}

impl Watch for Meter {
    fn admit(&mut self, length: u64) -> Result<(), TooLong> {
        self.add(length);
        Ok(())
    }

    fn is_closed(&self) -> bool {
        false
    }

    fn size_hint(&self, body: SizeHint) -> SizeHint {
        body
    }
}

/// Limits the size of a body.
#[derive(Clone, Copy, Debug)]
struct SizeLimit {
    /// The bytes that may still be read.
    left: u64,
    excess: Excess,
}

/// What happens to a body that is longer than its limit.
#[derive(Clone, Copy, Debug)]
enum Excess {
    /// Reading it fails.
    Fail,
    /// Its rest is dropped.
    Truncate,
}

/// A response that is longer than any real one.
#[derive(Debug, thiserror::Error)]
#[error("the response is longer than {MAX_RESPONSE} bytes, the most that a store may send")]
struct TooLong;

impl Watch for SizeLimit {
    fn admit(&mut self, length: u64) -> Result<(), TooLong> {
        if length > self.left && matches!(self.excess, Excess::Fail) {
            return Err(TooLong);
        }
        self.left = self.left.saturating_sub(length);
        Ok(())
    }

    fn is_closed(&self) -> bool {
        self.left == 0 && matches!(self.excess, Excess::Truncate)
    }

    /// Unknown: the body may be truncated.
    fn size_hint(&self, _: SizeHint) -> SizeHint {
        SizeHint::default()
    }
}

/// A body that is passed on in pieces of [`MAX_PIECE`] bytes at most, under a [`Watch`].
struct WatchedBody<W> {
    body: SdkBody,
    /// The part of `body` that was read but not yet passed on.
    rest: Bytes,
    watch: W,
}

impl<W> WatchedBody<W> {
    fn new(body: SdkBody, watch: W) -> Self {
        Self { body, rest: Bytes::new(), watch }
    }
}

impl<W: Watch> Body for WatchedBody<W> {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.watch.is_closed() {
            return Poll::Ready(None);
        }
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => return Poll::Ready(end),
            }
        }
        let length = self.rest.len().min(MAX_PIECE);
        let piece = self.rest.split_to(length);
        let admitted = self.watch.admit(length as u64);
        Poll::Ready(Some(admitted.map(|()| Frame::data(piece)).map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, hint) = (self.rest.len() as u64, self.body.size_hint());
        let mut whole = SizeHint::new();
        whole.set_lower(hint.lower() + rest);
        if let Some(upper) = hint.upper() {
            whole.set_upper(upper + rest);
        }
        self.watch.size_hint(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lengths of a body's pieces.
    async fn pieces<B: Body<Data = Bytes> + Unpin>(mut body: B) -> Result<Vec<usize>, B::Error> {
        let mut pieces = Vec::new();
        while let Some(frame) =
            std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
        {
            pieces.push(frame?.data_ref().map_or(0, Bytes::len));
        }
        Ok(pieces)
    }

    /// A response of `length` bytes, of which `left` may be read.
    fn response(length: usize, left: u64, excess: Excess) -> WatchedBody<SizeLimit> {
        WatchedBody::new(SdkBody::from(vec![b'x'; length]), SizeLimit { left, excess })
    }

    #[tokio::test]
    async fn a_response_that_is_too_long_fails_and_an_error_response_is_truncated() {
        for excess in [Excess::Fail, Excess::Truncate] {
            assert_eq!(pieces(response(10, 10, excess)).await.unwrap(), [10]);
        }
        let error = pieces(response(11, 10, Excess::Fail)).await.unwrap_err();
        assert!(error.to_string().contains("longer than"), "{error}");
        assert_eq!(pieces(response(11, 0, Excess::Truncate)).await.unwrap(), [0; 0]);
        let long = response(MAX_PIECE * 2, MAX_PIECE as u64, Excess::Truncate);
        assert_eq!(pieces(long).await.unwrap(), [MAX_PIECE]);
    }

    #[tokio::test]
    async fn a_request_is_counted_as_the_connection_takes_it() {
        let meter = Meter::default();
        let (length, taken) = (MAX_PIECE * 2 + 7, meter.taken());
        let mut body = WatchedBody::new(SdkBody::from(vec![b'x'; length]), meter);
        assert_eq!(body.size_hint().exact(), Some(length as u64));
        let first = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        assert_eq!(first.unwrap().unwrap().data_ref().unwrap().len(), MAX_PIECE);
        assert_eq!(*taken.borrow(), MAX_PIECE as u64);
        assert_eq!(body.size_hint().exact(), Some((MAX_PIECE + 7) as u64));
        assert_eq!(pieces(body).await.unwrap(), [MAX_PIECE, 7]);
        assert_eq!(*taken.borrow(), length as u64);
    }
}

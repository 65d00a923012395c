//! What passes through the HTTP client, bounded on its way in and counted on its way out.
//!
//! The SDK gathers every answer in memory that is not an object's content, whatever its size:
//! a store that never stops sending would take all memory. And it hands a request over in one
//! piece and knows no more of it until there is an answer, so that an upload which moves slowly
//! looks like one that hangs.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use aws_sdk_s3::config::{RuntimeComponents, SharedHttpClient};
use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::watch;

/// More than any answer has that is no object, in bytes. The largest are pages of a listing,
/// with a thousand keys of a kilobyte each, in which every byte can take three letters.
const LARGEST_ANSWER: u64 = 16 * 1024 * 1024;

/// More than any answer has that says why nothing was done. What follows tells nothing.
const LARGEST_REFUSAL: u64 = 256 * 1024;

/// How much of a request is handed over at once, and how exactly it is known how much was.
const PIECE: usize = 128 * 1024;

/// Counts how much of a request's body the connection has taken.
#[derive(Clone, Debug, Default)]
pub struct Meter(watch::Sender<u64>);

impl Meter {
    /// How many bytes were taken, now and whenever these are more.
    pub fn taken(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }

    /// So many more were taken.
    pub fn add(&self, bytes: u64) {
        self.0.send_modify(|taken| *taken += bytes);
    }
}

/// `client` with what passes through it bounded and counted. A request is counted whose
/// extensions have a [`Meter`].
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
            let metered = Metered { body: request.take_body(), rest: Bytes::new(), meter };
            *request.body_mut() = SdkBody::from_body_1_x(metered);
        }
        // The content of an object is read piece by piece, and its size is known before.
        let query = request.uri().split_once('?').map_or("", |(_, query)| query);
        let is_object = query.split('&').any(|pair| pair == "x-id=GetObject");
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await?;
            let bound = match answer.status().is_success() {
                true if is_object => return Ok(answer),
                true => Bound { left: LARGEST_ANSWER, beyond: Beyond::Fail },
                false => Bound { left: LARGEST_REFUSAL, beyond: Beyond::End },
            };
            Ok(bound.put_on(answer))
        })
    }
}

/// How much of an answer is read.
#[derive(Clone, Copy, Debug)]
struct Bound {
    left: u64,
    beyond: Beyond,
}

/// What happens to what is longer.
#[derive(Clone, Copy, Debug)]
enum Beyond {
    /// It is no answer.
    Fail,
    /// The rest is left out.
    End,
}

impl Bound {
    fn put_on(self, answer: HttpResponse) -> HttpResponse {
        answer.map(|body| SdkBody::from_body_1_x(Bounded { body, bound: self }))
    }
}

/// The body of an answer.
struct Bounded {
    body: SdkBody,
    bound: Bound,
}

/// An answer that is too long.
#[derive(Debug)]
struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the answer is longer than any can be, {LARGEST_ANSWER} bytes")
    }
}

impl std::error::Error for TooLong {}

impl Body for Bounded {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.bound.left == 0 && matches!(self.bound.beyond, Beyond::End) {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let length = match &frame {
            Some(Ok(frame)) => frame.data_ref().map_or(0, |data| data.len() as u64),
            Some(Err(_)) | None => 0,
        };
        if length > self.bound.left && matches!(self.bound.beyond, Beyond::Fail) {
            return Poll::Ready(Some(Err(TooLong.into())));
        }
        self.bound.left = self.bound.left.saturating_sub(length);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

/// The body of a request, handed over piece by piece.
struct Metered {
    body: SdkBody,
    /// What has come out of it and is not handed over.
    rest: Bytes,
    meter: Meter,
}

impl Body for Metered {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => return Poll::Ready(end),
            }
        }
        let length = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(length);
        self.meter.add(length as u64);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, hint) = (self.rest.len() as u64, self.body.size_hint());
        let mut sum = SizeHint::new();
        sum.set_lower(hint.lower() + rest);
        if let Some(upper) = hint.upper() {
            sum.set_upper(upper + rest);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read<B: Body<Data = Bytes> + Unpin>(mut body: B) -> Result<Vec<usize>, B::Error> {
        let mut pieces = Vec::new();
        while let Some(frame) =
            std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
        {
            pieces.push(frame?.data_ref().map_or(0, Bytes::len));
        }
        Ok(pieces)
    }

    /// An answer of so many bytes, of which so many are read at most.
    fn answer(length: usize, left: u64, beyond: Beyond) -> Bounded {
        Bounded { body: SdkBody::from(vec![b'x'; length]), bound: Bound { left, beyond } }
    }

    #[tokio::test]
    async fn an_answer_that_is_too_long_is_none_and_a_refusal_is_cut_short() {
        for beyond in [Beyond::Fail, Beyond::End] {
            assert_eq!(read(answer(10, 10, beyond)).await.unwrap(), [10]);
        }
        let error = read(answer(11, 10, Beyond::Fail)).await.unwrap_err();
        assert!(error.to_string().contains("longer than any can be"), "{error}");
        assert_eq!(read(answer(11, 0, Beyond::End)).await.unwrap(), [0; 0]);
    }

    #[tokio::test]
    async fn a_request_is_counted_as_it_is_taken() {
        let meter = Meter::default();
        let (length, taken) = (PIECE * 2 + 7, meter.taken());
        let (body, rest) = (SdkBody::from(vec![b'x'; length]), Bytes::new());
        let mut body = Metered { body, rest, meter };
        assert_eq!(body.size_hint().exact(), Some(length as u64));
        let first = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        assert_eq!(first.unwrap().unwrap().data_ref().unwrap().len(), PIECE);
        assert_eq!(*taken.borrow(), PIECE as u64);
        assert_eq!(body.size_hint().exact(), Some((PIECE + 7) as u64));
        assert_eq!(read(body).await.unwrap(), [PIECE, 7]);
        assert_eq!(*taken.borrow(), length as u64);
    }
}

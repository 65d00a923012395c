//! A slow network: all request bodies share one bandwidth.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

/// The bandwidth of request bodies; unlimited at first.
#[derive(Clone, Default)]
pub struct Throttle(Arc<Mutex<Option<Speed>>>);

struct Speed {
    bytes_per_second: u32,
    /// When all bytes so far have passed.
    free_at: Instant,
}

impl Throttle {
    pub fn set(&self, bytes_per_second: u32) {
        *self.0.lock().expect("the throttle of the server") =
            Some(Speed { bytes_per_second, free_at: Instant::now() });
    }

    pub fn clear(&self) {
        *self.0.lock().expect("the throttle of the server") = None;
    }

    /// Throttles a body.
    pub fn throttle<B>(&self, body: B) -> Throttled<B> {
        Throttled { body, throttle: self.clone(), pause: None }
    }

    /// Accounts for bytes that have passed. Returns when the next ones may pass.
    fn reserve(&self, bytes: usize) -> Option<Instant> {
        let mut speed = self.0.lock().expect("the throttle of the server");
        let speed = speed.as_mut()?;
        let bytes = u32::try_from(bytes).expect("a piece of a body");
        let takes = Duration::from_secs(1) * bytes / speed.bytes_per_second;
        speed.free_at = speed.free_at.max(Instant::now()) + takes;
        Some(speed.free_at)
    }
}

/// A throttled body.
pub struct Throttled<B> {
    body: B,
    throttle: Throttle,
    pause: Option<Pin<Box<Sleep>>>,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Throttled<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            let next = self.throttle.reserve(data.len());
            self.pause = next.map(|at| Box::pin(sleep_until(at)));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.pause.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

//! A slow network: so many bytes a second come in, whoever sends them.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

/// How fast bodies of requests come in; to begin with, as fast as they are sent.
#[derive(Clone, Default)]
pub struct Throttle(Arc<Mutex<Option<Speed>>>);

struct Speed {
    bytes_per_second: u32,
    /// When everything has come in that was let through.
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

    /// `body`, as it comes in.
    pub fn slow<B>(&self, body: B) -> Slowed<B> {
        Slowed { body, throttle: self.clone(), pause: None }
    }

    /// So many bytes have come: when the next ones may.
    fn let_through(&self, bytes: usize) -> Option<Instant> {
        let mut speed = self.0.lock().expect("the throttle of the server");
        let speed = speed.as_mut()?;
        let bytes = u32::try_from(bytes).expect("a piece of a body");
        let takes = Duration::from_secs(1) * bytes / speed.bytes_per_second;
        speed.free_at = speed.free_at.max(Instant::now()) + takes;
        Some(speed.free_at)
    }
}

/// A body that comes in as slowly as the throttle says.
pub struct Slowed<B> {
    body: B,
    throttle: Throttle,
    pause: Option<Pin<Box<Sleep>>>,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Slowed<B> {
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
            let next = self.throttle.let_through(data.len());
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

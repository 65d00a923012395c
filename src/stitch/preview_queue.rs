//! Stores previews while the video is made.

use tokio::task::JoinSet;

use crate::request::FrameNumber;
use crate::worker::previews::Previews;

/// How many previews are stored concurrently. The time is spent on waiting for responses.
const AT_ONCE: usize = 16;

/// Previews that are being stored.
#[derive(Debug)]
pub struct PreviewQueue {
    previews: Previews,
    tasks: JoinSet<()>,
}

impl PreviewQueue {
    /// A queue without previews.
    pub fn new(previews: Previews) -> Self {
        Self { previews, tasks: JoinSet::new() }
    }

    /// Starts to store the preview of a frame. Waits if many others are not stored yet.
    pub async fn push(&mut self, frame: FrameNumber, jpeg: Vec<u8>) {
        if self.tasks.len() >= AT_ONCE {
            self.tasks.join_next().await;
        }
        let previews = self.previews.clone();
        self.tasks.spawn(async move { previews.store(frame, jpeg).await });
    }

    /// Waits until all previews are stored, or are given up.
    pub async fn settle(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

//! The queue: one video is made at a time, and the others wait in the order in which they were asked
//! for. It survives a restart, because each video remembers that it was asked for.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::sync::Notify;

use super::stitching::Maker;
use crate::process::shutdown::{Shutdown, Stage};
use crate::request::ServeJob;
use crate::serve::store::Data;
use crate::serve::store::making::Making;
use crate::serve::store::video::{Video, millis};

/// The videos that wait, and the one that is being made.
#[derive(Debug, Default)]
pub struct Queue {
    state: Mutex<State>,
    added: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Arc<Video>>,
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    video: Arc<Video>,
    stop: Arc<Notify>,
}

impl Queue {
    /// The queue that the videos remember.
    pub fn of(data: &Data) -> Self {
        let queue = Self::default();
        let mut requested: Vec<_> = data
            .all()
            .into_iter()
            .filter_map(|video| Some((video.document().requested?, video)))
            .collect();
        requested.sort_by_key(|(when, _)| *when);
        queue.lock().waiting.extend(requested.into_iter().map(|(_, video)| video));
        queue.lock().renumber();
        queue
    }

    /// Lets a video be made. Nothing changes if it is in the queue already.
    ///
    /// # Errors
    /// The error of the system, if the request cannot be remembered.
    pub fn add(&self, video: &Arc<Video>) -> io::Result<()> {
        let mut state = self.lock();
        if state.has(video) {
            return Ok(());
        }
        video.change(|document| document.requested = Some(millis(SystemTime::now())))?;
        state.waiting.push_back(Arc::clone(video));
        state.renumber();
        drop(state);
        self.added.notify_one();
        Ok(())
    }

    /// Takes a video out of the queue, or stops making it.
    ///
    /// # Errors
    /// The error of the system, if this cannot be remembered.
    pub fn remove(&self, video: &Video) -> io::Result<()> {
        let mut state = self.lock();
        if let Some(current) = state.current.as_ref().filter(|it| it.video.id == video.id) {
            current.stop.notify_one();
            return Ok(());
        }
        let before = state.waiting.len();
        state.waiting.retain(|waiting| waiting.id != video.id);
        if state.waiting.len() < before {
            video.change(|document| document.requested = None)?;
            video.set_making(Making::Stopped);
            state.renumber();
        }
        Ok(())
    }

    /// Makes one video after the other until a stop is requested.
    pub async fn work(&self, job: &ServeJob, shutdown: &Shutdown) {
        let maker = Maker { job, shutdown };
        while shutdown.requested().is_none() {
            let Some((video, stop)) = self.next() else {
                tokio::select! {
                    () = self.added.notified() => {}
                    _ = shutdown.beyond(Stage::Working) => {}
                }
                continue;
            };
            tracing::info!("making video {} of {} pictures", video.id, video.picture_count());
            let making = maker.make(&video, &stop).await;
            if shutdown.requested().is_some() {
                // It is made again after the restart.
                return;
            }
            if let Making::Failed(failure) = &making {
                tracing::warn!("video {}: {}", video.id, failure.error);
            } else {
                tracing::info!("ended with video {}", video.id);
            }
            // Both at once: the video must not be asked for again in between.
            let mut state = self.lock();
            if let Err(error) = video.change(|document| document.requested = None) {
                tracing::warn!("cannot take note of the end of video {}: {error}", video.id);
            }
            video.set_making(making);
            state.current = None;
            state.renumber();
        }
    }

    fn next(&self) -> Option<(Arc<Video>, Arc<Notify>)> {
        let mut state = self.lock();
        let video = state.waiting.pop_front()?;
        let stop = Arc::new(Notify::new());
        state.current = Some(Current { video: Arc::clone(&video), stop: Arc::clone(&stop) });
        video.set_making(Making::Running { done: 0, total: 0, left: None });
        state.renumber();
        Some((video, stop))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has(&self, video: &Video) -> bool {
        let current = self.current.iter().map(|current| &current.video);
        self.waiting.iter().chain(current).any(|other| other.id == video.id)
    }

    /// Tells each video how many others are made first.
    fn renumber(&self) {
        for (place, video) in self.waiting.iter().enumerate() {
            let ahead = place + usize::from(self.current.is_some());
            if video.making() != (Making::Waiting { ahead }) {
                video.set_making(Making::Waiting { ahead });
            }
        }
    }
}

//! Previews of the frames of a video: which ones are needed, and storing them meanwhile.

use tokio::task::JoinSet;

use crate::error_chain::chain;
use crate::request::{FrameNumber, FrameSet, Location, PREVIEWS_DIR, StitchJob};
use crate::stitch::plan::Plan;
use crate::worker::Worker;
use crate::worker::previews::{Previews, contact_sheet};

/// How many previews are stored concurrently. The time is spent on waiting for responses.
const AT_ONCE: usize = 16;

/// Previews that are being stored.
#[derive(Debug)]
pub struct PreviewQueue {
    previews: Previews,
    tasks: JoinSet<()>,
}

impl PreviewQueue {
    /// An empty queue of previews in `output`.
    pub fn new(worker: &Worker, output: &Location) -> Self {
        let (storage, shutdown) = (worker.storage.clone(), worker.shutdown.clone());
        let previews = Previews::new(storage, output, shutdown, worker.timeouts.preview);
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

/// The frames whose previews are up to date: those of `render`, usually. `None`, with a warning, if
/// the previews cannot be listed.
pub async fn up_to_date(worker: &Worker, job: &StitchJob, plan: &Plan) -> Option<FrameSet> {
    let listed = contact_sheet::list(&worker.storage, &job.output.join(PREVIEWS_DIR)).await;
    let there = match listed {
        Ok(there) => there,
        Err(error) => {
            tracing::warn!("cannot list the previews, so that none are made: {}", chain(&error));
            return None;
        }
    };
    if !plan.sequence.is_numbered || job.input != job.output {
        // Another picture may have had the number: one of other frames, whose files may be newer.
        return Some(FrameSet::default());
    }
    let slots = plan.sequence.slots.iter().filter(|slot| {
        let (file, preview) = (slot.file.as_ref(), there.get(&slot.number));
        file.zip(preview).is_some_and(|(file, preview)| preview.modified >= file.entry.modified)
    });
    Some(slots.map(|slot| slot.number).collect())
}

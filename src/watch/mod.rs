//! What an output has: frames, previews, attempts and a video, from its listings and its reports.
//!
//! ```text
//! attempt    one attempt, as its report tells it
//! reports    reads the reports, each version once
//! activity   which attempts are at work, stuck or lost, and what they have done
//! frame      every frame that is stored or asked for, and what is known of it
//! figures    rate, time left, slow frames, failures by cause
//! state      all of it
//! time       times as numbers
//! ```
//!
//! The output may be made by anybody: without reports, it has frames and nothing more is known. A
//! report that is damaged or foreign is counted and left out.
//!
//! A report has the frames of an attempt only once this has ended. Until then, the times of the stored
//! frames show how far it is.
//!
//! Invariants:
//!
//! - A report that has not changed is not read again.
//! - What is kept of a frame takes about a hundred bytes, also if there are thousands of reports.

pub mod activity;
pub mod attempt;
pub mod figures;
pub mod frame;
mod reports;
pub mod state;
#[cfg(test)]
mod tests;
mod time;

use std::collections::HashMap;
use std::time::SystemTime;

use futures_util::try_join;

use crate::request::{FRAMES_DIR, Location, PREVIEWS_DIR, REPORTS_DIR};
use crate::storage::{Storage, StorageError};
use reports::Reports;
pub use state::Listing;
use state::State;
pub use time::millis;

/// An output that is looked at again and again.
#[derive(Debug)]
pub struct Watched {
    output: Location,
    reports: Reports,
    /// The time of each stored frame at the last look, and how often that has changed.
    versions: HashMap<i32, (u64, u16)>,
}

impl Watched {
    /// An output that nobody has looked at yet.
    pub fn new(output: Location) -> Self {
        Self { output, reports: Reports::default(), versions: HashMap::new() }
    }

    /// Where it is.
    pub fn output(&self) -> &Location {
        &self.output
    }

    /// Looks at what the output has at the time `now`. If this is cancelled, the next look reads only the
    /// reports that are left.
    ///
    /// # Errors
    /// If the output cannot be listed, or a report cannot be read because the store is not reachable.
    pub async fn look(
        &mut self,
        storage: &Storage,
        now: SystemTime,
    ) -> Result<State, StorageError> {
        let folder = |name| self.output.join(name);
        let [frames, previews, reports] = [FRAMES_DIR, PREVIEWS_DIR, REPORTS_DIR].map(folder);
        let (frames, previews, listed, top) = try_join!(
            storage.list(&frames),
            storage.list(&previews),
            storage.list(&reports),
            storage.list(&self.output),
        )?;
        self.reports.read(storage, &reports, listed).await?;
        let listing = Listing { frames, previews, top };
        let mut state =
            State::of(&listing, self.reports.attempts(), self.reports.skipped(), millis(now));
        self.count_versions(&mut state);
        Ok(state)
    }

    /// Counts the frames that were replaced since the last look, also those of which no report tells.
    fn count_versions(&mut self, state: &mut State) {
        self.versions.retain(|number, _| state.frame(*number).is_some());
        for frame in &mut state.frames {
            let Some(file) = &frame.file else { continue };
            let (modified, changes) =
                self.versions.entry(frame.number).or_insert((file.modified, 0));
            if *modified != file.modified {
                *modified = file.modified;
                *changes = changes.saturating_add(1);
            }
            frame.renders = frame.renders.max(changes.saturating_add(1));
        }
    }
}

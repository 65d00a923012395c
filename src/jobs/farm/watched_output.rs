//! What the output of a job has, beside what AWS Batch tells of the job.

use std::time::{Duration, SystemTime};

use tokio::time::timeout;

use crate::batch::Job;
use crate::error_chain::chain;
use crate::jobs::output::Table;
use crate::jobs::output_json::OutputStatus;
use crate::jobs::output_status;
use crate::request::{Location, PricePerHour};
use crate::storage::Storage;
use crate::watch::state::State;
use crate::watch::{Watched, millis};

/// The time limit for a look at the output, which is useful but not required.
const LOOK_TIMEOUT: Duration = Duration::from_secs(30);

/// The output of a job, if the job names one that can be read.
#[derive(Debug, Default)]
pub struct WatchedOutput {
    watched: Option<Watched>,
    /// What it had at a time, in milliseconds since 1970.
    seen: Option<(State, u64)>,
}

impl WatchedOutput {
    /// Looks at the output that the first of these jobs names.
    pub async fn look(&mut self, storage: &Storage, jobs: &[Job]) {
        let output = jobs.iter().find_map(of);
        let Some(output) = output else { return };
        let watched = self.watched.get_or_insert_with(|| Watched::new(output));
        let now = SystemTime::now();
        // On the heap: it is large, and part of what follows jobs.
        match timeout(LOOK_TIMEOUT, Box::pin(watched.look(storage, now))).await {
            Ok(Ok(state)) => self.seen = Some((state, millis(now))),
            Ok(Err(error)) => tracing::debug!("the output cannot be read: {}", chain(&error)),
            Err(_) => tracing::debug!("the output could not be read in time"),
        }
    }

    /// What it has, at which time, and where it is; `None` if no frame of it is known.
    fn known(&self) -> Option<(&State, u64, &Location)> {
        let (state, now) = self.seen.as_ref().filter(|(state, _)| !state.frames.is_empty())?;
        Some((state, *now, self.watched.as_ref()?.output()))
    }

    /// How many frames there are, and how fast they come, in a few words.
    pub fn summary(&self) -> Option<String> {
        let (state, now, _) = self.known()?;
        Some(output_status::summary(state, now))
    }

    /// Adds what the output has.
    pub fn rows(&self, lines: &mut Table, price: Option<PricePerHour>) {
        if let Some((state, now, output)) = self.known() {
            output_status::rows(lines, output, state, now, price);
        }
    }

    /// What the output has, for programs.
    pub fn status(&self, price: Option<PricePerHour>) -> Option<OutputStatus<'_>> {
        let (state, now, output) = self.known()?;
        Some(OutputStatus::of(output, state, now, price))
    }
}

/// The output of a job. A job definition can set it in either way.
fn of(job: &Job) -> Option<Location> {
    let text = job.parameters.get("outputUri").or_else(|| job.environment.get("OUTPUT_URI"));
    text?.parse().ok()
}

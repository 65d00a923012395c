//! What happens, top to bottom: a file a subcommand, and what the two share.

pub mod log_rate_limiter;
pub mod metrics;
pub mod programs;
pub mod progress;
pub mod report;
pub mod sandbox_policy;
pub mod scratch;
pub mod storage_timeouts;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::error::Error;
use crate::error_chain::chain;
use crate::process::sandbox::Sandbox;
use crate::process::shutdown::{Shutdown, Stage};
use crate::process::supervisor::Running;
use crate::provenance::Provenance;
use crate::request::{Attempt, Confinement, Limits, Location, Metrics};
use crate::storage::{Storage, StorageError};
use report::Report;

pub use programs::Programs;
pub use storage_timeouts::StorageTimeouts;

/// How long a child that is no longer needed may take to end. Blender and FFmpeg take milliseconds.
pub const CHILD_GRACE: Duration = Duration::from_secs(5);

/// How long undoing unfinished uploads may take after a second signal.
const LAST_MOMENT: Duration = Duration::from_millis(200);

/// What every job works with.
#[derive(Debug)]
pub struct Worker {
    /// All storage.
    pub storage: Arc<Storage>,
    /// Whether we were told to stop.
    pub shutdown: Shutdown,
    /// Which run of the container this is.
    pub attempt: Attempt,
    /// What worker and image were built from.
    pub provenance: Provenance,
    /// Where programs are found.
    pub programs: Programs,
    /// What they are given and may reach.
    pub confinement: Confinement,
    /// What keeps them from the rest.
    pub sandbox: Sandbox,
    /// What bounds the attempt.
    pub limits: Limits,
    /// How long it waits for storage.
    pub timeouts: StorageTimeouts,
    /// What the numbers of the attempt are grouped by, if they are told.
    pub metrics: Option<Metrics>,
    /// Where temporary files go, if not to the system's folder.
    pub scratch_dir: Option<PathBuf>,
}

impl Worker {
    /// Does `work`, unless the job was told to stop or the Spot instance will be taken away:
    /// then nothing new is begun.
    ///
    /// # Errors
    /// Those of `work`, or [`Error::Interrupted`].
    pub async fn unless_stopped<T, E: Into<Error>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Error> {
        match self.shutdown.or(work).await {
            Ok(result) => result.map_err(Into::into),
            Err(by) => Err(Error::Interrupted { by, left: "the job is not done".to_owned() }),
        }
    }

    /// Ends a child as fast as `stage` asks for.
    pub fn stop_child(&self, child: &Running, stage: Stage) {
        match stage {
            Stage::Working | Stage::Noticed => {}
            Stage::Stopping => child.stop(self.shutdown.grace().child()),
            Stage::AtOnce => child.stop(Duration::ZERO),
        }
    }

    /// Proves, before any work is done, that results can be written to `folder` and the report
    /// to its own.
    ///
    /// # Errors
    /// If either cannot be written, or the job was told to stop.
    pub async fn prepare_output(&self, folder: &Location, report: &Report) -> Result<(), Error> {
        self.unless_stopped(self.storage.prepare(folder)).await?;
        self.unless_stopped(report.store(&self.storage)).await
    }

    /// Stores the last report of an attempt, and waits for uploads that were given up to be
    /// undone. It never changes how the attempt ends.
    pub async fn conclude(&self, mut report: Report, result: Result<(), &Error>) {
        report.finish(result);
        // Where storage has just failed at length, one short try must do.
        let storage_failed = matches!(result, Err(Error::Storage(_) | Error::NotStored { .. }));
        let StorageTimeouts { report: long, short_report: short, .. } = self.timeouts;
        let timeout = if storage_failed { short } else { long };
        let stored = report.store(&self.storage);
        match in_time(stored, self.shutdown.no_time_to_report(), timeout).await {
            Ok(()) => tracing::info!("report: {}", report.location()),
            Err(why) => tracing::warn!("the report is not stored: {why}"),
        }
        let no_time = async {
            self.shutdown.no_time_to_report().await;
            sleep(LAST_MOMENT).await;
        };
        let rest = async {
            self.print_metrics(&report, result).await;
            self.storage.settle().await;
        };
        tokio::select! {
            () = rest => {}
            () = no_time => {}
            () = sleep(short) => {}
        }
    }
}

/// Waits for something to be stored that is useful but not required: no longer than `timeout`,
/// and not once `no_time` is over.
///
/// # Errors
/// In words, why it is not stored.
pub async fn in_time(
    stored: impl Future<Output = Result<(), StorageError>>,
    no_time: impl Future<Output = ()>,
    timeout: Duration,
) -> Result<(), String> {
    tokio::select! {
        biased;
        () = no_time => Err("there is no time left".to_owned()),
        () = sleep(timeout) => Err("no answer in time".to_owned()),
        stored = stored => stored.map_err(|error| chain(&error)),
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_of_use_only_is_not_waited_for_without_end() {
        let timeout = StorageTimeouts::default();
        let waits = [timeout.report, timeout.short_report, timeout.crash_file];
        for (timeout, seconds) in waits.into_iter().zip([60, 4, 15]) {
            let began = Instant::now();
            let stored = in_time(pending(), pending(), timeout).await;
            assert_eq!(stored, Err("no answer in time".to_owned()));
            assert_eq!(began.elapsed().as_secs(), seconds);
            assert_eq!(in_time(ready(Ok(())), pending(), timeout).await, Ok(()));
            let stored = in_time(pending(), ready(()), timeout).await;
            assert_eq!(stored, Err("there is no time left".to_owned()));
        }
    }
}

//! What happens, top to bottom: a file a subcommand, and what the two share.

mod backlog;
mod delivery;
mod prefetch;
mod programs;
mod progress;
mod render;
mod rendering;
mod report;
mod sequence;
mod stitch;
mod supply;
mod walls;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use crate::error::{Error, chain};
use crate::process::sandbox::Sandbox;
use crate::process::shutdown::Shutdown;
use crate::provenance::Provenance;
use crate::request::{Attempt, Confinement, Location};
use crate::storage::Storage;
use report::Report;

pub use programs::Programs;
pub use render::render;
pub use stitch::stitch;

/// How long a child has to end after SIGTERM. Both end within milliseconds; the
/// rest of Batch's 30 seconds is for storing what is saved.
const CHILD_GRACE: Duration = Duration::from_secs(5);

/// How long saved frames have to be stored after we were told to stop and the child
/// has ended: what Batch's 30 seconds leave when the report is still to be written.
const STORE_GRACE: Duration = Duration::from_secs(15);

/// How long the last report has to be stored.
const REPORT_GRACE: Duration = Duration::from_mins(1);

/// The same after we were told to stop, or after storage has failed.
const SHORT_REPORT_GRACE: Duration = Duration::from_secs(4);

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
    /// Where temporary files go, if not to the system's folder.
    pub scratch_dir: Option<PathBuf>,
}

impl Worker {
    /// A fresh folder for temporary files, removed when dropped.
    fn scratch(&self) -> Result<TempDir, Error> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(walls::SCRATCH_PREFIX);
        let folder = match &self.scratch_dir {
            Some(dir) => std::path::absolute(dir).and_then(|dir| builder.tempdir_in(dir)),
            None => builder.tempdir(),
        };
        folder.map_err(|source| Error::Scratch {
            path: self.scratch_dir.clone().unwrap_or_else(std::env::temp_dir),
            source,
        })
    }

    /// Does `work` unless told to stop.
    async fn unless_stopped<T, E: Into<Error>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Error> {
        match self.shutdown.or(work).await {
            Ok(result) => result.map_err(Into::into),
            Err(by) => Err(Error::Interrupted { by, left: "the job is not done".to_owned() }),
        }
    }

    /// Proves that `folder`, where results go, and the folder of the reports can be
    /// written, before any work is done.
    async fn prepare_output(&self, folder: &Location, report: &Report) -> Result<(), Error> {
        self.unless_stopped(self.storage.prepare(folder)).await?;
        self.unless_stopped(report.store(&self.storage)).await
    }

    /// Stores the last report of an attempt. Never changes how the attempt ends.
    async fn conclude(&self, mut report: Report, result: Result<(), &Error>) {
        report.finish(result);
        // Where storage has just failed at length, or we are told to stop, one short try
        // must do.
        let storage_failed = matches!(result, Err(Error::Storage(_) | Error::NotStored { .. }));
        let out_of_time = async {
            if !storage_failed {
                drop(tokio::time::timeout(REPORT_GRACE, self.shutdown.wait()).await);
            }
            tokio::time::sleep(SHORT_REPORT_GRACE).await;
        };
        tokio::select! {
            stored = report.store(&self.storage) => match stored {
                Ok(()) => tracing::info!("report: {}", report.location()),
                Err(error) => tracing::warn!("the report is not stored: {}", chain(&error)),
            },
            () = out_of_time => tracing::warn!("the report is not stored: no answer in time"),
        }
    }
}

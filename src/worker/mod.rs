//! What the subcommands share: programs and their sandbox, scratch space, progress, metrics and
//! the report.

pub mod blender_run;
pub mod file_check;
pub mod log_rate_limiter;
pub mod metrics;
pub mod previews;
pub mod programs;
pub mod progress;
pub mod report;
pub mod sandbox_policy;
pub mod scratch;
pub mod storage_timeouts;
pub mod untrusted_file;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::blender::{SceneFile, SceneFileError};
use crate::container::{Container, Place};
use crate::error::Error;
use crate::error_chain::chain;
use crate::process::sandbox::Sandbox;
use crate::process::shutdown::{Shutdown, Stage};
use crate::process::supervisor::Running;
use crate::provenance::Provenance;
use crate::request::{Attempt, Confinement, Limits, Location, Metrics, PREVIEW_DIR};
use crate::storage::{Opened, Storage, StorageError};
use report::Report;

pub use programs::Programs;
pub use storage_timeouts::StorageTimeouts;

/// How long a child that is no longer needed may take to exit. Blender and FFmpeg need
/// milliseconds.
pub const CHILD_GRACE: Duration = Duration::from_secs(5);

/// How long aborting unfinished uploads may take after a second signal.
const FINAL_CLEANUP: Duration = Duration::from_millis(200);

/// The services and settings that every job uses.
#[derive(Debug)]
pub struct Worker {
    /// Local files and S3.
    pub storage: Arc<Storage>,
    /// Stop requests: signals, Spot notices and the job's time limit.
    pub shutdown: Shutdown,
    /// The attempt of the job that this run is.
    pub attempt: Attempt,
    /// The versions of worker and image.
    pub provenance: Provenance,
    /// Finds programs.
    pub programs: Programs,
    /// The environment variables and files that programs are given.
    pub confinement: Confinement,
    /// Keeps programs from everything else.
    pub sandbox: Sandbox,
    /// The limits of the attempt.
    pub limits: Limits,
    /// How long the worker waits for storage.
    pub timeouts: StorageTimeouts,
    /// The dimensions of the attempt's metrics; `None` if metrics are off.
    pub metrics: Option<Metrics>,
    /// The parent of the scratch folder; `None` for the system's temporary folder.
    pub scratch_dir: Option<PathBuf>,
}

impl Worker {
    /// Does `work`, unless a stop was requested or a Spot interruption was announced: then
    /// nothing new is started.
    ///
    /// # Errors
    /// [`Error::Interrupted`], or the errors of `work`.
    pub async fn unless_stopped<T, E: Into<Error>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Error> {
        match self.shutdown.run_until_stopped(work).await {
            Ok(result) => result.map_err(Into::into),
            Err(by) => Err(Error::Interrupted { by, left: "the job is not finished".to_owned() }),
        }
    }

    /// The header of a scene file, from its beginning. If the frames of the job depend on the header,
    /// a file of which only the beginning was read is [confirmed](Storage::confirm) first. Errors name
    /// it `as_given`.
    ///
    /// # Errors
    /// - [`Error::SceneFile`] if the file is not a scene.
    /// - [`Error::Storage`] if it cannot be confirmed.
    /// - [`Error::Interrupted`] if the job is stopped meanwhile.
    pub async fn scene_header(
        &self,
        scene: &Opened,
        as_given: &Location,
        frames_depend_on_it: bool,
    ) -> Result<SceneFile, Error> {
        let header = SceneFile::from_start(&scene.start, scene.is_whole());
        let header = header.and_then(|header| header.ok_or(SceneFileError::NotABlend));
        // A bit that flipped in transit must neither reject the scene nor change the frames.
        if header.is_err() || (frames_depend_on_it && !scene.is_whole()) {
            self.unless_stopped(self.storage.confirm(scene)).await?;
        }
        header.map_err(|source| Error::SceneFile { scene: as_given.clone(), source })
    }

    /// The error of a job that was stopped; `left` is the work that is left.
    pub fn interrupted(&self, left: String) -> Error {
        match self.shutdown.requested() {
            Some(by) => Error::Interrupted { by, left },
            None => Error::Internal("out of time without a stop request".to_owned()),
        }
    }

    /// Stops a child as quickly as `stage` requires.
    pub fn stop_child(&self, child: &Running, stage: Stage) {
        match stage {
            Stage::Working | Stage::Noticed => {}
            Stage::Stopping => child.stop(self.shutdown.grace().child()),
            Stage::AtOnce => child.stop(Duration::ZERO),
        }
    }

    /// Proves, before any work is done, that `folder` and the report can be written.
    ///
    /// # Errors
    /// [`Error::Storage`] if either cannot be written; [`Error::Interrupted`] if the job is
    /// stopped meanwhile.
    pub async fn prepare_output(
        &self,
        folder: &Location,
        report: &mut Report,
    ) -> Result<(), Error> {
        if !self.attempt.is_unattended() {
            for folder in [folder, &report.folder()] {
                report.new_folders.extend(self.storage.missing_folders(folder).await);
            }
        }
        self.unless_stopped(self.storage.prepare(folder)).await?;
        self.unless_stopped(report.store(&self.storage)).await?;
        report.is_begun = true;
        Ok(())
    }

    /// Warns of an output that is lost with the container.
    pub fn warn_if_lost(&self, output: &Location) {
        let (Location::Local(path), Some(container)) = (output, Container::detect()) else {
            return;
        };
        if container.place(path) == Place::Own {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            // A preview lies in the output that is to be mounted.
            let path =
                if path.ends_with(PREVIEW_DIR) { path.parent().unwrap_or(&path) } else { &path };
            let path = path.display();
            tracing::warn!(
                "the output {path} is in the container's own file system, and is lost with it \
                 (docker run --rm): to keep the output, mount a folder there, -v \
                 \"$PWD/out\":{path}, or give an S3 URI"
            );
        }
    }

    /// Stores the final report of an attempt, prints its metrics, and waits until abandoned
    /// uploads are aborted. A failure here never changes the result of the attempt.
    ///
    /// A command that a person has mistyped leaves nothing behind: an attempt that ends before it
    /// has [prepared](Self::prepare_output) a local output stores no report there, and folders that
    /// a failed attempt has made are removed if they are empty. Every attempt that a scheduler has
    /// started leaves a report, and the children of an array share their folders.
    pub async fn conclude(&self, mut report: Report, result: Result<(), &Error>) {
        report.finish(result);
        let is_mistake = result.is_err()
            && !report.is_begun
            && !self.attempt.is_unattended()
            && matches!(report.location(), Location::Local(_));
        if !is_mistake {
            self.store_report(&report, result).await;
        }
        if result.is_err() {
            self.storage.remove_empty(std::mem::take(&mut report.new_folders)).await;
        }
        let out_of_time = async {
            self.shutdown.no_time_to_report().await;
            sleep(FINAL_CLEANUP).await;
        };
        let cleanup = async {
            self.print_metrics(&report, result).await;
            self.storage.settle().await;
        };
        tokio::select! {
            () = cleanup => {}
            () = out_of_time => {}
            () = sleep(self.timeouts.short_report) => {}
        }
    }

    async fn store_report(&self, report: &Report, result: Result<(), &Error>) {
        // Storage that has just failed after all its retries gets only a short try.
        let storage_failed = matches!(result, Err(Error::Storage(_) | Error::NotStored { .. }));
        let StorageTimeouts { report: long, short_report: short, .. } = self.timeouts;
        let timeout = if storage_failed { short } else { long };
        let stored = report.store(&self.storage);
        match in_time(stored, self.shutdown.no_time_to_report(), timeout).await {
            Ok(()) => tracing::info!("report: {}", report.location()),
            Err(why) => tracing::warn!("cannot store the report {}: {why}", report.location()),
        }
    }
}

/// Waits for an upload that is useful but not required: for `timeout` at most, and only until
/// `out_of_time` completes.
///
/// # Errors
/// The reason why nothing was stored, as text.
pub async fn in_time(
    stored: impl Future<Output = Result<(), StorageError>>,
    out_of_time: impl Future<Output = ()>,
    timeout: Duration,
) -> Result<(), String> {
    tokio::select! {
        biased;
        () = out_of_time => Err("there is no time left".to_owned()),
        () = sleep(timeout) => Err("storage did not respond in time".to_owned()),
        stored = stored => stored.map_err(|error| chain(&error)),
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn optional_uploads_time_out() {
        let timeout = StorageTimeouts::default();
        let waits = [timeout.report, timeout.short_report, timeout.crash_file];
        for (timeout, seconds) in waits.into_iter().zip([60, 4, 15]) {
            let began = Instant::now();
            let stored = in_time(pending(), pending(), timeout).await;
            assert_eq!(stored, Err("storage did not respond in time".to_owned()));
            assert_eq!(began.elapsed().as_secs(), seconds);
            assert_eq!(in_time(ready(Ok(())), pending(), timeout).await, Ok(()));
            let stored = in_time(pending(), ready(()), timeout).await;
            assert_eq!(stored, Err("there is no time left".to_owned()));
        }
    }
}

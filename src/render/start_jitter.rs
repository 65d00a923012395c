//! When an attempt turns to storage: not in the same moment as all the others.

use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::sleep;

use crate::error::Error;
use crate::request::{Location, RenderJob};
use crate::worker::Worker;

/// What a person would wonder about who reads the log.
const WORTH_TELLING: Duration = Duration::from_secs(1);

/// Waits as `job` asks for, if anything of it lies on S3. Before the first report too: an
/// attempt that is told to stop meanwhile leaves nothing.
///
/// # Errors
/// If we were told to stop.
pub async fn wait(worker: &Worker, job: &RenderJob) -> Result<(), Error> {
    let wait = job.start_jitter.wait(fastrand::f64());
    let on_s3 = |location: &Location| matches!(location, Location::S3 { .. });
    if wait.is_zero() || !(on_s3(&job.scene) || on_s3(&job.output)) {
        return Ok(());
    }
    // The level must be known when this is compiled.
    macro_rules! say {
        ($level:ident) => {
            tracing::$level!(
                "S3 is first asked in {} ms, so that workers that start together do not ask \
                 together (--start-jitter, START_JITTER: up to {})",
                wait.as_millis(),
                job.start_jitter
            )
        };
    }
    if wait < WORTH_TELLING {
        say!(debug);
    } else {
        say!(info);
    }
    worker.unless_stopped(sleep(wait).map(Ok::<_, Error>)).await
}

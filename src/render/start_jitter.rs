//! A random delay before the first request to S3, so that workers that start together do not send
//! their requests together.

use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::sleep;

use crate::error::Error;
use crate::request::{Location, RenderJob};
use crate::worker::Worker;

/// A delay this long is logged at level info: a reader of the log would wonder about the pause.
const NOTICEABLE: Duration = Duration::from_secs(1);

/// Waits for a random part of the start jitter of `job`, if the scene or the output is on S3. Call
/// it before storing the first report: an attempt that is stopped meanwhile leaves nothing behind.
///
/// # Errors
/// [`Error::Interrupted`] if the job is stopped meanwhile.
pub async fn wait(worker: &Worker, job: &RenderJob) -> Result<(), Error> {
    let wait = job.start_jitter.wait(fastrand::f64());
    let on_s3 = |location: &Location| matches!(location, Location::S3 { .. });
    if wait.is_zero() || !(on_s3(&job.scene) || on_s3(&job.output)) {
        return Ok(());
    }
    // `tracing` needs the level at compile time.
    macro_rules! log {
        ($level:ident) => {
            tracing::$level!(
                "waiting {} ms before the first request to S3, so that workers that start \
                 together do not send it together (--start-jitter, START_JITTER: up to {})",
                wait.as_millis(),
                job.start_jitter
            )
        };
    }
    if wait < NOTICEABLE {
        log!(debug);
    } else {
        log!(info);
    }
    worker.unless_stopped(sleep(wait).map(Ok::<_, Error>)).await
}

//! Work that waits for the disk or takes its time, outside of the threads that answer requests.

use tokio::task::spawn_blocking;

use super::problem::{Problem, ProblemKind};

/// Does such work.
///
/// # Errors
/// The errors of the work.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let internal =
        |error| Problem::new(ProblemKind::Internal, format!("the request failed: {error}"));
    spawn_blocking(work).await.map_err(internal)?
}

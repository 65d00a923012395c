//! Timeouts of requests to S3: by size, or for as long as no bytes move.

use std::pin::pin;
use std::time::Duration;

use super::classify::{AttemptError, RetryAction};
use crate::aws::RESPONSE_TIMEOUT;
use crate::ending::Size;
use crate::http::Meter;

/// The slowest response that does not time out, in bytes a second.
const MIN_RATE: u64 = 32 * 1024;

/// The same for the content of an object, in bytes a second. The SDK notices when a body stalls;
/// this limit is for servers that send a byte now and then.
const MIN_CONTENT_RATE: u64 = 2 * 1024;

/// The same for bytes that the connection has taken and S3 has not acknowledged, in bytes a second.
/// They are in buffers of both machines, where their progress cannot be observed. The rate is lower
/// than [`MIN_RATE`] because all concurrent requests may share one slow network.
const MIN_UNACKNOWLEDGED_RATE: u64 = 16 * 1024;

/// How long a response of `bytes` bytes may take.
pub(crate) fn response_timeout(bytes: u64) -> Duration {
    RESPONSE_TIMEOUT + Duration::from_secs(bytes / MIN_RATE)
}

/// How long `bytes` bytes of an object's content may take to arrive.
pub(crate) fn content_timeout(bytes: u64) -> Duration {
    RESPONSE_TIMEOUT + Duration::from_secs(bytes / MIN_CONTENT_RATE)
}

/// Runs `work` for no longer than `timeout`. A server that hangs, or that sends a byte now and
/// then, must not block the worker.
///
/// # Errors
/// Those of `work`, or a transient one after `timeout`.
pub(crate) async fn with_timeout<T>(
    timeout: Duration,
    work: impl Future<Output = Result<T, AttemptError>>,
) -> Result<T, AttemptError> {
    tokio::time::timeout(timeout, work).await.unwrap_or_else(|_| {
        let seconds = timeout.as_secs();
        Err(AttemptError::transient(format!("no complete response within {seconds} s")))
    })
}

/// Runs `work`, a request whose body `meter` counts, for as long as the body makes progress,
/// however slow. The request has stalled if the connection takes no more bytes, or if it has taken
/// all of them and no response arrives.
///
/// # Errors
/// Those of `work`, or a transient one if the body has stalled.
pub(crate) async fn until_stalled<T>(
    meter: &Meter,
    work: impl Future<Output = Result<T, AttemptError>>,
) -> Result<T, AttemptError> {
    let (mut work, mut taken) = (pin!(work), meter.taken());
    loop {
        let bytes = *taken.borrow_and_update();
        let timeout = RESPONSE_TIMEOUT + Duration::from_secs(bytes / MIN_UNACKNOWLEDGED_RATE);
        tokio::select! {
            result = &mut work => return result,
            // Cannot fail: `meter` outlives the receiver.
            _ = taken.changed() => {}
            () = tokio::time::sleep(timeout) => {
                let (size, seconds) = (Size(bytes), timeout.as_secs());
                let text = format!("the upload stalled for {seconds} s after {size} were sent");
                // Fewer transfers at once may get through.
                let action = RetryAction::SlowDown;
                return Err(AttemptError { action, ..AttemptError::transient(text) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_upload_that_makes_progress_does_not_time_out_however_slow_it_is() {
        let meter = Meter::default();
        let slow = async {
            for _ in 0..1000 {
                tokio::time::sleep(RESPONSE_TIMEOUT.mul_f64(0.9)).await;
                meter.add(1);
            }
            Ok(())
        };
        assert!(until_stalled(&meter, slow).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn an_upload_that_stalls_times_out_later_the_more_bytes_are_unacknowledged() {
        for (bytes, seconds) in [(0, 30), (MIN_UNACKNOWLEDGED_RATE * 100, 130)] {
            let (meter, began) = (Meter::default(), tokio::time::Instant::now());
            meter.add(bytes);
            let failed = until_stalled(&meter, std::future::pending::<Result<(), _>>()).await;
            assert_eq!(failed.unwrap_err().action, RetryAction::SlowDown);
            assert_eq!(began.elapsed().as_secs(), seconds);
        }
    }
}

//! How long S3 may take for an answer, and for a body: by its size, or as long as it moves.

use std::pin::pin;
use std::time::Duration;

use super::classify::{AttemptError, RetryAction};
use crate::aws::ANSWER;
use crate::ending::Size;
use crate::http::Meter;

/// What is answered more slowly than this, in bytes a second, is taken for stalled.
const SLOWEST: u64 = 32 * 1024;

/// The same of the content of an object. It is seen to move, and when it stands still the SDK
/// notices; this is for servers that send a byte now and then.
const SLOWEST_CONTENT: u64 = 2 * 1024;

/// The same of what a connection has taken and S3 has not answered yet: it lies in buffers of
/// both machines, where nobody sees it move. Less, as all requests that are under way may wait
/// for one slow network.
const SLOWEST_UNSEEN: u64 = 16 * 1024;

/// How long an answer of so many bytes may take.
pub(crate) fn limit(bytes: u64) -> Duration {
    ANSWER + Duration::from_secs(bytes / SLOWEST)
}

/// How long so many bytes of an object's content may take to arrive.
pub(crate) fn arrival(bytes: u64) -> Duration {
    ANSWER + Duration::from_secs(bytes / SLOWEST_CONTENT)
}

/// Does `work`, unless it takes longer than that: a server that hangs, or that sends a byte
/// now and then, must not hang the worker.
///
/// # Errors
/// Those of `work`, or that it took too long.
pub(crate) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, AttemptError>>,
) -> Result<T, AttemptError> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result,
        Err(_) => {
            Err(AttemptError::passing(format!("no whole answer within {} s", limit.as_secs())))
        }
    }
}

/// Does `work`, a request with a body, unless nothing more of it moves: the connection takes
/// no more, or has taken all and there is no answer. However slow it is, what moves goes on.
///
/// # Errors
/// Those of `work`, or that nothing moved.
pub(crate) async fn while_moving<T>(
    meter: &Meter,
    work: impl Future<Output = Result<T, AttemptError>>,
) -> Result<T, AttemptError> {
    let (mut work, mut taken) = (pin!(work), meter.taken());
    loop {
        let bytes = *taken.borrow_and_update();
        let patience = ANSWER + Duration::from_secs(bytes / SLOWEST_UNSEEN);
        tokio::select! {
            result = &mut work => return result,
            // We hold the meter ourselves: it does not go away.
            _ = taken.changed() => {}
            () = tokio::time::sleep(patience) => {
                let (size, seconds) = (Size(bytes), patience.as_secs());
                let text = format!("{size} were sent, and then nothing moved for {seconds} s");
                // Perhaps fewer at once get through.
                return Err(AttemptError { action: RetryAction::Restraint, ..AttemptError::passing(text) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_moves_is_not_given_up_however_slow_it_is() {
        let meter = Meter::default();
        let slow = async {
            for _ in 0..1000 {
                tokio::time::sleep(ANSWER.mul_f64(0.9)).await;
                meter.add(1);
            }
            Ok(())
        };
        assert!(while_moving(&meter, slow).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_move_is_given_up_the_later_the_more_may_be_on_its_way() {
        for (bytes, seconds) in [(0, 30), (SLOWEST_UNSEEN * 100, 130)] {
            let (meter, began) = (Meter::default(), tokio::time::Instant::now());
            meter.add(bytes);
            let failed = while_moving(&meter, std::future::pending::<Result<(), _>>()).await;
            assert_eq!(failed.unwrap_err().action, RetryAction::Restraint);
            assert_eq!(began.elapsed().as_secs(), seconds);
        }
    }
}

//! Retries: one loop around each request and the body of its response, within one budget.
//!
//! The SDK's own retries are disabled. They do not cover bodies that arrive incomplete, credentials
//! that expire in the middle of a job, status 429, or uploads that were corrupted in transit. A
//! second loop around theirs would multiply the attempts.
//!
//! Permanent failures are not retried: a missing object, a missing permission.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use aws_sdk_s3::Client;

use super::classify::{AttemptError, RetryAction};
use super::retry_policy::RetryPolicy;
use crate::aws::has_static_keys;
use crate::error_chain::chain;
use crate::request::Transfers;
use crate::storage::Failure;
use crate::storage::s3::connection::Connection;

/// How long a request fails before the log warns of it.
const WARN_AFTER: Duration = Duration::from_secs(5);

/// Sends requests to one bucket, with retries.
#[derive(Clone, Debug)]
pub(crate) struct Requester {
    connection: Arc<Connection>,
    bucket: Arc<str>,
    policy: RetryPolicy,
    /// The number of retries, in all buckets.
    retries: Arc<AtomicU64>,
}

impl Requester {
    /// A requester for `bucket`. `retries` counts the retries in all buckets.
    pub(crate) fn new(
        config: &SdkConfig,
        bucket: &str,
        transfers: &Transfers,
        retries: &Arc<AtomicU64>,
    ) -> Self {
        Self {
            connection: Arc::new(Connection::new(config, transfers.requester_pays)),
            bucket: bucket.into(),
            policy: RetryPolicy::new(transfers.attempts),
            retries: Arc::clone(retries),
        }
    }

    /// The name of the bucket.
    pub(crate) fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Runs `attempt` until it succeeds, fails permanently, or the retry policy allows no more
    /// attempts. Each attempt gets the current client: one with expired credentials is replaced.
    /// Every attempt must have a timeout, such as
    /// [`with_timeout`](super::deadlines::with_timeout).
    ///
    /// # Errors
    /// The failure of the last attempt.
    pub(crate) async fn send<T, F>(
        &self,
        key: &str,
        attempt: impl Fn(Client) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, AttemptError>>,
    {
        self.send_classified(key, attempt).await.map_err(|failed| failed.failure)
    }

    /// The same as [`Requester::send`], with all details of the failure, such as the code of S3.
    ///
    /// # Errors
    /// The failure of the last attempt.
    pub(crate) async fn send_classified<T, F>(
        &self,
        key: &str,
        attempt: impl Fn(Client) -> F,
    ) -> Result<T, AttemptError>
    where
        F: Future<Output = Result<T, AttemptError>>,
    {
        let mut number = 1;
        let mut redirected = false;
        let mut first_failure = None;
        let mut warned = false;
        loop {
            let session = self.connection.session().await;
            // Boxed: futures of the SDK are large, and several of ours are nested around them.
            let failed = match Box::pin(attempt(session.client.clone())).await {
                Ok(result) => return Ok(result),
                Err(failed) => self.describe(failed),
            };
            if let Some(region) = failed.bucket_region.clone()
                && session.region() != Some(region.as_str())
                && !redirected
            {
                redirected = true;
                self.connection.move_to(&session, region).await;
                continue;
            }
            let failing = first_failure.get_or_insert_with(Instant::now).elapsed();
            let pause = match failed.action {
                RetryAction::None => None,
                RetryAction::Later | RetryAction::SlowDown | RetryAction::RenewCredentials => {
                    self.policy.pause(number, failing, failed.retry_after)
                }
            };
            let Some(pause) = pause else { return Err(last_error(failed)) };
            self.retries.fetch_add(1, Relaxed);
            let text = chain(&failed.failure);
            if failing >= WARN_AFTER && !warned {
                warned = true;
                tracing::warn!("s3://{}/{key}: {text}; retrying", self.bucket);
            } else {
                tracing::debug!(attempt = number, "s3://{}/{key}: {text}", self.bucket);
            }
            tokio::time::sleep(pause).await;
            if failed.action == RetryAction::RenewCredentials {
                self.connection.renew(&session, !failed.code.is_empty()).await;
            }
            number += 1;
        }
    }

    /// Adds the bucket's name to the error that it does not exist.
    fn describe(&self, failed: AttemptError) -> AttemptError {
        if failed.code != "NoSuchBucket" {
            return failed;
        }
        let text = format!(
            "there is no bucket {:?}; check its name, and that it is in the account's partition",
            self.bucket
        );
        AttemptError { failure: Failure::Missing(text.into()), ..failed }
    }
}

/// The error to return after the last attempt. Expired keys from variables cannot be renewed, so
/// another attempt of the job would fail as well.
fn last_error(failed: AttemptError) -> AttemptError {
    match failed.failure {
        Failure::Transient(cause)
            if failed.action == RetryAction::RenewCredentials
                && !failed.code.is_empty()
                && has_static_keys() =>
        {
            AttemptError { failure: Failure::Unrecognised(cause), ..failed }
        }
        failure => AttemptError { failure, ..failed },
    }
}

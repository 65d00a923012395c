//! Trying again: one loop around every request and the body of its answer, within one
//! budget.
//!
//! The SDK's own retries are switched off. They know nothing of bodies that do not arrive
//! whole, of credentials that expire in the middle of a job, of 429 or of an upload that
//! was spoilt on its way; and a loop of ours around theirs would multiply both.
//!
//! What is not retried is what time does not cure: a missing object, a missing right.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use aws_sdk_s3::Client;

use super::classify::{AttemptError, RetryAction};
use super::retry_policy::RetryPolicy;
use crate::aws::has_fixed_keys;
use crate::error_chain::chain;
use crate::request::Transfers;
use crate::storage::Failure;
use crate::storage::s3::connection::Connection;

/// For how long a request fails before that is worth a line in the log.
const WORTH_TELLING: Duration = Duration::from_secs(5);

/// Sends requests to one bucket, each as often as its retry policy allows.
#[derive(Clone, Debug)]
pub(crate) struct Requester {
    connection: Arc<Connection>,
    bucket: Arc<str>,
    policy: RetryPolicy,
    /// How many requests were sent again, to any bucket.
    retries: Arc<AtomicU64>,
}

impl Requester {
    /// For the bucket of that name, as `config` and `transfers` say.
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

    /// Does `attempt` until it succeeds, or fails in a way that time does not cure, or the
    /// patience is over. It is handed a client each time: that of an expired identity is
    /// replaced. Every attempt must end by itself; [`within`](super::deadlines::within) sees to it.
    ///
    /// # Errors
    /// How the last attempt failed.
    pub(crate) async fn persist<T, F>(
        &self,
        key: &str,
        attempt: impl Fn(Client) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, AttemptError>>,
    {
        self.try_until(key, attempt).await.map_err(|failed| failed.failure)
    }

    /// The same, for whom the code matters that S3 has for the failure.
    ///
    /// # Errors
    /// How the last attempt failed.
    pub(crate) async fn try_until<T, F>(
        &self,
        key: &str,
        attempt: impl Fn(Client) -> F,
    ) -> Result<T, AttemptError>
    where
        F: Future<Output = Result<T, AttemptError>>,
    {
        let mut number = 1;
        let mut followed = false;
        let mut first_failure = None;
        let mut told = false;
        loop {
            let session = self.connection.session().await;
            // Boxed: futures of the SDK are deep, and there are several layers of ours.
            let failed = match Box::pin(attempt(session.client.clone())).await {
                Ok(result) => return Ok(result),
                Err(failed) => self.describe(failed),
            };
            if let Some(home) = failed.home.clone()
                && session.region() != Some(home.as_str())
                && !followed
            {
                followed = true;
                self.connection.move_to(&session, home).await;
                continue;
            }
            let failing = first_failure.get_or_insert_with(Instant::now).elapsed();
            let pause = match failed.action {
                RetryAction::None => None,
                RetryAction::Time | RetryAction::Restraint | RetryAction::Credentials => {
                    self.policy.pause(number, failing, failed.retry_after)
                }
            };
            let Some(pause) = pause else { return Err(lasting(failed)) };
            self.retries.fetch_add(1, Relaxed);
            let text = chain(failed.failure.cause());
            if failing >= WORTH_TELLING && !told {
                told = true;
                tracing::warn!("s3://{}/{key}: {text}; trying again", self.bucket);
            } else {
                tracing::debug!(attempt = number, "s3://{}/{key}: {text}", self.bucket);
            }
            tokio::time::sleep(pause).await;
            if failed.action == RetryAction::Credentials {
                self.connection.renew(&session, !failed.code.is_empty()).await;
            }
            number += 1;
        }
    }

    /// Says which bucket it is that is not there.
    fn describe(&self, failed: AttemptError) -> AttemptError {
        if failed.code != "NoSuchBucket" {
            return failed;
        }
        let text = format!(
            "there is no bucket {:?}; is its name right, and is it in this account's partition?",
            self.bucket
        );
        AttemptError { failure: Failure::Missing(text.into()), ..failed }
    }
}

/// A failure that the patience is over for. Keys that have expired, and that nobody renews,
/// are no better in another attempt of the job.
fn lasting(failed: AttemptError) -> AttemptError {
    match failed.failure {
        Failure::Transient(cause)
            if failed.action == RetryAction::Credentials
                && !failed.code.is_empty()
                && has_fixed_keys() =>
        {
            AttemptError { failure: Failure::Unrecognised(cause), ..failed }
        }
        failure => AttemptError { failure, ..failed },
    }
}

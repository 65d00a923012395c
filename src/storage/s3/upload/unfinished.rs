//! Cancelled multipart uploads. The parts of an upload that is never completed stay in the bucket,
//! invisible but paid for. So dropping an upload aborts it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::labels::Labels;
use crate::error_chain::chain;
use crate::storage::Failure;
use crate::storage::s3::requests::classify::{AttemptError, attempt_error};
use crate::storage::s3::requests::deadlines::{response_timeout, with_timeout};
use crate::storage::s3::requests::requester::Requester;

/// How long aborting an upload may take.
const ABORT_TIMEOUT: Duration = Duration::from_secs(15);

/// Requests that run to their end even if the operation that they belong to is cancelled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Background(Arc<Mutex<JoinSet<()>>>);

impl Background {
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        // Without a runtime, the process is exiting, and can send no more requests.
        if let Ok(runtime) = Handle::try_current() {
            let mut tasks = self.tasks();
            while tasks.try_join_next().is_some() {}
            tasks.spawn_on(work, &runtime);
        }
    }

    /// Waits until all requests are finished. Dropping this future cancels those that are not.
    pub(crate) async fn settle(&self) {
        loop {
            // A request can start another: when a creation succeeds late, the upload is aborted.
            let mut tasks = std::mem::take(&mut *self.tasks());
            if tasks.is_empty() {
                return;
            }
            while tasks.join_next().await.is_some() {}
        }
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A multipart upload that was begun. Dropping it before it is complete aborts it, on an error as
/// well as on cancellation.
pub(crate) struct Unfinished {
    requester: Requester,
    background: Background,
    key: String,
    id: String,
    armed: bool,
}

impl Unfinished {
    /// Begins an upload. If this is cancelled, the request still runs to its end: without the ID in
    /// its response, the upload could not be aborted.
    pub(crate) async fn begin(
        requester: &Requester,
        background: &Background,
        key: &str,
        labels: Labels,
    ) -> Result<Self, AttemptError> {
        // Not armed: before the response there is nothing to abort.
        let mut upload = Self {
            requester: requester.clone(),
            background: background.clone(),
            key: key.to_owned(),
            id: String::new(),
            armed: false,
        };
        let (sender, receiver) = oneshot::channel();
        background.spawn(async move {
            let result = upload.create(&labels).await.map(|id| {
                upload.id = id;
                upload.armed = true;
                upload
            });
            // If the receiver is gone, the upload is dropped here, and so aborted.
            drop(sender.send(result));
        });
        match receiver.await {
            Ok(result) => result,
            Err(_) => Err(Failure::Transient("the program is ending".into()).into()),
        }
    }

    async fn create(&self, labels: &Labels) -> Result<String, AttemptError> {
        let created = self.requester.send_classified(&self.key, |client| {
            let request = client
                .create_multipart_upload()
                .bucket(self.requester.bucket())
                .key(&self.key)
                .set_content_type(labels.content_type.clone())
                .set_metadata(labels.metadata.clone())
                .checksum_algorithm(labels.algorithm())
                .set_checksum_type(labels.checksum_type());
            with_timeout(response_timeout(0), async { request.send().await.map_err(attempt_error) })
        });
        Ok(created.await?.upload_id.unwrap_or_default())
    }

    /// The upload ID.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Marks the upload as complete: it is not aborted.
    pub(crate) fn complete(mut self) {
        self.armed = false;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.armed {
            let abort = abort(self.requester.clone(), self.key.clone(), self.id.clone());
            self.background.spawn(async move { drop(timeout(ABORT_TIMEOUT, abort).await) });
        }
    }
}

/// Aborts an upload. A failure is only logged: the parts cost money, but do no other harm.
async fn abort(requester: Requester, key: String, id: String) {
    let aborted = requester.send(&key, |client| {
        let request = client.abort_multipart_upload().bucket(requester.bucket()).key(&key);
        let request = request.upload_id(&id);
        with_timeout(response_timeout(0), async {
            request.send().await.map(drop).map_err(attempt_error)
        })
    });
    if let Err(failure) = aborted.await {
        let why = chain(&failure);
        tracing::debug!(key, "cannot abort the multipart upload: {why}");
    }
}

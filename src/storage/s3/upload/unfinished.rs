//! Uploads in parts that are given up half way: parts that nobody completes are
//! stored, and paid for, invisibly. So whoever drops an upload has it aborted.

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
use crate::storage::s3::requests::deadlines::{limit, within};
use crate::storage::s3::requests::requester::Requester;

/// How long an upload in parts that failed may take to be aborted.
const ABORT: Duration = Duration::from_secs(15);

/// Requests that are finished even when nobody waits for what they were part of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Background(Arc<Mutex<JoinSet<()>>>);

impl Background {
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        // Without a runtime the process is ending, and nothing can be sent any more.
        if let Ok(runtime) = Handle::try_current() {
            let mut tasks = self.tasks();
            while tasks.try_join_next().is_some() {}
            tasks.spawn_on(work, &runtime);
        }
    }

    /// Waits until all of them are finished. Those that are not when this is dropped
    /// are given up.
    pub(crate) async fn settle(&self) {
        loop {
            // One may be followed by another: an answer that comes late, by an abort.
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

/// An upload in parts that was begun. Aborted when it is dropped before it is complete,
/// on an error as well as when it is given up half way.
pub(crate) struct Unfinished {
    requester: Requester,
    background: Background,
    key: String,
    id: String,
    armed: bool,
}

impl Unfinished {
    /// Begins an upload. Whoever gives up waiting for the answer does not know the
    /// upload's name, and cannot abort it: the answer is waited for all the same.
    pub(crate) async fn begin(
        requester: &Requester,
        background: &Background,
        key: &str,
        labels: Labels,
    ) -> Result<Self, AttemptError> {
        // Nothing to abort before there is an answer.
        let mut upload = Self {
            requester: requester.clone(),
            background: background.clone(),
            key: key.to_owned(),
            id: String::new(),
            armed: false,
        };
        let (tell, told) = oneshot::channel();
        background.spawn(async move {
            let answer = upload.create(&labels).await.map(|id| {
                upload.id = id;
                upload.armed = true;
                upload
            });
            // Dropped, and with that aborted, if nobody wants it any more.
            drop(tell.send(answer));
        });
        match told.await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::Transient("the program is ending".into()).into()),
        }
    }

    async fn create(&self, labels: &Labels) -> Result<String, AttemptError> {
        let created = self.requester.try_until(&self.key, |client| {
            let request = client
                .create_multipart_upload()
                .bucket(self.requester.bucket())
                .key(&self.key)
                .set_content_type(labels.content_type.clone())
                .set_metadata(labels.metadata.clone())
                .checksum_algorithm(labels.algorithm())
                .set_checksum_type(labels.checksum_type());
            within(limit(0), async { request.send().await.map_err(attempt_error) })
        });
        Ok(created.await?.upload_id.unwrap_or_default())
    }

    /// Its name.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// It is complete, and stays.
    pub(crate) fn complete(mut self) {
        self.armed = false;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.armed {
            let abort = abort(self.requester.clone(), self.key.clone(), self.id.clone());
            self.background.spawn(async move { drop(timeout(ABORT, abort).await) });
        }
    }
}

/// It may fail like everything else, and nothing depends on it but money.
async fn abort(requester: Requester, key: String, id: String) {
    let aborted = requester.persist(&key, |client| {
        let request = client.abort_multipart_upload().bucket(requester.bucket()).key(&key);
        let request = request.upload_id(&id);
        within(limit(0), async { request.send().await.map(drop).map_err(attempt_error) })
    });
    if let Err(failure) = aborted.await {
        let why = chain(failure.cause());
        tracing::debug!(key, "the upload in parts is not aborted: {why}");
    }
}

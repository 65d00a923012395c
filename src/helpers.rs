//! Programs that the AWS SDK starts for credentials (`credential_process` of a profile): what
//! aws and process share.
//!
//! They are children of ours that nobody else knows, and the supervisor of Blender waits for
//! every child it does not know and kills what Blender leaves behind. Neither may happen while
//! a helper is at work: its exit status would be lost, or its credentials. The children of a
//! process belong to the process as a whole, so there is one lock for all of it.

use std::thread::sleep;
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use tokio::sync::{RwLock, RwLockWriteGuard};

static AT_WORK: RwLock<()> = RwLock::const_new(());

/// How often it is looked whether a helper is done.
const PAUSE: Duration = Duration::from_millis(10);

/// While this is held, no helper is at work and none begins.
#[derive(Debug)]
pub struct NoHelper {
    _alone: RwLockWriteGuard<'static, ()>,
}

impl NoHelper {
    /// At once, or not at all.
    pub fn now() -> Option<Self> {
        AT_WORK.try_write().ok().map(|alone| Self { _alone: alone })
    }

    /// As soon as helpers are done; `None` if that takes longer than `limit`. Blocks.
    pub fn within(limit: Duration) -> Option<Self> {
        let began = Instant::now();
        loop {
            let alone = Self::now();
            if alone.is_some() || began.elapsed() > limit {
                return alone;
            }
            sleep(PAUSE);
        }
    }
}

/// A source of credentials that may start helpers.
#[derive(Debug)]
pub struct Announced(pub SharedCredentialsProvider);

impl ProvideCredentials for Announced {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let _at_work = AT_WORK.read().await;
            self.0.provide_credentials().await
        })
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        self.0.fallback_on_interrupt()
    }
}

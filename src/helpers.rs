//! A lock that protects credential helpers: programs that the AWS SDK starts for credentials
//! (`credential_process` of a profile).
//!
//! The supervisor of Blender reaps every child that it does not know, and kills processes that
//! Blender leaves behind. If it did so while a helper runs, the SDK would lose the helper's exit
//! status or its output. Children belong to the whole process, so there is one global lock.

use std::thread::sleep;
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use tokio::sync::{RwLock, RwLockWriteGuard};

/// Helpers hold it for reading, the supervisor for writing.
static LOCK: RwLock<()> = RwLock::const_new(());

/// The interval between two attempts to acquire the lock.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// A guard: while it exists, no helper runs and no helper is started.
#[derive(Debug)]
pub struct HelpersLocked {
    _guard: RwLockWriteGuard<'static, ()>,
}

impl HelpersLocked {
    /// Acquires the lock; `None` if a helper is running.
    pub fn try_acquire() -> Option<Self> {
        LOCK.try_write().ok().map(|guard| Self { _guard: guard })
    }

    /// Blocks until no helper is running, and acquires the lock; `None` after `timeout`.
    pub fn acquire_within(timeout: Duration) -> Option<Self> {
        let began = Instant::now();
        loop {
            let locked = Self::try_acquire();
            if locked.is_some() || began.elapsed() > timeout {
                return locked;
            }
            sleep(POLL_INTERVAL);
        }
    }
}

/// A credentials provider that holds the lock while it may run a helper.
#[derive(Debug)]
pub struct LockedProvider(pub SharedCredentialsProvider);

impl ProvideCredentials for LockedProvider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let _guard = LOCK.read().await;
            self.0.provide_credentials().await
        })
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        self.0.fallback_on_interrupt()
    }
}

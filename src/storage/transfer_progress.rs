//! How far a file has come that is being stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The most of a file that storage has taken so far, in any attempt at it. Clones are the same.
/// What one attempt after the other takes again and again is no progress.
#[derive(Clone, Debug, Default)]
pub struct TransferProgress(Arc<AtomicU64>);

impl TransferProgress {
    /// In bytes.
    pub fn bytes(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// An attempt has come so far.
    pub fn reached(&self, bytes: u64) {
        self.0.fetch_max(bytes, Relaxed);
    }
}

//! The progress of an upload.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The largest number of bytes of a file that any attempt has stored so far. An attempt that only
/// repeats an earlier one makes no progress. Clones share the count.
#[derive(Clone, Debug, Default)]
pub struct TransferProgress {
    reached: Arc<AtomicU64>,
    /// The bytes of the files that were uploaded before this one.
    before: u64,
}

impl TransferProgress {
    /// The progress of the next of several files, which share the count. All files before it, of
    /// this size in bytes, are uploaded.
    #[must_use]
    pub fn after(&self, before: u64) -> Self {
        self.reached.fetch_max(before, Relaxed);
        Self { reached: Arc::clone(&self.reached), before }
    }

    /// The progress in bytes.
    pub fn bytes(&self) -> u64 {
        self.reached.load(Relaxed)
    }

    /// Records that an attempt has stored `bytes` bytes.
    pub fn reached(&self, bytes: u64) {
        self.reached.fetch_max(self.before.saturating_add(bytes), Relaxed);
    }
}

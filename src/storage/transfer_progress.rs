//! The progress of an upload.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The largest number of bytes of a file that any attempt has stored so far. An attempt that only
/// repeats an earlier one makes no progress. Clones share the count.
#[derive(Clone, Debug, Default)]
pub struct TransferProgress(Arc<AtomicU64>);

impl TransferProgress {
    /// The progress in bytes.
    pub fn bytes(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Records that an attempt has stored `bytes` bytes.
    pub fn reached(&self, bytes: u64) {
        self.0.fetch_max(bytes, Relaxed);
    }
}

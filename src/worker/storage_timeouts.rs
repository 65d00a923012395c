//! How long is waited for storage that may never answer: all of it in one place, so that tests
//! need not wait for minutes.

use std::time::Duration;

/// How long is waited.
#[derive(Clone, Copy, Debug)]
pub struct StorageTimeouts {
    /// For how long no saved frame gets through that is tried before none is expected to:
    /// more than all attempts at one request take.
    pub storing: Duration,
    /// How long a saved frame waits for what is kept of its scene, which makes its fingerprint
    /// worth something.
    pub fingerprint: Duration,
    /// How long the last report of an attempt has to be stored.
    pub report: Duration,
    /// The same where storage has just failed at length.
    pub short_report: Duration,
    /// How long each file of a crash has to be stored.
    pub crash_file: Duration,
}

impl Default for StorageTimeouts {
    fn default() -> Self {
        Self {
            storing: Duration::from_mins(4),
            fingerprint: Duration::from_secs(20),
            report: Duration::from_mins(1),
            short_report: Duration::from_secs(4),
            crash_file: Duration::from_secs(15),
        }
    }
}

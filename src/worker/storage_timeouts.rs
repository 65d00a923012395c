//! Timeouts for storage that may never respond, in one place so that tests can shorten them.

use std::time::Duration;

/// How long the worker waits for storage.
#[derive(Clone, Copy, Debug)]
pub struct StorageTimeouts {
    /// How long uploads of saved frames may all fail before storage counts as
    /// lost. Longer than all
    /// retries of one request together.
    pub storing: Duration,
    /// How long a saved frame waits for its fingerprint, which is only of use once the list of
    /// the scene's external files is stored.
    pub fingerprint: Duration,
    /// The time limit for storing the final report of an attempt.
    pub report: Duration,
    /// The same limit after storage has failed despite all retries.
    pub short_report: Duration,
    /// The time limit for storing each crash file.
    pub crash_file: Duration,
    /// The time limit for storing each preview, and for making the contact sheet.
    pub preview: Duration,
    /// The time limit for storing a file that accompanies the frames, once Blender has ended.
    pub companion: Duration,
}

impl Default for StorageTimeouts {
    fn default() -> Self {
        Self {
            storing: Duration::from_mins(4),
            fingerprint: Duration::from_secs(20),
            report: Duration::from_mins(1),
            short_report: Duration::from_secs(4),
            crash_file: Duration::from_secs(15),
            preview: Duration::from_secs(15),
            companion: Duration::from_secs(20),
        }
    }
}

//! Times as the page has them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use crate::watch::millis;

/// The time of these milliseconds since 1970.
pub fn time_of(millis: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_millis(millis))
}

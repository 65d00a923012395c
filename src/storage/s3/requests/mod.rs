//! Requests to S3: their concurrency, timeouts, errors and retries.

pub mod adaptive_concurrency;
pub mod classify;
pub mod deadlines;
pub mod requester;
pub mod retry_policy;

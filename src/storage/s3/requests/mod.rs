//! A request to S3: how many run at once, how long each may take, what its failure means,
//! and when it is sent again.

pub mod adaptive_concurrency;
pub mod classify;
pub mod deadlines;
pub mod requester;
pub mod retry_policy;

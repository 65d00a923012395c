//! Requests about jobs on AWS Batch.

mod logs;
mod poll_interval;
mod slices;
mod submit;

pub use logs::LogsJob;
pub use poll_interval::PollInterval;
pub use slices::{PerChild, PricePerHour, Slices, TargetTime, TestFrames};
pub use submit::{
    Animation, AnimationFrames, JobId, JobName, JobTemplate, NamedFrames, RetryJob, StatusJob,
    StatusOf, SubmitJob, SubmitMode,
};

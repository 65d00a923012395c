//! The validated request of each subcommand.

mod bake;
mod farm;
mod inspect;
mod metrics;
mod name_pattern;
mod pack;
pub(super) mod render;
mod run;
mod serve;
mod stitch;
mod user_code;
mod webhook;

pub use bake::BakeJob;
pub use farm::{
    Animation, AnimationFrames, JobId, JobName, JobTemplate, LogsJob, NamedFrames, PerChild,
    PollInterval, PricePerHour, RetryJob, Slices, StatusJob, StatusOf, SubmitJob, SubmitMode,
    TargetTime, TestFrames,
};
pub use inspect::{DoctorJob, InspectJob};
pub use metrics::{Metrics, MetricsFormat};
pub use name_pattern::NamePattern;
pub use pack::{PackJob, ProjectName};
pub use render::{Cameras, RenderJob};
pub use run::RunJob;
pub use serve::{HostName, HostNames, ListenAddress, ServeJob};
pub use stitch::{PictureOrder, SequenceSelection, StitchJob};
pub use user_code::{AddonNames, ScriptFiles, UserCode};
pub use webhook::{Notify, Webhook, WebhookError};

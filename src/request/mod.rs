//! What was asked for: validated once, then never questioned again.
//!
//! Everything here is pure: no I/O, no clock, no environment. A value of one of
//! these types is proof that it was checked; each constructor is the one place
//! where its rule is written down, with a table test beside it.

mod attempt;
mod blender_version;
mod byte_size;
mod confinement;
mod feature;
mod frames;
mod grace;
mod inspect;
mod limits;
mod location;
mod metrics;
mod output;
mod render;
mod shard;
mod span;
mod start_jitter;
mod stitch;
mod submit;
mod transfers;
mod video;

pub use attempt::{ArrayPosition, Attempt, AttemptError};
pub use blender_version::BlenderVersion;
pub use byte_size::ByteSize;
pub use confinement::{Confinement, Paths, SandboxMode, VariableNames, sounds_secret};
pub use feature::{AllowMissing, Denoise, Feature};
pub use frames::{FrameNumber, FrameRange, FrameSet, FrameSetError, is_ascending};
pub use grace::StopGrace;
pub use inspect::InspectJob;
pub use limits::{BlenderAttempts, LimitError, Limits, StallTimeout, Timeout};
pub use location::{Location, LocationError, Slip};
pub use metrics::{Metrics, MetricsFormat};
pub use output::{FRAMES_DIR, FrameFile, ImageFormat, REPORTS_DIR};
pub use render::{CyclesDevice, Engine, RenderJob, ValueError, whole_number};
pub use shard::{
    FirstFrame, FrameSelection, FramesPerJob, LARGEST_ARRAY, SelectionError, TotalFrames,
};
pub use start_jitter::StartJitter;
pub use stitch::{SequenceSelection, StitchJob};
pub use submit::{
    Animation, AnimationFrames, JobId, JobName, JobTemplate, NamedFrames, PollInterval, StatusJob,
    SubmitJob, Then,
};
pub use transfers::{RequestPayer, Transfers, TransfersAtOnce};
pub use video::{Codec, Crf, FrameRate, OutputName, Preset, VideoSettings};

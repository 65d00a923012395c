//! What was asked for: validated once, then never questioned again.
//!
//! Everything here is pure: no I/O, no clock, no environment. A value of one of
//! these types is proof that it was checked; each constructor is the one place
//! where its rule is written down, with a table test beside it.

mod attempt;
mod blender_version;
mod confinement;
mod feature;
mod frame;
mod job;
mod limit;
mod location;
mod value;

pub use attempt::{ArrayPosition, Attempt, AttemptError};
pub use blender_version::BlenderVersion;
pub use confinement::{Confinement, Paths, SandboxMode, VariableNames, sounds_secret};
pub use feature::{AllowMissing, Denoise, Feature};
pub use frame::{
    FRAMES_DIR, FirstFrame, FrameFile, FrameNumber, FrameRange, FrameSelection, FrameSet,
    FrameSetError, FramesPerJob, ImageFormat, LARGEST_ARRAY, REPORTS_DIR, SelectionError,
    TotalFrames, is_ascending,
};
pub use job::{
    Animation, AnimationFrames, Codec, Crf, CyclesDevice, Engine, FrameRate, InspectJob, JobId,
    JobName, JobTemplate, Metrics, MetricsFormat, NamedFrames, OutputName, PollInterval, Preset,
    RenderJob, SequenceSelection, StatusJob, StitchJob, SubmitJob, Then, VideoSettings,
};
pub use limit::{
    BlenderAttempts, ByteSize, LimitError, Limits, RequestPayer, StallTimeout, StartJitter,
    StopGrace, Timeout, Transfers, TransfersAtOnce,
};
pub use location::{Location, LocationError, Slip};
pub use value::{ValueError, whole_number};

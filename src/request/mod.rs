//! The validated requests: frames, shards, locations, jobs and limits.
//!
//! Everything here is pure: no I/O, no clock, no environment. A value of one of these types is
//! valid by construction, so no other code validates it again. Each constructor is the only place
//! that knows its rule, with a table test beside it.

mod attempt;
mod blender_version;
mod confinement;
mod devices;
mod feature;
mod frame;
mod job;
mod limit;
mod location;
mod missing_files;
mod overrides;
mod project_path;
mod unbaked;
mod value;
mod video;

pub use attempt::{ArrayPosition, Attempt, AttemptError, Scheduler};
pub use blender_version::BlenderVersion;
pub use confinement::{Confinement, Paths, SandboxMode, VariableNames, is_secret_name};
pub use devices::{CyclesDevice, ProcessCount, Processes};
pub use feature::{AllowMissing, Feature};
pub use frame::{
    AnimationRange, FRAMES_DIR, FirstFrame, FrameFile, FrameNumber, FrameOrder, FrameRange,
    FrameSelection, FrameSet, FrameSetError, FramesPerJob, ImageFormat, LARGEST_ARRAY, OUTPUTS_DIR,
    PREVIEWS_DIR, REPORTS_DIR, SelectionError, Stride, TotalFrames, is_ascending,
};
pub use job::{
    AddonNames, Animation, AnimationFrames, BakeJob, Cameras, DoctorJob, HostName, HostNames,
    InspectJob, JobId, JobName, JobTemplate, ListenAddress, LogsJob, Metrics, MetricsFormat,
    NamePattern, NamedFrames, Notify, PackJob, PerChild, PictureOrder, PollInterval, PricePerHour,
    ProjectName, RenderJob, RetryJob, RunJob, ScriptFiles, SequenceSelection, ServeJob, Slices,
    StatusJob, StatusOf, StitchJob, SubmitJob, SubmitMode, TargetTime, TestFrames, UserCode,
    Webhook, WebhookError,
};
pub use limit::{
    BlenderAttempts, ByteSize, LimitError, Limits, RequestPayer, StallTimeout, StartJitter,
    StopGrace, Timeout, Transfers, TransfersAtOnce,
};
pub use location::{Location, LocationError, MANIFEST_SUFFIX, Mistake, PREVIEW_DIR};
pub use missing_files::MissingFiles;
pub use overrides::{
    Border, CameraChoice, ColorDepth, ColorMode, DataName, Denoise, Engine, OnOff, PathStep,
    PictureFormat, PropertySetting, PropertySettings, RenderOverrides, Resolution, Samples, Seed,
    Simplify, Threads, TimeLimit, ViewLayers,
};
pub use project_path::{PathError, ProjectPath};
pub use unbaked::Unbaked;
pub use value::{ValueError, whole_number};
pub use video::{
    BitDepth, BurnIn, BurnInItem, Codec, Colour, Corner, Crf, FrameRate, LayerName, Look,
    OutputName, PixelFormat, Preset, Sound, SoundOffset, VideoSettings, VideoSize, ViewTransform,
};

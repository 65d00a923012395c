//! Frames: their numbers, their files, and the share of them that each array child renders.

mod animation;
mod file;
mod order;
mod set;
mod shard;

pub use animation::{AnimationRange, FirstFrame, SelectionError, TotalFrames};
pub use file::{FRAMES_DIR, FrameFile, ImageFormat, OUTPUTS_DIR, PREVIEWS_DIR, REPORTS_DIR};
pub use order::FrameOrder;
pub use set::{FrameNumber, FrameRange, FrameSet, FrameSetError, is_ascending};
pub use shard::{FrameSelection, FramesPerJob, LARGEST_ARRAY, Stride};

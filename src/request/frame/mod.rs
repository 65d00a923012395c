//! Frames: their numbers, their files, and the share of them that each array child renders.

mod file;
mod set;
mod shard;

pub use file::{FRAMES_DIR, FrameFile, ImageFormat, REPORTS_DIR};
pub use set::{FrameNumber, FrameRange, FrameSet, FrameSetError, is_ascending};
pub use shard::{
    FirstFrame, FrameSelection, FramesPerJob, LARGEST_ARRAY, SelectionError, TotalFrames,
};

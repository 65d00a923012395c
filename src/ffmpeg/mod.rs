//! FFmpeg: how frames reach it, its command line, its progress, its failures, and
//! what `FFprobe` says of the result.
//!
//! Pure translation, as [`blender`](crate::blender). FFmpeg's exit status proves
//! little: it is 0 for a video that stops at a damaged frame, and a valid but short
//! file can be left by one that was stopped. What counts is the number of frames in
//! the result.

mod command;
mod failure;
mod ivf;
mod probe;
mod progress;

pub use command::{Encode, count_frames};
pub use failure::{Cause, LogTail};
pub use ivf::{FILE_HEADER, packet_header};
pub use probe::VideoInfo;
pub use progress::{Progress, ProgressParser};

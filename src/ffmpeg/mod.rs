//! FFmpeg: its command line, its progress and its failures, and `FFprobe`'s description of the
//! result. Its input is raw video.
//!
//! This module translates, as [`blender`](crate::blender) does. FFmpeg's exit status proves
//! little: it is 0 for a video that ends at a damaged frame, and an FFmpeg that was stopped can
//! leave a valid but short file. What counts is the number of frames in the result.

mod command;
mod encoders;
mod failure;
mod probe;
mod progress;
mod sound;

pub use command::{Encode, count_frames};
pub use encoders::{Encoders, list_encoders};
pub use failure::{Cause, LogTail};
pub use probe::VideoInfo;
pub use progress::{Progress, ProgressParser};
pub use sound::SoundTrack;

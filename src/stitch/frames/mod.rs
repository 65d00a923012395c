//! The frames of a video: fetched, decoded, made and fed to FFmpeg, all at the same time.

pub mod decoding;
pub mod feeder;
pub mod maker;
pub mod prefetch;
pub mod previews;

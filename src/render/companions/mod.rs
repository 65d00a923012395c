//! The files that accompany the frames: what `stitch` needs from Blender besides the pictures.
//!
//! No frame waits for them or fails for lack of one.

pub mod audio;
pub mod view_lut;

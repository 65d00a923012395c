//! Decodes images, and so checks that they are whole.
//!
//! Blender can report `Saved:` and exit with 0 although the disk is full. Blender 3.4 was seen to
//! leave OpenEXR, TIFF and WebP files that were empty or cut short. So the worker decodes each
//! frame before it delivers it, and again before it adds it to a video.
//!
//! A file that decodes is *whole*: everything that its headers promise is there, its checksums
//! match, and its data makes sense to the last byte. In formats without checksums, a changed byte
//! can go unnoticed if it only changes colours.
//!
//! Bytes after the end of an image are accepted in every format: the image itself is whole, and
//! decoders stop where it ends. Refusing such a frame would only render a good frame again.
//!
//! Invariants, whatever the bytes are: decoding never panics, and takes time in proportion to the
//! length of the file and the number of pixels.

pub mod burn_in;
pub mod contact_sheet;
mod damage;
mod decode;
mod flatten;
mod limits;
mod picture;
pub mod preview;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
mod text;
mod video_frame;
mod view;

pub use damage::Damage;
pub use decode::{check, decode, decode_any};
pub use limits::{MAX_DECODED, MAX_SIDE};
pub use picture::{Ignored, Picture, PixelAspect};
pub use video_frame::FrameFormat;
pub use view::{Lut, StoredLut, View, axis};

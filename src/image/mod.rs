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
mod exr;
mod limits;
mod picture;
pub mod preview;
mod reader;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
mod text;
mod tiff;
mod video_frame;
mod view;

use std::io::{BufRead, Seek};

use crate::request::ImageFormat;
pub use damage::Damage;
pub use decode::decode;
pub use limits::{MAX_DECODED, MAX_SIDE};
pub use picture::{Picture, PixelAspect};
use reader::Source;
pub use video_frame::FrameFormat;
pub use view::{Lut, StoredLut, View, axis};

/// The properties of an image that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The width in pixels, never 0. For OpenEXR this is the width of the display window, which
    /// FFmpeg decodes.
    pub width: u32,
    /// The height in pixels, never 0.
    pub height: u32,
    /// The layer that holds the rendered picture, if it is not in plain channels:
    /// `ViewLayer.Combined` in Blender's multilayer OpenEXR files. FFmpeg needs it for `-layer`.
    pub layer: Option<String>,
    /// The part of a multipart OpenEXR file that holds the picture, from 0.
    ///
    /// FFmpeg decodes only part 0 correctly. With `-part 1` it combines the header of the second
    /// part with the pixels of the first, and reports no error (seen in FFmpeg 5.1; the source of
    /// FFmpeg 7 is no different).
    pub part: u32,
}

impl Frame {
    /// A frame in plain channels, whose size was read at `offset`.
    fn plain(width: u32, height: u32, offset: u64) -> Result<Self, Damage> {
        if width == 0 || height == 0 {
            return Err(Damage::Corrupt { what: "the image has a width or height of 0", offset });
        }
        Ok(Self { width, height, layer: None, part: 0 })
    }
}

/// Checks that `reader` holds, from its first byte on, one whole image of `format`.
///
/// # Errors
/// The [`Damage`]: the first thing that is missing or wrong.
pub fn check<R: BufRead + Seek>(format: ImageFormat, mut reader: R) -> Result<Frame, Damage> {
    let mut file = Vec::new();
    reader.read_to_end(&mut file)?;
    match format {
        // XXX Interim: until their decoders are here.
        ImageFormat::OpenExr | ImageFormat::Tiff => {
            decode::check_signature(format, &file)?;
            let mut source = Source::new(std::io::Cursor::new(&file))?;
            if format == ImageFormat::Tiff {
                tiff::check(&mut source)
            } else {
                exr::check(&mut source)
            }
        }
        _ => {
            let Picture { pixels, layer, .. } = decode(format, &file, None)?;
            Ok(Frame { width: pixels.width(), height: pixels.height(), layer, part: 0 })
        }
    }
}

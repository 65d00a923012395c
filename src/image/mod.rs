//! Checks whether an image file is whole.
//!
//! Blender can report `Saved:` and exit with 0 although the disk is full. Blender 3.4 was seen to
//! leave OpenEXR, TIFF and WebP files that were empty or cut short. FFmpeg does not notice,
//! either: it decodes a picture from an OpenEXR file that is cut short, and reports no error. So
//! the worker walks each frame's file from its first structure to its last, before it delivers
//! the frame and again before it adds the frame to a video.
//!
//! *Whole* means that everything that the file's headers promise is there. Pixels are not
//! decoded. PNG carries checksums, which are verified. In the other formats, a changed byte in
//! the middle of compressed pixels goes unnoticed.
//!
//! Bytes after the end of an image are accepted in every format: the image itself is whole, and
//! decoders stop where it ends. Refusing such a frame would only render a good frame again.
//!
//! Invariants, whatever the bytes are: a check never panics, takes time in proportion to the
//! length of the file, and holds at most a few hundred kilobytes.

mod damage;
mod decode;
mod exr;
mod jpeg;
mod limits;
mod picture;
mod png;
mod reader;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
mod tiff;
mod video_frame;
mod view;
mod webp;

use std::io::{BufRead, Seek};

use crate::placeholder::Placeholder;
use crate::request::ImageFormat;
pub use damage::Damage;
pub use decode::decode;
pub use limits::{MAX_DECODED, MAX_SIDE};
pub use picture::{Picture, PixelAspect};
use reader::Source;
pub use video_frame::FrameFormat;
pub use view::View;

/// The format whose files begin with these bytes.
fn format_of(head: [u8; SIGNATURE_LENGTH]) -> Option<ImageFormat> {
    match head {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Some(ImageFormat::Png),
        [0xFF, 0xD8, 0xFF, ..] => Some(ImageFormat::Jpeg),
        [0x76, 0x2F, 0x31, 0x01, ..] => Some(ImageFormat::OpenExr),
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(ImageFormat::Tiff),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P'] => Some(ImageFormat::WebP),
        _ => None,
    }
}

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

/// The length of the longest signature, in bytes. Every image is longer.
const SIGNATURE_LENGTH: usize = 12;

/// Checks that `reader` holds, from its first byte on, one whole image of `format`.
///
/// # Errors
/// The [`Damage`]: the first thing that is missing or wrong.
pub fn check<R: BufRead + Seek>(format: ImageFormat, reader: R) -> Result<Frame, Damage> {
    let mut source = Source::new(reader)?;
    let found = format_of(source.bytes("the signature")?);
    if found.is_none() {
        source.seek(0, "the signature")?;
        let start = source.bytes::<{ Placeholder::ENOUGH }>("the signature").unwrap_or_default();
        if let Some(placeholder) = Placeholder::of(&start) {
            return Err(Damage::Placeholder(placeholder));
        }
    }
    if found != Some(format) {
        return Err(Damage::WrongFormat { expected: format, found });
    }
    source.seek(0, "the signature")?;
    match format {
        ImageFormat::Png => png::check(&mut source),
        ImageFormat::Jpeg => jpeg::check(&mut source),
        ImageFormat::OpenExr => exr::check(&mut source),
        ImageFormat::Tiff => tiff::check(&mut source),
        ImageFormat::WebP => webp::check(&mut source),
        // XXX Interim.
        ImageFormat::Bmp | ImageFormat::Tga | ImageFormat::Hdr | ImageFormat::Gif => {
            Frame::plain(0, 0, 0)
        }
    }
}

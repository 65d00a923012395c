//! Proves that an image file is whole.
//!
//! Blender can report `Saved:` and exit with 0 although the disk is full. Seen
//! in Blender 3.4: OpenEXR, TIFF and WebP files that were empty or cut. FFmpeg
//! is no judge of them either: it makes a picture of a cut OpenEXR file and
//! reports no error. So each frame is walked from its first structure to its
//! last before it is delivered, and again before it becomes part of a video.
//!
//! *Whole* means: everything the file says it holds is there. Pixels are not
//! decoded. Only PNG carries checksums, and they are verified; in the other
//! formats, a changed byte in the middle of compressed pixels stays unseen.
//!
//! Bytes after the end of an image are accepted in every format: the image
//! itself is whole, and decoders stop where it ends. To refuse such a frame
//! would mean to render a good one again.
//!
//! Invariants, whatever the bytes are: a check never panics, takes time in
//! proportion to the length of the file, and holds at most a few hundred
//! kilobytes.

mod damage;
mod exr;
mod jpeg;
mod png;
mod reader;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
mod tiff;
mod webp;

use std::io::{BufRead, Seek};

use crate::placeholder::Placeholder;
use crate::request::ImageFormat;
pub use damage::Damage;
use reader::Source;

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

/// What is known of a frame that was found whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Width in pixels, never 0. In OpenEXR this is the display window, the
    /// size of the picture FFmpeg makes of it.
    pub width: u32,
    /// Height in pixels, never 0.
    pub height: u32,
    /// The layer that holds the rendered picture when it is not in plain
    /// channels: `ViewLayer.Combined` in a multilayer OpenEXR file by Blender.
    /// FFmpeg finds the picture only when told (`-layer`).
    pub layer: Option<String>,
    /// The part of a multipart OpenEXR file that holds the picture, from 0.
    ///
    /// FFmpeg decodes only part 0 correctly. With `-part 1` it takes the header
    /// of the second part and the pixels of the first, and reports no error
    /// (seen in FFmpeg 5.1; the source of FFmpeg 7 is no different).
    pub part: u32,
}

impl Frame {
    /// A frame in plain channels; its size was read at `offset`.
    fn plain(width: u32, height: u32, offset: u64) -> Result<Self, Damage> {
        if width == 0 || height == 0 {
            return Err(Damage::Corrupt { what: "the image has a width or height of 0", offset });
        }
        Ok(Self { width, height, layer: None, part: 0 })
    }
}

/// Long enough for the longest signature, and shorter than any image.
const SIGNATURE_LENGTH: usize = 12;

/// Says whether `reader` is, from its first byte, one whole image of `format`.
///
/// # Errors
///
/// [`Damage`] tells what is missing or wrong.
pub fn check<R: BufRead + Seek>(format: ImageFormat, reader: R) -> Result<Frame, Damage> {
    let mut source = Source::new(reader)?;
    let found = format_of(source.bytes("the signature")?);
    if found.is_none() {
        source.seek(0, "the signature")?;
        let start = source.bytes::<{ Placeholder::ENOUGH }>("the signature").unwrap_or_default();
        if let Some(placeholder) = Placeholder::of(&start) {
            return Err(Damage::Instead(placeholder));
        }
    }
    if found != Some(format) {
        return Err(Damage::NotThisFormat { expected: format, found });
    }
    source.seek(0, "the signature")?;
    match format {
        ImageFormat::Png => png::check(&mut source),
        ImageFormat::Jpeg => jpeg::check(&mut source),
        ImageFormat::OpenExr => exr::check(&mut source),
        ImageFormat::Tiff => tiff::check(&mut source),
        ImageFormat::WebP => webp::check(&mut source),
    }
}

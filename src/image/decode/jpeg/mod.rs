//! JPEG: baseline and progressive, of 8 bits.
//!
//! JPEG has no checksum. The worker reads every code of the image data itself, because decoders
//! fill up missing data and paint grey. A changed bit is noticed where it puts the codes out of
//! step. A bit that only changes a brightness goes unnoticed.

mod colour;
mod frame;
mod huffman;
mod scan;
#[cfg(test)]
mod tests;
mod walk;

use std::io::Cursor;

use ::image::{DynamicImage, GrayImage, RgbImage};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::image::{Damage, Ignored, Picture};
use colour::Colours;
use walk::{Jpeg, walk};

pub(super) fn decode(file: &[u8]) -> Result<Picture, Damage> {
    let (jpeg, components) = components(file)?;
    let Jpeg { frame, colours, pixel_aspect, orientation, profile, .. } = jpeg;
    let (width, height) = (u32::from(frame.width), u32::from(frame.height));
    let shown = colours.shown(components);
    let pixels = if colours == Colours::Grey {
        GrayImage::from_raw(width, height, shown).map(DynamicImage::ImageLuma8)
    } else {
        RgbImage::from_raw(width, height, shown).map(DynamicImage::ImageRgb8)
    };
    let pixels = pixels.ok_or_else(|| Damage::Undecodable("pixels are missing".to_owned()))?;
    let ignored = profile.map(Ignored::Profile);
    Ok(Picture { pixel_aspect, ignored, ..Picture::plain(pixels) }.oriented(orientation))
}

/// The width and height that a JPEG says it has, before EXIF turns it; `None` if it says none.
pub(in crate::image) fn size(file: &[u8]) -> Option<(u32, u32)> {
    let mut decoder = JpegDecoder::new(Cursor::new(file));
    decoder.decode_headers().ok()?;
    let info = decoder.info()?;
    Some((info.width.into(), info.height.into()))
}

/// A JPEG image within a file of another format.
pub(super) struct Embedded {
    pub(super) width: u32,
    pub(super) height: u32,
    /// The components of each pixel.
    pub(super) components: Vec<u8>,
}

/// Decodes a JPEG image within a file of another format, which says what its components are:
/// luminance and colour differences, which are converted to RGB, or others, which are not.
pub(super) fn embedded(file: &[u8], ycbcr: bool) -> Result<Embedded, Damage> {
    let (Jpeg { frame, .. }, components) = components(file)?;
    let components = if ycbcr { Colours::YCbCr.shown(components) } else { components };
    Ok(Embedded { width: frame.width.into(), height: frame.height.into(), components })
}

/// The image in `file`, and the components of each of its pixels as they are stored.
fn components(file: &[u8]) -> Result<(Jpeg, Vec<u8>), Damage> {
    let jpeg = walk(file)?;
    let mut options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(jpeg.frame.width.into())
        .set_max_height(jpeg.frame.height.into());
    let mut decoder = JpegDecoder::new_with_options(Cursor::new(&jpeg.essence), options);
    let damage = |error: zune_jpeg::errors::DecodeErrors| {
        Damage::Undecodable(error.to_string().trim_matches('"').to_owned())
    };
    decoder.decode_headers().map_err(damage)?;
    let stored = decoder.input_colorspace().unwrap_or(ColorSpace::RGB);
    options = options.jpeg_set_out_colorspace(stored);
    decoder.set_options(options);
    let components = decoder.decode().map_err(damage)?;
    Ok((jpeg, components))
}

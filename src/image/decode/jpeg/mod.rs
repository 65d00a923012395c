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

use crate::image::{Damage, Picture};
use colour::Colours;
use walk::{Jpeg, walk};

pub(super) fn decode(file: &[u8]) -> Result<Picture, Damage> {
    let Jpeg { frame, colours, pixel_aspect, orientation, essence } = walk(file)?;
    let (width, height) = (frame.width, frame.height);
    let mut options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(width.into())
        .set_max_height(height.into());
    let mut decoder = JpegDecoder::new_with_options(Cursor::new(&essence), options);
    let damage = |error: zune_jpeg::errors::DecodeErrors| {
        Damage::Undecodable(error.to_string().trim_matches('"').to_owned())
    };
    decoder.decode_headers().map_err(damage)?;
    // The components as they are stored.
    let stored = decoder.input_colorspace().unwrap_or(ColorSpace::RGB);
    options = options.jpeg_set_out_colorspace(stored);
    decoder.set_options(options);
    let components = decoder.decode().map_err(damage)?;

    let (width, height) = (u32::from(width), u32::from(height));
    let shown = colours.shown(components);
    let pixels = if colours == Colours::Grey {
        GrayImage::from_raw(width, height, shown).map(DynamicImage::ImageLuma8)
    } else {
        RgbImage::from_raw(width, height, shown).map(DynamicImage::ImageRgb8)
    };
    let pixels = pixels.ok_or_else(|| Damage::Undecodable("pixels are missing".to_owned()))?;
    Ok(Picture { pixel_aspect, ..Picture::plain(pixels) }.oriented(orientation))
}

//! PNG, after its [specification][spec], third edition.
//!
//! Every chunk has a checksum, and the pixels have another. All of them are verified, from the
//! signature to IEND.
//!
//! [spec]: https://www.w3.org/TR/png-3/

use std::io::{Cursor, ErrorKind};

use ::image::metadata::Orientation;
use ::image::{DynamicImage, ImageBuffer, Pixel};
use ::png::{
    BitDepth, ColorType, DecodeOptions, Decoder, DecodingError, PixelDimensions, Transformations,
};

use super::size::check_size;
use crate::image::{Damage, Picture, PixelAspect};

pub(super) fn decode(file: &[u8]) -> Result<Picture, Damage> {
    let damage = |error| match error {
        DecodingError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Damage::truncated(file, "a chunk")
        }
        error => Damage::Undecodable(error.to_string()),
    };
    let mut options = DecodeOptions::default();
    options.set_ignore_adler32(false);
    options.set_skip_ancillary_crc_failures(false);
    // A few bytes of them can unpack to any size.
    options.set_ignore_text_chunk(true);
    options.set_ignore_iccp_chunk(true);
    let mut decoder = Decoder::new_with_options(Cursor::new(file), options);
    // To bytes or words, without a palette or a transparent colour.
    decoder.set_transformations(Transformations::EXPAND);
    let header = decoder.read_header_info().map_err(damage)?;
    check_size(header.width, header.height, 1)?;

    let mut reader = decoder.read_info().map_err(damage)?;
    let (colour, depth) = reader.output_color_type();
    let info = reader.info();
    let (width, height) = info.size();
    let pixel_aspect = info.pixel_dims.map_or(PixelAspect::SQUARE, pixel_aspect);
    let orientation = info.exif_metadata.as_deref().and_then(Orientation::from_exif_chunk);
    if info.animation_control.is_some_and(|animation| animation.num_frames > 1) {
        return Err(Damage::Animation);
    }
    let bytes_per_sample = if depth == BitDepth::Sixteen { 2 } else { 1 };
    check_size(width, height, colour.samples() as u64 * bytes_per_sample)?;

    let size = reader.output_buffer_size().unwrap_or_default();
    let mut bytes = vec![0; size];
    reader.next_frame(&mut bytes).map_err(damage)?;
    reader.finish().map_err(damage)?;

    let pixels = match (colour, depth) {
        (ColorType::Grayscale, BitDepth::Sixteen) => {
            words(width, height, &bytes).map(DynamicImage::ImageLuma16)
        }
        (ColorType::GrayscaleAlpha, BitDepth::Sixteen) => {
            words(width, height, &bytes).map(DynamicImage::ImageLumaA16)
        }
        (ColorType::Rgb, BitDepth::Sixteen) => {
            words(width, height, &bytes).map(DynamicImage::ImageRgb16)
        }
        (ColorType::Rgba, BitDepth::Sixteen) => {
            words(width, height, &bytes).map(DynamicImage::ImageRgba16)
        }
        (ColorType::Grayscale, _) => {
            ImageBuffer::from_raw(width, height, bytes).map(DynamicImage::ImageLuma8)
        }
        (ColorType::GrayscaleAlpha, _) => {
            ImageBuffer::from_raw(width, height, bytes).map(DynamicImage::ImageLumaA8)
        }
        (ColorType::Rgb | ColorType::Indexed, _) => {
            ImageBuffer::from_raw(width, height, bytes).map(DynamicImage::ImageRgb8)
        }
        (ColorType::Rgba, _) => {
            ImageBuffer::from_raw(width, height, bytes).map(DynamicImage::ImageRgba8)
        }
    };
    let pixels = pixels.ok_or_else(|| Damage::Undecodable("pixels are missing".to_owned()))?;
    let picture = Picture { pixel_aspect, ..Picture::plain(pixels) };
    Ok(picture.oriented(orientation.unwrap_or(Orientation::NoTransforms)))
}

/// The shape of a pixel in an image with so many pixels per unit of length.
fn pixel_aspect(density: PixelDimensions) -> PixelAspect {
    PixelAspect::new(density.yppu, density.xppu)
}

/// Pixels of big-endian words.
fn words<P: Pixel<Subpixel = u16>>(
    width: u32,
    height: u32,
    bytes: &[u8],
) -> Option<ImageBuffer<P, Vec<u16>>> {
    let (pairs, _) = bytes.as_chunks::<2>();
    let words = pairs.iter().map(|&pair| u16::from_be_bytes(pair)).collect();
    ImageBuffer::from_raw(width, height, words)
}

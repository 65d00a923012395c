//! PNG, after its [specification][spec], third edition.
//!
//! Every chunk has a checksum, and the pixels have another. All of them are verified, from the
//! signature to IEND.
//!
//! [spec]: https://www.w3.org/TR/png-3/

use std::io::{Cursor, ErrorKind};

use ::image::DynamicImage::{
    self, ImageLuma8, ImageLuma16, ImageLumaA8, ImageLumaA16, ImageRgb8, ImageRgb16, ImageRgba8,
    ImageRgba16,
};
use ::image::ImageBuffer;
use ::image::metadata::Orientation;
use ::png::{
    BitDepth, ColorType, DecodeOptions, Decoder, DecodingError, PixelDimensions, Transformations,
};

use super::profile::other_than_srgb;
use super::size::check_size;
use crate::image::{Damage, Ignored, Picture, PixelAspect};

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
    // A few bytes of them can unpack to any size. Profiles have a limit, 64 MiB.
    options.set_ignore_text_chunk(true);
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
    let profile = info.icc_profile.as_deref().and_then(other_than_srgb);
    if info.animation_control.is_some_and(|animation| animation.num_frames > 1) {
        return Err(Damage::Animation);
    }
    let bytes_per_sample = if depth == BitDepth::Sixteen { 2 } else { 1 };
    check_size(width, height, colour.samples() as u64 * bytes_per_sample)?;

    let size = reader.output_buffer_size().unwrap_or_default();
    let mut bytes = vec![0; size];
    reader.next_frame(&mut bytes).map_err(damage)?;
    reader.finish().map_err(damage)?;

    let pixels = if depth == BitDepth::Sixteen {
        let (pairs, _) = bytes.as_chunks::<2>();
        let words = pairs.iter().map(|&pair| u16::from_be_bytes(pair)).collect();
        pixels_of_words(colour, width, height, words)
    } else {
        pixels_of_bytes(colour, width, height, bytes)
    };
    let pixels = pixels.ok_or_else(|| Damage::Undecodable("pixels are missing".to_owned()))?;
    let ignored = profile.map(Ignored::Profile);
    let picture = Picture { pixel_aspect, ignored, ..Picture::plain(pixels) };
    Ok(picture.oriented(orientation.unwrap_or(Orientation::NoTransforms)))
}

/// The shape of a pixel in an image with so many pixels per unit of length.
fn pixel_aspect(density: PixelDimensions) -> PixelAspect {
    PixelAspect::new(density.yppu, density.xppu)
}

fn pixels_of_bytes(
    colour: ColorType,
    width: u32,
    height: u32,
    bytes: Vec<u8>,
) -> Option<DynamicImage> {
    match colour {
        ColorType::Grayscale => ImageBuffer::from_raw(width, height, bytes).map(ImageLuma8),
        ColorType::GrayscaleAlpha => ImageBuffer::from_raw(width, height, bytes).map(ImageLumaA8),
        ColorType::Rgb => ImageBuffer::from_raw(width, height, bytes).map(ImageRgb8),
        ColorType::Rgba => ImageBuffer::from_raw(width, height, bytes).map(ImageRgba8),
        // They were expanded.
        ColorType::Indexed => None,
    }
}

fn pixels_of_words(
    colour: ColorType,
    width: u32,
    height: u32,
    words: Vec<u16>,
) -> Option<DynamicImage> {
    match colour {
        ColorType::Grayscale => ImageBuffer::from_raw(width, height, words).map(ImageLuma16),
        ColorType::GrayscaleAlpha => ImageBuffer::from_raw(width, height, words).map(ImageLumaA16),
        ColorType::Rgb => ImageBuffer::from_raw(width, height, words).map(ImageRgb16),
        ColorType::Rgba => ImageBuffer::from_raw(width, height, words).map(ImageRgba16),
        // Indexes have at most 8 bits.
        ColorType::Indexed => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::samples::{Sample, named, of};
    use crate::request::ImageFormat;

    /// A chunk of a PNG file.
    fn chunk(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len()).unwrap().to_be_bytes();
        let body = [&kind, content].concat();
        [&length[..], &body, &crc32fast::hash(&body).to_be_bytes()].concat()
    }

    /// Changes the first chunk of a kind, from its name on, and updates its checksum to match.
    fn forge(
        sample: &Sample,
        kind: [u8; 4],
        change: impl FnOnce(&mut [u8]),
    ) -> Result<Picture, Damage> {
        let at = sample.position_of(&kind);
        sample.changed(|bytes| {
            let length: [u8; 4] = bytes[at - 4..at].try_into().unwrap();
            let end = at + 4 + u32::from_be_bytes(length) as usize;
            change(&mut bytes[at..end]);
            let checksum = crc32fast::hash(&bytes[at..end]);
            bytes[end..end + 4].copy_from_slice(&checksum.to_be_bytes());
        })
    }

    /// Puts a chunk behind the header.
    fn with(sample: &Sample, chunk: &[u8]) -> Result<Picture, Damage> {
        const HEADER_END: usize = 33;
        sample.changed(|bytes| drop(bytes.splice(HEADER_END..HEADER_END, chunk.to_vec())))
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        for sample in of(ImageFormat::Png) {
            for at in 0..sample.bytes.len() {
                for bit in 0..8 {
                    let result = sample.changed(|bytes| bytes[at] ^= 1 << bit);
                    assert!(result.is_err(), "{} byte {at} bit {bit}", sample.name);
                }
            }
        }
    }

    #[test]
    fn zeros_at_the_end_are_noticed() {
        for sample in of(ImageFormat::Png) {
            assert!(sample.zeroed_tails_unnoticed().is_empty(), "{}", sample.name);
        }
    }

    #[test]
    fn the_header_has_to_describe_an_image() {
        let sample = named("blender-rgb-8.png");
        let header = |at: usize, value: u8| forge(sample, *b"IHDR", |chunk| chunk[4 + at] = value);
        // Width, height, bit depth, colour type, compression, filter, interlace.
        for (at, value) in [(3, 0), (7, 0), (8, 3), (9, 1), (9, 5), (10, 1), (11, 1), (12, 2)] {
            assert!(header(at, value).is_err(), "{at} {value}");
        }
    }

    #[test]
    fn a_giant_size_is_refused_before_memory_is_taken() {
        let sample = named("blender-rgb-8.png");
        for size in [[0, 0, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF], [0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 1]] {
            let result = forge(sample, *b"IHDR", |chunk| chunk[4..12].copy_from_slice(&size));
            assert!(matches!(result, Err(Damage::TooLarge { .. })));
        }
    }

    #[test]
    fn the_header_comes_first_and_only_once() {
        let sample = named("blender-rgb-8.png");
        assert!(forge(sample, *b"IHDR", |chunk| chunk[..4].copy_from_slice(b"tEXt")).is_err());
        let header = &sample.bytes[8..33];
        assert!(with(sample, header).is_err());
    }

    #[test]
    fn there_has_to_be_image_data() {
        let sample = named("blender-rgb-8.png");
        assert!(forge(sample, *b"IDAT", |chunk| chunk[..4].copy_from_slice(b"tEXt")).is_err());
    }

    #[test]
    fn an_animation_of_one_frame_is_a_picture() {
        let animation = |frames: u8| chunk(*b"acTL", &[0, 0, 0, frames, 0, 0, 0, 0]);
        let sample = named("pillow-rgb.png");
        let picture = with(sample, &animation(1)).unwrap();
        assert_eq!(picture.pixels, sample.decode().unwrap().pixels);
        assert!(matches!(with(sample, &animation(2)), Err(Damage::Animation)));
    }

    #[test]
    fn the_shape_of_a_pixel_is_the_inverse_of_its_density() {
        let sample = named("pillow-rgb.png");
        for unit in [0, 1] {
            let picture = with(sample, &chunk(*b"pHYs", &[0, 0, 0, 1, 0, 0, 0, 2, unit])).unwrap();
            assert_eq!(picture.pixel_aspect, PixelAspect::new(2, 1));
        }
    }
}

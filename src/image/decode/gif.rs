//! GIF of one image, after the specification of GIF 89a.
//!
//! The image is placed on the screen that the file describes, whose rest is transparent. A screen
//! that is too small is enlarged. This is what browsers show.

use ::gif::{ColorOutput, DecodeOptions, DecodingError, MemoryLimit};
use ::image::{DynamicImage, RgbaImage, imageops};

use super::size::check_size;
use crate::image::{Damage, Picture};

pub(super) fn decode(file: &[u8]) -> Result<Picture, Damage> {
    let damage = |error| match error {
        DecodingError::UnexpectedEof => Damage::truncated(file, "a block"),
        error => Damage::Undecodable(error.to_string()),
    };
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::RGBA);
    // The sizes are checked here.
    options.set_memory_limit(MemoryLimit::Unlimited);
    let mut decoder = options.read_info(file).map_err(damage)?;
    let screen = (u32::from(decoder.width()), u32::from(decoder.height()));

    let frame = decoder.next_frame_info().map_err(damage)?;
    let frame = frame.ok_or_else(|| Damage::Undecodable("there is no image".to_owned()))?;
    let (left, top) = (u32::from(frame.left), u32::from(frame.top));
    let (columns, rows) = (u32::from(frame.width), u32::from(frame.height));
    check_size(columns, rows, 4)?;
    let (width, height) = (screen.0.max(left + columns), screen.1.max(top + rows));
    check_size(width, height, 4)?;
    let mut image = RgbaImage::new(columns, rows);
    decoder.read_into_buffer(&mut image).map_err(damage)?;
    if decoder.next_frame_info().map_err(damage)?.is_some() {
        return Err(Damage::Animation);
    }

    let mut shown = RgbaImage::new(width, height);
    imageops::replace(&mut shown, &image, left.into(), top.into());
    Ok(Picture::plain(DynamicImage::ImageRgba8(shown)))
}

#[cfg(test)]
mod tests {
    use crate::image::Damage;
    use crate::image::samples::named;

    #[test]
    fn a_screen_is_enlarged_for_its_image() {
        let small =
            named("pillow-rgb.gif").changed(|bytes| bytes[6..10].copy_from_slice(&[1, 0, 1, 0]));
        assert_eq!(small.unwrap().pixels, named("pillow-rgb.gif").decode().unwrap().pixels);
    }

    #[test]
    fn a_giant_size_is_refused_before_memory_is_taken() {
        let result = named("pillow-rgb.gif").changed(|bytes| bytes[6..10].fill(0xFF)).map(drop);
        assert!(matches!(result, Err(Damage::TooLarge { .. })), "{result:?}");
    }
}

//! The formats that the crate `image` decodes.

pub mod bmp;
pub mod tga;
pub mod webp;

use std::io::ErrorKind;

use ::image::{DynamicImage, ImageDecoder, ImageError};

use super::size::check_size;
use crate::image::Damage;

/// Decodes the pixels that `decoder` finds in `file`.
fn pixels(file: &[u8], decoder: impl ImageDecoder) -> Result<DynamicImage, Damage> {
    let (width, height) = decoder.dimensions();
    check_size(width, height, decoder.color_type().bytes_per_pixel().into())?;
    DynamicImage::from_decoder(decoder).map_err(|error| damage(file, &error))
}

/// What `error` says about `file`.
fn damage(file: &[u8], error: &ImageError) -> Damage {
    match error {
        ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Damage::truncated(file, "the image")
        }
        error => Damage::Undecodable(error.to_string()),
    }
}

//! Decodes image files.
//!
//! Profiles and gammas of integer formats are ignored: their values are those for a display. A profile
//! is named.

mod bytes;
mod exr;
mod gif;
mod hdr;
mod jpeg;
mod linear;
mod png;
mod profile;
mod signature;
mod size;
#[cfg(test)]
mod tests;
mod through_image;
mod tiff;

use super::{Damage, Picture};
use crate::request::ImageFormat;
pub(super) use jpeg::size as jpeg_size;
use through_image::{bmp, tga, webp};

/// Decodes the image that `file` holds from its first byte on. `layer` chooses a layer of a file
/// that has several.
///
/// The time is in proportion to the file's length and the number of pixels, and the memory is
/// bounded by a small multiple of [`MAX_DECODED`](super::MAX_DECODED).
///
/// # Errors
/// The [`Damage`]: the first thing that is missing or wrong.
pub fn decode(format: ImageFormat, file: &[u8], layer: Option<&str>) -> Result<Picture, Damage> {
    signature::check(format, file)?;
    if let Some(name) = layer
        && format != ImageFormat::OpenExr
    {
        return Err(Damage::NoLayer { name: name.to_owned(), layers: Vec::new() });
    }
    match format {
        ImageFormat::Png => png::decode(file),
        ImageFormat::Jpeg => jpeg::decode(file),
        ImageFormat::OpenExr => exr::decode(file, layer),
        ImageFormat::Tiff => tiff::decode(file),
        ImageFormat::WebP => webp::decode(file),
        ImageFormat::Bmp => bmp::decode(file),
        ImageFormat::Tga => tga::decode(file),
        ImageFormat::Hdr => hdr::decode(file),
        ImageFormat::Gif => gif::decode(file),
    }
}

/// The same for a file that anybody may have named: it is decoded as what it begins like. `named` is
/// the format that its name promises.
///
/// # Errors
/// The [`Damage`], as for [`decode`].
pub fn decode_any(named: ImageFormat, file: &[u8], layer: Option<&str>) -> Result<Picture, Damage> {
    decode(signature::format_in(file).unwrap_or(named), file, layer)
}

/// Checks that the file is whole, even if it holds no picture: `OpenEXR` has other data, too.
///
/// # Errors
/// The [`Damage`]: the first thing that is missing or wrong.
pub fn check(format: ImageFormat, file: &[u8]) -> Result<(), Damage> {
    match format {
        ImageFormat::OpenExr => {
            signature::check(format, file)?;
            exr::check(file)
        }
        ImageFormat::Png
        | ImageFormat::Jpeg
        | ImageFormat::Tiff
        | ImageFormat::WebP
        | ImageFormat::Bmp
        | ImageFormat::Tga
        | ImageFormat::Hdr
        | ImageFormat::Gif => decode(format, file, None).map(drop),
    }
}

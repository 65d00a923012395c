//! Decodes image files.

mod exr;
mod size;
mod tiff;

use super::{Damage, Picture};
use crate::request::ImageFormat;

/// Decodes the image that `file` holds from its first byte on. `layer` chooses a layer of a file
/// that has several.
///
/// # Errors
/// The [`Damage`]: the first thing that is missing or wrong.
pub fn decode(format: ImageFormat, file: &[u8], layer: Option<&str>) -> Result<Picture, Damage> {
    match format {
        ImageFormat::OpenExr => exr::decode(file, layer),
        ImageFormat::Tiff => tiff::decode(file, layer),
        // XXX Interim.
        _ => {
            let kind = ::image::ImageFormat::from_extension(format.extension());
            let kind = kind.ok_or(Damage::Corrupt { what: "interim", offset: 0 })?;
            let pixels = ::image::load_from_memory_with_format(file, kind)
                .map_err(|_| Damage::Corrupt { what: "interim", offset: 0 })?;
            Ok(Picture::plain(pixels))
        }
    }
}

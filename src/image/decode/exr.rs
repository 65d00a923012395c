//! XXX Interim.

use crate::image::{Damage, Picture};

pub(super) fn decode(file: &[u8], layer: Option<&str>) -> Result<Picture, Damage> {
    let _ = layer;
    ::image::load_from_memory_with_format(file, ::image::ImageFormat::OpenExr)
        .map(Picture::plain)
        .map_err(|error| Damage::Undecodable(error.to_string()))
}

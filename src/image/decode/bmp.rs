//! BMP, in all of its versions. It has no checksum: a changed pixel goes unnoticed.

use std::io::Cursor;

use ::image::codecs::bmp::BmpDecoder;

use super::through_image::{damage, pixels};
use crate::image::{Damage, Picture};

pub(super) fn decode(file: &[u8]) -> Result<Picture, Damage> {
    let decoder = BmpDecoder::new(Cursor::new(file)).map_err(|error| damage(file, &error))?;
    pixels(file, decoder).map(Picture::plain)
}

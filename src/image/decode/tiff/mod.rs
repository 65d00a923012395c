//! TIFF and BigTIFF: a directory (IFD) of fields that point to strips or tiles.
//!
//! After TIFF 6.0, its supplements, and the [BigTIFF design][big]. Strips and tiles are
//! decompressed by crates. The worker reads the structure around them itself: the crate `tiff` 0.11
//! decodes no palettes, drops alpha that has no meaning given, stops before the checksum of deflate
//! and before the end of LZW, and takes JPEG as it comes.
//!
//! A TIFF image is whole when every value of its first directory lies in the file, so do all the
//! strips or tiles that an image of its size requires, and each of them decompresses to its size.
//! Further directories are ignored: they hold thumbnails, or other images.
//!
//! What damage is noticed inside of a strip or tile depends on the compression. Deflate has a
//! checksum. LZW, JPEG and Group 4 become senseless or too short in most cases. In `PackBits`, and
//! without compression, a changed byte changes pixels unnoticed.
//!
//! [big]: https://www.awaresystems.be/imaging/tiff/bigtiff.html

mod canvas;
mod chunks;
mod colour;
mod decompress;
mod directory;
mod header;
mod predictor;
#[cfg(test)]
mod tests;
mod words;

use ::image::metadata::Orientation;

use crate::image::decode::profile::other_than_srgb;
use crate::image::{Damage, Ignored, Picture, PixelAspect};
use directory::Directory;
use header::Header;

const ORIENTATION: u16 = 274;
const X_RESOLUTION: u16 = 282;
const Y_RESOLUTION: u16 = 283;
const ICC_PROFILE: u16 = 34675;

pub(super) fn decode(file: &[u8]) -> Result<Picture, Damage> {
    let directory = Directory::read(file)?;
    let header = Header::read(&directory)?;
    let canvas = chunks::decode(file, &directory, &header)?;
    let (pixels, not_finite) = colour::picture(&directory, &header, canvas)?;
    let orientation = directory.number(ORIENTATION)?.and_then(|number| u8::try_from(number).ok());
    let orientation = orientation.and_then(Orientation::from_exif);
    let profile = directory.bytes(ICC_PROFILE).and_then(other_than_srgb);
    let further = directory.is_first_of_several().then_some(Ignored::FurtherImages);
    let picture = Picture {
        pixel_aspect: pixel_aspect(&directory),
        not_finite,
        ignored: further.or(profile.map(Ignored::Profile)),
        ..Picture::plain(pixels)
    };
    Ok(picture.oriented(orientation.unwrap_or(Orientation::NoTransforms)))
}

/// The shape of a pixel: the more pixels in a unit of length, the shorter they are.
fn pixel_aspect(directory: &Directory) -> PixelAspect {
    let resolution = |tag| {
        let (numerator, denominator) = directory.fraction(tag)?;
        let resolution = f64::from(numerator) / f64::from(denominator);
        (resolution > 0.0 && resolution.is_finite()).then_some(resolution)
    };
    let Some((x, y)) = resolution(X_RESOLUTION).zip(resolution(Y_RESOLUTION)) else {
        return PixelAspect::SQUARE;
    };
    #[expect(clippy::cast_possible_truncation, reason = "a ratio needs few digits")]
    PixelAspect::near((y / x) as f32)
}

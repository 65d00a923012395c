//! TGA, after the Truevision TGA File Format Specification, version 2.0. It has no checksum: a
//! changed pixel goes unnoticed.

use std::io::Cursor;

use ::image::codecs::tga::TgaDecoder;

use super::{damage, pixels};
use crate::image::{Damage, Picture};
use crate::placeholder::Placeholder;
use crate::request::ImageFormat;

pub fn decode(file: &[u8]) -> Result<Picture, Damage> {
    check_beginning(file)?;
    let decoder = TgaDecoder::new(Cursor::new(file)).map_err(|error| damage(file, &error))?;
    pixels(file, decoder).map(Picture::plain)
}

/// Checks that the file begins like a TGA. There is no signature, but few headers are possible.
fn check_beginning(file: &[u8]) -> Result<(), Damage> {
    let &[_, colour_map, kind, ..] = file else {
        return Err(Damage::truncated(file, "the header"));
    };
    let depth = file.get(16).copied().ok_or_else(|| Damage::truncated(file, "the header"))?;
    let possible = matches!(
        (colour_map, kind, depth),
        (1, 1 | 9, 8 | 15 | 16) | (0 | 1, 2 | 10, 15 | 16 | 24 | 32) | (0 | 1, 3 | 11, 8 | 16)
    );
    if possible {
        return Ok(());
    }
    Err(match Placeholder::of(file) {
        Some(placeholder) => Damage::Placeholder(placeholder),
        None => Damage::WrongFormat { expected: ImageFormat::Tga, found: None },
    })
}

#[cfg(test)]
mod tests {
    use crate::image::Damage;
    use crate::image::samples::named;

    #[test]
    fn a_header_has_to_be_possible() {
        let sample = named("pillow-rgba.tga");
        // The kind of colour map, the kind of image, the bits of a pixel.
        for (at, value) in [(1, 2), (2, 0), (2, 4), (2, 33), (16, 0), (16, 31)] {
            let result = sample.changed(|bytes| bytes[at] = value).map(drop);
            assert!(matches!(result, Err(Damage::WrongFormat { .. })), "{at} {value} {result:?}");
        }
    }

    #[test]
    fn a_giant_size_is_refused_before_memory_is_taken() {
        let sample = named("pillow-rle-down.tga");
        let result = sample.changed(|bytes| bytes[12..16].fill(0xFF)).map(drop);
        assert!(matches!(result, Err(Damage::TooLarge { .. })), "{result:?}");
        let result = sample.changed(|bytes| bytes[12..14].fill(0)).map(drop);
        assert!(result.is_err());
    }
}

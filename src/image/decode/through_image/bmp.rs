//! BMP, in all of its versions. It has no checksum: a changed pixel goes unnoticed.

use std::borrow::Cow;
use std::io::Cursor;

use ::image::codecs::bmp::BmpDecoder;

use super::{damage, pixels};
use crate::image::{Damage, Picture};

/// Where the offset of the pixels is.
const PIXELS_AT: usize = 10;
/// Where a list of colours begins, after the headers.
const COLOURS_AT: usize = 54;
/// The greys in the list of an early Blender.
const GREYS: u8 = 255;
/// The size of a colour in a list.
const COLOUR: usize = 4;

pub fn decode(file: &[u8]) -> Result<Picture, Damage> {
    let whole = with_white(file);
    let decoder = BmpDecoder::new(Cursor::new(&whole)).map_err(|error| damage(file, &error))?;
    pixels(file, decoder).map(Picture::plain)
}

/// The file with white in its list of colours.
///
/// Blender 3.4 lists 255 greys, though the header says 256 (`imb_savebmp` in `bmp.c`), so that the
/// first pixels would be taken for the colour of white.
fn with_white(file: &[u8]) -> Cow<'_, [u8]> {
    const END: usize = COLOURS_AT + GREYS as usize * COLOUR;
    let Some((list, pixels)) = file.split_at_checked(END) else { return file.into() };
    let offset = list.get(PIXELS_AT..).and_then(<[u8]>::first_chunk);
    let offset = offset.and_then(|&offset| usize::try_from(u32::from_le_bytes(offset)).ok());
    let (colours, _) = list.get(COLOURS_AT..).unwrap_or_default().as_chunks::<COLOUR>();
    let greys = colours.iter().zip(0..GREYS).all(|(colour, grey)| colour.starts_with(&[grey; 3]));
    if offset != Some(END) || !greys {
        return file.into();
    }
    let mut whole = [list, &[u8::MAX; COLOUR], pixels].concat();
    if let Some(offset) = whole.get_mut(PIXELS_AT) {
        // It was 1074, so that its other bytes stay.
        *offset += 4;
    }
    whole.into()
}

#[cfg(test)]
mod tests {
    use crate::image::samples::named;

    #[test]
    fn every_grey_of_an_early_blender_is_itself() {
        let sample = named("blender-bw.bmp");
        let row = 33;
        let last_row = sample.bytes.len() - (row + 3);
        // Rows begin at the bottom.
        for grey in [0, 1, 127, 254, 255] {
            let picture = sample.changed(|bytes| bytes[last_row..last_row + row].fill(grey));
            let picture = picture.unwrap().pixels.into_rgb8();
            assert!(picture.as_raw().iter().take(3 * row).all(|&sample| sample == grey), "{grey}");
        }
    }
}

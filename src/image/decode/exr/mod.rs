//! OpenEXR: headers, tables of chunk offsets, and chunks of pixels.
//!
//! After the [OpenEXR file layout][layout]. The crate `exr` decompresses the chunks. The worker reads
//! the structure around them itself, so that it misses none of them: an image is whole when its
//! tables of offsets are complete, each chunk is where they say, and all chunks decompress, in every
//! part and at every level. A writer that stops early leaves its tables full of zeros, because it
//! fills them in last.
//!
//! What damage is noticed inside of a chunk depends on the compression. ZIP, ZIPS and PXR24 have a
//! checksum, DWAA and DWAB for a part of their data. In chunks without compression, and often in
//! the other compressions, a changed byte changes pixels unnoticed.
//!
//! Memory: the channels of the picture as 32-bit floats, and one chunk.
//!
//! [layout]: https://openexr.com/en/latest/OpenEXRFileLayout.html

mod attributes;
mod canvas;
mod chunks;
mod colour;
mod dwa;
mod header;
mod layers;
mod part;
#[cfg(test)]
mod tests;
mod tiles;
mod window;

use crate::image::{Damage, Picture, PixelAspect};
use canvas::Canvas;
use header::Headers;

/// Decodes all chunks of an OpenEXR file, whatever they hold.
pub(super) fn check(file: &[u8]) -> Result<(), Damage> {
    chunks::decode(file, &Headers::read(file)?, |_, _, _| {})
}

/// Decodes an OpenEXR file. `layer` names a layer, a pass, a view, a part or a channel.
pub(super) fn decode(file: &[u8], layer: Option<&str>) -> Result<Picture, Damage> {
    let headers = Headers::read(file)?;
    let group = layers::choose(&headers, layer)?;
    let part = headers
        .parts
        .get(group.part)
        .ok_or_else(|| Damage::NoLayer { name: group.label(), layers: Vec::new() })?;
    let mut canvas = Canvas::new(part, &group)?;
    chunks::decode(file, &headers, |number, block, pixels| {
        if number == group.part {
            canvas.draw(block, pixels);
        }
    })?;
    let (pixels, not_finite) = canvas.finish()?;
    Ok(Picture {
        pixels,
        pixel_aspect: PixelAspect::near(part.pixel_aspect),
        layer: Some(group.label()).filter(|label| !label.is_empty()),
        not_finite,
        ignored: None,
    })
}

//! WebP: a RIFF file of chunks.
//!
//! After the [WebP container specification][spec] (RFC 9649, section 2).
//!
//! The file has the length in its RIFF header, and the chunks fill that length. There is no
//! checksum: a changed pixel is noticed only where the data that follows makes no sense.
//!
//! [spec]: https://developers.google.com/speed/webp/docs/riff_container

use std::io::Cursor;

use ::image::codecs::webp::WebPDecoder;
use ::image::metadata::Orientation;

use super::through_image::{damage, pixels};
use crate::image::{Damage, Picture};

/// The length of `RIFF`, of the size, and of `WEBP`.
const RIFF_HEADER: usize = 12;
/// The length of a chunk's name and size.
const CHUNK_HEADER: usize = 8;

pub(super) fn decode(file: &[u8]) -> Result<Picture, Damage> {
    let riff = riff(file)?;
    let exif = check_chunks(riff)?;
    let decoder = WebPDecoder::new(Cursor::new(riff)).map_err(|error| damage(file, &error))?;
    let picture = Picture::plain(pixels(file, decoder)?);
    let orientation = exif.and_then(orientation);
    Ok(picture.oriented(orientation.unwrap_or(Orientation::NoTransforms)))
}

/// The part of `file` that its RIFF header describes.
fn riff(file: &[u8]) -> Result<&[u8], Damage> {
    let cut = || Damage::truncated(file, "the RIFF file");
    let size = file.get(4..8).and_then(<[u8]>::first_chunk).ok_or_else(cut)?;
    // The size excludes itself and the four bytes before it.
    let end = (u32::from_le_bytes(*size) as usize).saturating_add(8);
    file.get(..end).ok_or_else(cut)
}

/// Checks that chunks fill `riff` and belong to one image. Returns the Exif chunk.
fn check_chunks(riff: &[u8]) -> Result<Option<&[u8]>, Damage> {
    let mut exif = None;
    let mut at = RIFF_HEADER;
    while at < riff.len() {
        let corrupt = |what| Damage::Corrupt { what, offset: at as u64 };
        let rest = riff.get(at..).unwrap_or_default();
        let Some((header, rest)) = rest.split_first_chunk::<CHUNK_HEADER>() else {
            return Err(corrupt("half a chunk at the end of the RIFF file"));
        };
        let &[k0, k1, k2, k3, size @ ..] = header;
        let size = u32::from_le_bytes(size) as usize;
        let Some(content) = rest.get(..size) else {
            return Err(corrupt("a chunk that goes on after the end of the RIFF file"));
        };
        match &[k0, k1, k2, k3] {
            b"\0\0\0\0" => return Err(corrupt("zeros where a chunk should begin")),
            b"ANIM" | b"ANMF" => return Err(Damage::Animation),
            b"EXIF" => exif = exif.or(Some(content)),
            _ => {}
        }
        // Chunks begin at even offsets. Some writers leave out the last padding byte.
        at += CHUNK_HEADER + size + size % 2;
    }
    Ok(exif)
}

/// The orientation in an Exif chunk. Some writers begin it like the Exif segment of JPEG.
fn orientation(exif: &[u8]) -> Option<Orientation> {
    Orientation::from_exif_chunk(exif.strip_prefix(b"Exif\0\0").unwrap_or(exif))
}

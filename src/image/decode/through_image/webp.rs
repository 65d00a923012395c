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

use super::{damage, pixels};
use crate::image::decode::profile::other_than_srgb;
use crate::image::{Damage, Ignored, Picture};

/// The length of `RIFF`, of the size, and of `WEBP`.
const RIFF_HEADER: usize = 12;
/// The length of a chunk's name and size.
const CHUNK_HEADER: usize = 8;

pub fn decode(file: &[u8]) -> Result<Picture, Damage> {
    let riff = riff(file)?;
    let Chunks { exif, profile } = check_chunks(riff)?;
    let decoder = WebPDecoder::new(Cursor::new(riff)).map_err(|error| damage(file, &error))?;
    let ignored = profile.and_then(other_than_srgb).map(Ignored::Profile);
    let picture = Picture { ignored, ..Picture::plain(pixels(file, decoder)?) };
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

/// Chunks that do not hold pixels.
#[derive(Default)]
struct Chunks<'a> {
    exif: Option<&'a [u8]>,
    profile: Option<&'a [u8]>,
}

/// Checks that chunks fill `riff` and belong to one image.
fn check_chunks(riff: &[u8]) -> Result<Chunks<'_>, Damage> {
    let mut found = Chunks::default();
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
            b"EXIF" => found.exif = found.exif.or(Some(content)),
            b"ICCP" => found.profile = found.profile.or(Some(content)),
            _ => {}
        }
        // Chunks begin at even offsets. Some writers leave out the last padding byte.
        at += CHUNK_HEADER + size + size % 2;
    }
    Ok(found)
}

/// The orientation in an Exif chunk. Some writers begin it like the Exif segment of JPEG.
fn orientation(exif: &[u8]) -> Option<Orientation> {
    Orientation::from_exif_chunk(exif.strip_prefix(b"Exif\0\0").unwrap_or(exif))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::samples::{Sample, assert_corrupt, named};

    /// Changes one byte of a chunk, counted from the start of its data.
    fn change(sample: &Sample, kind: [u8; 4], at: usize, value: u8) -> Result<Picture, Damage> {
        let data = sample.position_of(&kind) + CHUNK_HEADER;
        sample.changed(|bytes| bytes[data + at] = value)
    }

    #[test]
    fn zeros_from_the_header_of_the_last_chunk_on_are_noticed() {
        for (name, kind) in [
            ("blender-rgb-lossy.webp", b"VP8 "),
            ("blender-rgba-lossy.webp", b"VP8 "),
            ("blender-rgba-lossless.webp", b"VP8L"),
        ] {
            let sample = named(name);
            let header = sample.position_of(kind);
            let result = sample.changed(|bytes| bytes[header..].fill(0));
            assert_corrupt(result, "zeros where a chunk");
            let result = sample.changed(|bytes| bytes[header + CHUNK_HEADER..].fill(0));
            assert!(result.is_err(), "{name}");
        }
    }

    #[test]
    fn an_image_has_to_begin_like_one() {
        let lossy = named("blender-rgb-lossy.webp");
        // Not a key frame, a wrong start code, a partition beyond the chunk.
        for (at, value) in [(0, 0x31), (3, 0), (2, 0xFF)] {
            assert!(change(lossy, *b"VP8 ", at, value).is_err(), "{at} {value}");
        }
        let lossless = named("blender-rgba-lossless.webp");
        for (at, value) in [(0, 0), (4, 0xFF)] {
            assert!(change(lossless, *b"VP8L", at, value).is_err(), "{at} {value}");
        }
    }

    #[test]
    fn an_image_fills_its_canvas() {
        let sample = named("blender-rgba-lossy.webp");
        assert!(change(sample, *b"VP8X", 4, 33).is_err());
    }

    #[test]
    fn a_chunk_ends_before_the_file_does() {
        let sample = named("blender-rgb-lossy.webp");
        let size = sample.position_of(b"VP8 ") + 4;
        let result = sample.changed(|bytes| bytes[size + 1] += 1);
        assert_corrupt(result, "after the end of the RIFF file");
    }

    #[test]
    fn a_file_shorter_than_its_riff_size_is_truncated() {
        let sample = named("blender-rgb-lossy.webp");
        let result = sample.changed(|bytes| bytes[5] += 1);
        assert!(matches!(result, Err(Damage::Truncated { .. })));
    }

    #[test]
    fn the_last_padding_byte_can_be_left_out() {
        let sample = named("webpmux-exif.webp");
        let odd = sample.position_of(b"EXIF") + 4;
        let size = u32::try_from(sample.bytes.len()).unwrap() - 8;
        let result = sample.changed(|bytes| {
            bytes.pop();
            bytes[4..8].copy_from_slice(&(size - 1).to_le_bytes());
        });
        assert_eq!(sample.bytes[odd] % 2, 1);
        assert_eq!(result.unwrap().pixels, sample.decode().unwrap().pixels);
    }
}

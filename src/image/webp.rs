//! WebP: a RIFF file of chunks.
//!
//! After the [WebP container specification][spec] (RFC 9649, section 2), the VP8
//! key frame header (RFC 6386, section 9.1) and the VP8L header (RFC 9649,
//! section 3.4).
//!
//! A WebP image is whole when the file has the length in its RIFF header, the
//! chunks fill that length, and one of them is an image. An animation is not a
//! frame.
//!
//! [spec]: https://developers.google.com/speed/webp/docs/riff_container

use std::io::{BufRead, Seek};

use super::reader::Source;
use super::{Damage, Frame};

const RIFF: &str = "the RIFF file";
const CHUNK: &str = "a chunk";

pub(super) fn check<R: BufRead + Seek>(source: &mut Source<R>) -> Result<Frame, Damage> {
    let [_, _, _, _, size @ .., b'W', b'E', b'B', b'P'] = source.bytes::<12>(RIFF)? else {
        return Err(Damage::Corrupt { what: "the RIFF file is of another kind", offset: 0 });
    };
    // The size excludes itself and the four bytes before it.
    let end = u64::from(u32::from_le_bytes(size)) + 8;
    source.require(0, end, RIFF)?;

    let mut canvas = None;
    let mut image = None;
    while source.position() < end {
        let offset = source.position();
        let kind: [u8; 4] = source.bytes(CHUNK)?;
        let size = u32::from_le_bytes(source.bytes(CHUNK)?);
        let data_end = source.position() + u64::from(size);
        if data_end > end {
            return Err(Damage::Corrupt {
                what: "a chunk that goes on after the end of the RIFF file",
                offset,
            });
        }
        match &kind {
            b"\0\0\0\0" => {
                return Err(Damage::Corrupt { what: "zeros where a chunk should begin", offset });
            }
            b"ANIM" | b"ANMF" => return Err(Damage::Animation),
            b"VP8X" if canvas.is_none() => canvas = Some(extended(source)?),
            b"VP8 " if image.is_none() => image = Some(lossy(source, size)?),
            b"VP8L" if image.is_none() => image = Some(lossless(source)?),
            _ => {}
        }
        if source.position() > data_end {
            return Err(Damage::Corrupt { what: "a chunk too short for what it holds", offset });
        }
        // Chunks begin at even offsets. Some writers leave out the last
        // padding byte.
        source.seek((data_end + data_end % 2).min(end), CHUNK)?;
    }

    match (canvas, image) {
        (None, Some(frame)) => Ok(frame),
        (Some(canvas), Some(frame)) if canvas == frame => Ok(frame),
        (Some(_), Some(_)) => {
            Err(Damage::Corrupt { what: "the image has not the size of its canvas", offset: 0 })
        }
        (_, None) => Err(Damage::Corrupt { what: "there is no image among the chunks", offset: 0 }),
    }
}

/// Reads VP8X: flags, 24 reserved bits, then width - 1 and height - 1.
fn extended<R: BufRead + Seek>(source: &mut Source<R>) -> Result<Frame, Damage> {
    let offset = source.position();
    let [_, _, _, _, w0, w1, w2, h0, h1, h2] = source.bytes(CHUNK)?;
    Frame::plain(
        u32::from_le_bytes([w0, w1, w2, 0]) + 1,
        u32::from_le_bytes([h0, h1, h2, 0]) + 1,
        offset,
    )
}

/// Reads VP8: a frame tag, a start code, then width and height, each in the lower 14 bits of a
/// word whose upper two bits are the scale.
fn lossy<R: BufRead + Seek>(source: &mut Source<R>, size: u32) -> Result<Frame, Damage> {
    let offset = source.position();
    let [t0, t1, t2, s0, s1, s2, w0, w1, h0, h1] = source.bytes(CHUNK)?;
    let tag = u32::from_le_bytes([t0, t1, t2, 0]);
    let key_frame = tag & 1 == 0;
    let first_partition = tag >> 5;
    if !key_frame || [s0, s1, s2] != [0x9D, 0x01, 0x2A] || first_partition > size {
        return Err(Damage::Corrupt {
            what: "the lossy image (VP8) does not begin with a key frame",
            offset,
        });
    }
    Frame::plain(
        u32::from(u16::from_le_bytes([w0, w1]) & 0x3FFF),
        u32::from(u16::from_le_bytes([h0, h1]) & 0x3FFF),
        offset,
    )
}

/// Reads VP8L: a signature, then width - 1 and height - 1 in 14 bits each, one bit for alpha and
/// three for the version, which is 0.
fn lossless<R: BufRead + Seek>(source: &mut Source<R>) -> Result<Frame, Damage> {
    let offset = source.position();
    let signature = source.byte(CHUNK)?;
    let bits = u32::from_le_bytes(source.bytes(CHUNK)?);
    if signature != 0x2F || bits >> 29 != 0 {
        return Err(Damage::Corrupt {
            what: "the lossless image (VP8L) does not begin like one",
            offset,
        });
    }
    Frame::plain((bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1, offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::samples::{Sample, assert_corrupt, named};

    /// Changes one byte of a chunk, counted from the start of its data.
    fn change(sample: &Sample, kind: [u8; 4], at: usize, value: u8) -> Result<Frame, Damage> {
        let data = sample.position_of(&kind) + 8;
        sample.edit(|bytes| bytes[data + at] = value)
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
            let result = sample.edit(|bytes| bytes[header..].fill(0));
            assert_corrupt(result, "zeros where a chunk");
            let result = sample.edit(|bytes| bytes[header + 8..].fill(0));
            assert_corrupt(result, "does not begin");
        }
    }

    #[test]
    fn an_image_has_to_begin_like_one() {
        let lossy = named("blender-rgb-lossy.webp");
        // Not a key frame, a wrong start code, a partition beyond the chunk.
        for (at, value) in [(0, 0x31), (3, 0), (2, 0xFF)] {
            assert_corrupt(change(lossy, *b"VP8 ", at, value), "key frame");
        }
        let lossless = named("blender-rgba-lossless.webp");
        for (at, value) in [(0, 0), (4, 0xFF)] {
            assert_corrupt(change(lossless, *b"VP8L", at, value), "lossless");
        }
    }

    #[test]
    fn an_image_fills_its_canvas() {
        let sample = named("blender-rgba-lossy.webp");
        assert_corrupt(change(sample, *b"VP8X", 4, 33), "size of its canvas");
    }

    #[test]
    fn a_chunk_ends_before_the_file_does() {
        let sample = named("blender-rgb-lossy.webp");
        let size = sample.position_of(b"VP8 ") + 4;
        let result = sample.edit(|bytes| bytes[size + 1] += 1);
        assert_corrupt(result, "after the end of the RIFF file");
    }

    #[test]
    fn a_file_shorter_than_its_riff_size_is_truncated() {
        let sample = named("blender-rgb-lossy.webp");
        let result = sample.edit(|bytes| bytes[5] += 1);
        let length = sample.bytes.len() as u64;
        assert!(matches!(
            result,
            Err(Damage::Truncated { length: found, .. }) if found == length
        ));
    }

    #[test]
    fn the_last_padding_byte_can_be_left_out() {
        let sample = named("webpmux-exif.webp");
        let odd = sample.position_of(b"EXIF") + 4;
        let size = u32::try_from(sample.bytes.len()).unwrap() - 8;
        let result = sample.edit(|bytes| {
            bytes.pop();
            bytes[4..8].copy_from_slice(&(size - 1).to_le_bytes());
        });
        assert_eq!(sample.bytes[odd] % 2, 1);
        assert_eq!(result.unwrap(), sample.check().unwrap());
    }
}

//! PNG: a signature and a sequence of chunks.
//!
//! After the [PNG specification][spec], third edition, sections 5.2 (signature),
//! 5.3 (chunk layout: length, type, data, CRC-32 of type and data) and 11.2
//! (IHDR, IDAT, IEND).
//!
//! A PNG image is whole when IHDR comes first and describes a possible image,
//! the checksum of every chunk matches, and image data and IEND follow.
//!
//! [spec]: https://www.w3.org/TR/png-3/

use std::io::{BufRead, Seek};

use crc32fast::Hasher;

use super::reader::Source;
use super::{Damage, Frame};

const SIGNATURE: u64 = 8;
const HEADER: u32 = 13;
const CHUNK: &str = "a chunk";

struct Chunk {
    kind: [u8; 4],
    /// Length of the data alone, in bytes.
    length: u32,
    offset: u64,
    checksum: Hasher,
}

pub(super) fn check<R: BufRead + Seek>(source: &mut Source<R>) -> Result<Frame, Damage> {
    source.skip(SIGNATURE, "the signature")?;
    let frame = header(source)?;
    let mut image_data = false;
    loop {
        let mut chunk = Chunk::begin(source)?;
        source.feed(chunk.length.into(), CHUNK, |block| {
            chunk.checksum.update(block);
        })?;
        let Chunk { kind, length, offset, .. } = chunk;
        chunk.end(source)?;
        match &kind {
            b"IHDR" => {
                return Err(Damage::Corrupt { what: "a second image header (IHDR)", offset });
            }
            b"IDAT" => image_data |= length > 0,
            b"IEND" if image_data => return Ok(frame),
            b"IEND" => {
                return Err(Damage::Corrupt {
                    what: "the image ends without any image data (IDAT)",
                    offset,
                });
            }
            _ => {}
        }
    }
}

fn header<R: BufRead + Seek>(source: &mut Source<R>) -> Result<Frame, Damage> {
    let mut chunk = Chunk::begin(source)?;
    let offset = chunk.offset;
    if (&chunk.kind, chunk.length) != (b"IHDR", HEADER) {
        return Err(Damage::Corrupt {
            what: "the first chunk is not an image header (IHDR)",
            offset,
        });
    }
    let width: [u8; 4] = source.bytes(CHUNK)?;
    let height: [u8; 4] = source.bytes(CHUNK)?;
    let kind: [u8; 5] = source.bytes(CHUNK)?;
    chunk.checksum.update(&width);
    chunk.checksum.update(&height);
    chunk.checksum.update(&kind);
    chunk.end(source)?;

    let [depth, colour, compression, filter, interlace] = kind;
    let possible = matches!(
        (colour, depth),
        (0, 1 | 2 | 4 | 8 | 16) | (3, 1 | 2 | 4 | 8) | (2 | 4 | 6, 8 | 16)
    );
    if !possible || compression != 0 || filter != 0 || interlace > 1 {
        return Err(Damage::Corrupt {
            what: "the image header (IHDR) describes no kind of PNG",
            offset,
        });
    }
    Frame::plain(u32::from_be_bytes(width), u32::from_be_bytes(height), offset)
}

impl Chunk {
    fn begin<R: BufRead + Seek>(source: &mut Source<R>) -> Result<Self, Damage> {
        let offset = source.position();
        let length = u32::from_be_bytes(source.bytes(CHUNK)?);
        let kind = source.bytes(CHUNK)?;
        let mut checksum = Hasher::new();
        checksum.update(&kind);
        Ok(Self { kind, length, offset, checksum })
    }

    fn end<R: BufRead + Seek>(self, source: &mut Source<R>) -> Result<(), Damage> {
        let stored = u32::from_be_bytes(source.bytes(CHUNK)?);
        if stored != self.checksum.finalize() {
            return Err(Damage::Corrupt {
                what: "the checksum of this chunk is wrong",
                offset: self.offset,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::samples::{Sample, assert_corrupt, named, of};
    use crate::request::ImageFormat;

    /// Offset of `IHDR` in every PNG file, after the signature and the chunk's length.
    const HEADER_KIND: usize = 12;

    /// Changes a chunk and updates its checksum to match.
    fn forge(
        sample: &Sample,
        kind: [u8; 4],
        edit: impl FnOnce(&mut [u8]),
    ) -> Result<Frame, Damage> {
        let at = sample.position_of(&kind);
        sample.edit(|bytes| {
            let length: [u8; 4] = bytes[at - 4..at].try_into().unwrap();
            let end = at + 4 + u32::from_be_bytes(length) as usize;
            edit(&mut bytes[at..end]);
            let checksum = crc32fast::hash(&bytes[at..end]);
            bytes[end..end + 4].copy_from_slice(&checksum.to_be_bytes());
        })
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        for sample in of(ImageFormat::Png) {
            for at in 0..sample.bytes.len() {
                for bit in 0..8 {
                    let result = sample.edit(|bytes| bytes[at] ^= 1 << bit);
                    assert!(result.is_err(), "{} byte {at} bit {bit}", sample.name);
                }
            }
        }
    }

    #[test]
    fn zeros_at_the_end_are_noticed() {
        for sample in of(ImageFormat::Png) {
            assert!(sample.zeroed_tails_unnoticed().is_empty(), "{}", sample.name);
        }
    }

    #[test]
    fn the_header_has_to_describe_an_image() {
        let sample = named("blender-rgb-8.png");
        let header = |at: usize, value: u8| forge(sample, *b"IHDR", |chunk| chunk[4 + at] = value);
        assert_eq!(sample.position_of(b"IHDR"), HEADER_KIND);
        assert_corrupt(header(3, 0), "width or height of 0");
        assert_corrupt(header(7, 0), "width or height of 0");
        // Bit depth, colour type, compression, filter, interlace.
        for (at, value) in [(8, 3), (9, 1), (9, 5), (10, 1), (11, 1), (12, 2)] {
            assert_corrupt(header(at, value), "no kind of PNG");
        }
        assert!(header(12, 1).is_ok());
    }

    #[test]
    fn the_header_comes_first_and_only_once() {
        let sample = named("blender-rgb-8.png");
        let first = forge(sample, *b"IHDR", |chunk| {
            chunk[..4].copy_from_slice(b"tEXt");
        });
        assert_corrupt(first, "not an image header");
        let second = sample.edit(|bytes| {
            let header = bytes[8..33].to_vec();
            bytes.splice(33..33, header);
        });
        assert_corrupt(second, "a second image header");
    }

    #[test]
    fn there_has_to_be_image_data() {
        let sample = named("blender-rgb-8.png");
        let result = forge(sample, *b"IDAT", |chunk| {
            chunk[..4].copy_from_slice(b"tEXt");
        });
        assert_corrupt(result, "without any image data");
    }
}

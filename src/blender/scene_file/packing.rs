//! Decompression of the beginning of a file: gzip (up to Blender 2.93) or zstd (from 3.0 on).

use std::fmt;
use std::io::Read as _;

use flate2::read::GzDecoder;
use ruzstd::decoding::StreamingDecoder;
use serde::Serialize;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    None,
    /// With gzip.
    Gzip,
    /// With zstd.
    Zstd,
}

impl Compression {
    /// The compression of a file that begins with `start`.
    fn of(start: &[u8]) -> Self {
        if start.starts_with(GZIP) {
            Self::Gzip
        } else if start.starts_with(ZSTD) {
            Self::Zstd
        } else {
            Self::None
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "not compressed",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

/// The decompressed beginning of a file.
pub(super) struct Unpacked {
    pub compression: Compression,
    pub bytes: Vec<u8>,
    /// What is wrong with the compressed data after `bytes`, if anything.
    pub damage: Option<String>,
}

/// Decompresses the first bytes of a file, to at most `max` bytes.
pub(super) fn unpack(start: &[u8], max: usize) -> Unpacked {
    let compression = Compression::of(start);
    let mut bytes = Vec::new();
    let limit = max as u64;
    let read = match compression {
        Compression::None => start.take(limit).read_to_end(&mut bytes),
        Compression::Gzip => GzDecoder::new(start).take(limit).read_to_end(&mut bytes),
        Compression::Zstd => {
            let whole = whole_blocks(start);
            StreamingDecoder::new(whole.as_slice())
                .map_err(std::io::Error::other)
                .and_then(|decoder| decoder.take(limit).read_to_end(&mut bytes))
        }
    };
    Unpacked { compression, bytes, damage: read.err().map(|error| error.to_string()) }
}

/// The complete blocks of the first zstd frame, as a frame of their own. This is needed because
/// ruzstd holds data back, as much as later blocks may refer to, until it has seen the frame's
/// last block. Source: "Zstandard Compression and the 'application/zstd' Media Type", RFC 8878,
/// sections 3.1.1.1 and 3.1.1.2.
fn whole_blocks(start: &[u8]) -> Vec<u8> {
    let mut frame = start.to_vec();
    let Some(mut at) = frame_header(start) else { return frame };
    let mut last = None;
    while let Some(&[a, b, c]) = start.get(at..at + 3) {
        let header = u32::from_le_bytes([a, b, c, 0]);
        let size = match header >> 1 & 0b11 {
            // One byte, repeated.
            1 => 1,
            _ => (header >> 3) as usize,
        };
        let end = at + 3 + size;
        if end > start.len() {
            break;
        }
        last = Some((at, end));
        if header & 1 == 1 {
            return frame;
        }
        at = end;
    }
    if let Some((at, end)) = last {
        frame.truncate(end);
        if let Some(header) = frame.get_mut(at) {
            *header |= 1;
        }
        if let Some(descriptor) = frame.get_mut(ZSTD.len()) {
            // The checksum follows the true last block, which was cut off.
            *descriptor &= !CHECKSUM;
        }
    }
    frame
}

/// The bit of a frame's descriptor that announces a checksum at the end of the frame.
const CHECKSUM: u8 = 0b100;

/// The length of a frame's header, in bytes.
fn frame_header(start: &[u8]) -> Option<usize> {
    let descriptor = *start.get(ZSTD.len())?;
    let single_segment = descriptor & 0b10_0000 != 0;
    let window = usize::from(!single_segment);
    let dictionary = match descriptor & 0b11 {
        3 => 4,
        id => usize::from(id),
    };
    let size = match descriptor >> 6 {
        0 => usize::from(single_segment),
        flag => 1 << flag,
    };
    Some(ZSTD.len() + 1 + window + dictionary + size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[test]
    fn complete_blocks_of_an_incomplete_frame_are_decompressed() {
        // Several blocks: one holds 128 KiB at most.
        let content: Vec<u8> = (0..200_000u32).flat_map(|n| (n % 7919).to_le_bytes()).collect();
        let packed = zstd(&content);
        for length in [packed.len() - 1, packed.len() - 1000] {
            let unpacked = unpack(&packed[..length], 1000);
            assert_eq!(unpacked.damage, None);
            assert_eq!(
                (unpacked.compression, &*unpacked.bytes),
                (Compression::Zstd, &content[..1000])
            );
        }
        let nothing = unpack(&packed[..1000], 1000);
        assert!(nothing.bytes.is_empty() && nothing.damage.is_some());
    }
}

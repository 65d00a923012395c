//! The beginning of a .blend file: who saved it, and the scene's frame range.
//!
//! Sources: Blender's `BLO_blend_defs.hh` (4.x: `BLO_blend_defs.h`) and
//! `write_renderinfo` in `writefile.cc`. A file is `BLENDER`, pointer size, byte
//! order and version in 12 bytes, then blocks of a header and data; from 5.0 on
//! the file header is 17 bytes and block headers are larger. `REND` blocks come
//! first, so that render managers find the range of the scene that is active
//! without reading on. All of it may lie inside of gzip (to 2.93) or zstd (3.0 on).

use std::error::Error;
use std::fmt;
use std::io::{self, Read};

use flate2::read::GzDecoder;

use crate::request::{FrameNumber, FrameRange};

/// Blender's version, as far as files tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlenderVersion {
    /// 4 of 4.3.
    pub major: u32,
    /// 3 of 4.3.
    pub minor: u32,
}

impl BlenderVersion {
    /// From the number in file headers: 279, 304, 403, 0502.
    fn from_header(number: u32) -> Self {
        // Up to 2.83 the last two digits were the minor version as well.
        Self { major: number / 100, minor: number % 100 }
    }

    /// From what Blender calls itself: `4.3.2`, `5.2.0 Beta`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split(|c: char| !c.is_ascii_digit());
        let mut next = || numbers.next()?.parse().ok();
        Some(Self { major: next()?, minor: next()? })
    }
}

impl fmt::Display for BlenderVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// What the beginning of a .blend file tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SceneFile {
    /// Which Blender saved it.
    pub saved_by: Option<BlenderVersion>,
    /// The frame range of the scene that is active.
    pub range: Option<FrameRange>,
}

/// Why a file is no .blend file.
#[derive(Debug)]
pub enum SceneFileError {
    /// It does not begin as one, compressed or not.
    NotABlend,
    /// It is empty.
    Empty,
    /// It cannot be read.
    Io(io::Error),
}

impl fmt::Display for SceneFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotABlend => f.write_str("it does not begin like a .blend file"),
            Self::Empty => f.write_str("it is empty"),
            Self::Io(_) => f.write_str("it cannot be read"),
        }
    }
}

impl Error for SceneFileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::NotABlend | Self::Empty => None,
        }
    }
}

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const MAGIC: &[u8] = b"BLENDER";

/// As much of the (decompressed) beginning as is looked at. `REND` blocks are the
/// first ones, at most 304 bytes each.
const BEGINNING: u64 = 16 * 1024;

impl SceneFile {
    /// Reads the first bytes of a file, or the `whole` of it. `None` if they are too few
    /// to tell: some pack a file in large pieces.
    ///
    /// # Errors
    /// If the file is certainly no .blend file.
    pub fn from_start(start: &[u8], whole: bool) -> Result<Option<Self>, SceneFileError> {
        let is_packed = start.starts_with(GZIP) || start.starts_with(ZSTD);
        match Self::read(start) {
            Err(SceneFileError::NotABlend) if is_packed && !whole => Ok(None),
            read => read.map(Some),
        }
    }

    /// Reads the beginning of a file. What is of an unknown layout behind the magic
    /// word is left to Blender: it may know better.
    ///
    /// # Errors
    /// If the file is certainly no .blend file or cannot be read.
    pub fn read(mut file: impl Read) -> Result<Self, SceneFileError> {
        let mut start = Vec::new();
        file.by_ref().take(4).read_to_end(&mut start).map_err(SceneFileError::Io)?;
        let compressed = start.starts_with(GZIP) || start == ZSTD;
        let whole = start.as_slice().chain(file);
        let beginning = if start.starts_with(GZIP) {
            beginning(GzDecoder::new(whole))
        } else if start == ZSTD {
            match ruzstd::decoding::StreamingDecoder::new(whole) {
                Ok(decoder) => beginning(decoder),
                Err(_) => return Err(SceneFileError::NotABlend),
            }
        } else {
            beginning(whole)
        };
        let bytes = match beginning {
            (bytes, _) if bytes.starts_with(MAGIC) => bytes,
            (_, Some(error)) if !compressed => return Err(SceneFileError::Io(error)),
            (bytes, _) if bytes.is_empty() && !compressed => return Err(SceneFileError::Empty),
            _ => return Err(SceneFileError::NotABlend),
        };
        Ok(Layout::read(&bytes).map_or(Self { saved_by: None, range: None }, |layout| Self {
            saved_by: Some(layout.version),
            range: layout.first_range(&bytes),
        }))
    }
}

/// The first bytes, and the error that ended them, if one did.
fn beginning(reader: impl Read) -> (Vec<u8>, Option<io::Error>) {
    let mut bytes = Vec::new();
    let error = reader.take(BEGINNING).read_to_end(&mut bytes).err();
    (bytes, error)
}

/// How a file is laid out, from its first bytes.
#[derive(Clone, Copy, Debug)]
struct Layout {
    version: BlenderVersion,
    big_endian: bool,
    /// Where the first block begins.
    blocks: usize,
    /// The length of a block's header, and where in it the length of the data stands.
    block_header: usize,
    data_length: usize,
}

impl Layout {
    fn read(bytes: &[u8]) -> Option<Self> {
        match bytes.get(7)? {
            pointer @ (b'-' | b'_') => {
                let big_endian = match bytes.get(8)? {
                    b'v' => false,
                    b'V' => true,
                    _ => return None,
                };
                Some(Self {
                    version: BlenderVersion::from_header(number(bytes.get(9..12)?)?),
                    big_endian,
                    blocks: 12,
                    block_header: if *pointer == b'-' { 24 } else { 20 },
                    data_length: 4,
                })
            }
            // From 5.0: the header's own length, `-`, a format number, `v`, version.
            b'0'..=b'9' if bytes.get(7..13)? == b"17-01v" => Some(Self {
                version: BlenderVersion::from_header(number(bytes.get(13..17)?)?),
                big_endian: false,
                blocks: 17,
                block_header: 32,
                data_length: 16,
            }),
            _ => None,
        }
    }

    fn first_range(self, bytes: &[u8]) -> Option<FrameRange> {
        let block = bytes.get(self.blocks..)?;
        if block.get(..4)? != b"REND" || self.int(block, self.data_length)? < 8 {
            return None;
        }
        let frame = |at| FrameNumber::new(self.int(block, at)?.into());
        let (first, last) = (frame(self.block_header)?, frame(self.block_header + 4)?);
        (first <= last).then_some(FrameRange { first, last })
    }

    fn int(self, bytes: &[u8], at: usize) -> Option<i32> {
        let four = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(if self.big_endian { i32::from_be_bytes(four) } else { i32::from_le_bytes(four) })
    }
}

fn number(digits: &[u8]) -> Option<u32> {
    str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write as _;

    /// A file of the old layout, as far as it is read.
    fn file(header: &str, first: i32, last: i32) -> Vec<u8> {
        let big = header.contains('V');
        let int = |n: i32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend(b"REND");
        bytes.extend(int(72));
        bytes.extend(vec![0; if header.contains('_') { 12 } else { 16 }]);
        bytes.extend(int(first));
        bytes.extend(int(last));
        bytes.extend([0; 64]);
        bytes
    }

    /// A file of the layout of Blender 5.
    fn file_5(first: i32, last: i32) -> Vec<u8> {
        let mut bytes = b"BLENDER17-01v0502REND".to_vec();
        bytes.extend([0; 12]);
        bytes.extend(264i64.to_le_bytes());
        bytes.extend([0; 8]);
        bytes.extend(first.to_le_bytes());
        bytes.extend(last.to_le_bytes());
        bytes.extend([0; 256]);
        bytes
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[test]
    fn version_and_range_are_read_from_every_layout() {
        let table = [
            (file("BLENDER-v304", 1, 199), "3.4", "1-199"),
            (file("BLENDER_v279", 0, 7), "2.79", "0-7"),
            (file("BLENDER-V280", -5, -5), "2.80", "-5"),
            (file("BLENDER_V249", 3, 4), "2.49", "3-4"),
            (file_5(-10, 250), "5.2", "-10-250"),
        ];
        for (bytes, version, range) in table {
            for bytes in [gzip(&bytes), zstd(&bytes), bytes] {
                let read = SceneFile::read(bytes.as_slice()).unwrap();
                assert_eq!(read.saved_by.unwrap().to_string(), version);
                assert_eq!(read.range.unwrap().to_string(), range);
            }
        }
    }

    #[test]
    fn what_is_no_blend_file_is_refused() {
        let read = |bytes: &[u8]| SceneFile::read(bytes);
        assert!(matches!(read(b""), Err(SceneFileError::Empty)));
        for bytes in [
            b"BLEND".to_vec(),
            b"\x89PNG\r\n\x1a\n".to_vec(),
            b"<html>".to_vec(),
            gzip(b"something else"),
            zstd(b"something else"),
            GZIP.to_vec(),
            ZSTD.to_vec(),
        ] {
            assert!(matches!(read(&bytes), Err(SceneFileError::NotABlend)), "{bytes:?}");
        }
    }

    #[test]
    fn the_first_bytes_tell_or_do_not() {
        let plain = file("BLENDER-v304", 1, 9);
        let whole = zstd(&file("BLENDER-v304", 1, 199));
        let from = |start, whole| SceneFile::from_start(start, whole);
        let range = |file: Option<SceneFile>| file.unwrap().range.unwrap().to_string();
        assert_eq!(range(from(&whole, true).unwrap()), "1-199");
        assert_eq!(range(from(&plain[..60], false).unwrap()), "1-9");
        let cut = &whole[..whole.len() / 2];
        assert_eq!(from(cut, false).unwrap(), None);
        assert!(matches!(from(cut, true), Err(SceneFileError::NotABlend)));
        assert!(matches!(from(b"<html>", false), Err(SceneFileError::NotABlend)));
    }

    #[test]
    fn what_only_blender_can_judge_is_left_to_it() {
        for bytes in [&b"BLENDER"[..], b"BLENDER99-99x9999", b"BLENDER-v", b"BLENDER-v304REND"] {
            let read = SceneFile::read(bytes).unwrap();
            assert_eq!(read.range, None);
        }
        // A range that makes no sense is none.
        let read = SceneFile::read(file("BLENDER-v304", 9, 1).as_slice()).unwrap();
        assert_eq!(read.range, None);
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        let version = |text| BlenderVersion::parse(text).unwrap();
        assert!(version("4.10.0") > version("4.9.1"));
        assert_eq!(version("5.2.0 Beta"), BlenderVersion::from_header(502));
        assert_eq!(BlenderVersion::parse("Blender"), None);
    }

    proptest! {
        #[test]
        fn no_file_makes_the_reader_panic(
            mut bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 0..4
        ) {
            match kind {
                0 => {}
                1 => bytes.splice(..0, *b"BLENDER-v304REND").for_each(drop),
                2 => bytes.splice(..0, ZSTD.to_vec()).for_each(drop),
                _ => bytes.splice(..0, GZIP.to_vec()).for_each(drop),
            }
            let _ = SceneFile::read(bytes.as_slice());
        }
    }
}

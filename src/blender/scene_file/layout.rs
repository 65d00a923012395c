//! The layout of a .blend file: its header, and the blocks that follow.
//!
//! Sources: Blender's `BLO_blend_defs.hh` (4.x: `BLO_blend_defs.h`) and `write_renderinfo`
//! in `writefile.cc`.

use std::fmt;
use std::ops::Range;

use super::flaw::Flaw;
use crate::request::{BlenderVersion, FrameNumber, FrameRange};

/// The first bytes of every .blend file.
pub(super) const MAGIC: &[u8] = b"BLENDER";

/// The code of a block that holds a scene's frame range and name. These blocks come first.
const SCENE_BLOCK: &[u8] = b"REND";

/// The shortest data of such a block, in bytes: the first and the last frame.
const SCENE_BLOCK_MIN: i64 = 8;

/// What follows the magic word from Blender 5.0 on: the length of the header in bytes, the pointer
/// size, the version of the format and the byte order.
const FORMAT_5: &[u8] = b"17-01v";

/// The offset of the data's length in a block's header up to Blender 4.5: 32 bits.
const DATA_LENGTH: usize = 4;

/// The offset of the data's length in a block's header from Blender 5.0 on: 64 bits.
const DATA_LENGTH_5: usize = 16;

/// The kind of machine that a file was saved on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The size of its pointers in bits: 32 or 64.
    pub pointer_bits: u8,
    /// Whether numbers are stored with the most significant byte first.
    pub big_endian: bool,
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} bit, {} endian",
            self.pointer_bits,
            if self.big_endian { "big" } else { "little" }
        )
    }
}

/// A scene in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    /// The scene's name.
    pub name: String,
    /// The scene's frame range.
    pub range: FrameRange,
}

/// The layout of a file, from its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub version: BlenderVersion,
    pub machine: Machine,
    /// The offset of the first block, in bytes.
    blocks: usize,
    /// The length of a block's header, in bytes.
    block_header: usize,
    /// The offset of the data's length in a block's header: one of the two constants.
    data_length: usize,
}

impl Layout {
    /// Reads the header of a file that begins with the magic word.
    ///
    /// # Errors
    /// The flaw, if the header is of an unknown kind. If it is too short, the flaw is at its end.
    pub fn read(bytes: &[u8]) -> Result<Self, Flaw> {
        match field(bytes, 7..8)? {
            b"-" => Self::read_4(bytes, 64),
            b"_" => Self::read_4(bytes, 32),
            [b'0'..=b'9'] => Self::read_5(bytes),
            other => Err(Flaw::new(7, format!("{} is not a pointer size", quoted(other)))),
        }
    }

    /// Reads the header of Blender 4.5 and older: `BLENDER-v304`.
    fn read_4(bytes: &[u8], pointer_bits: u8) -> Result<Self, Flaw> {
        let big_endian = match field(bytes, 8..9)? {
            b"v" => false,
            b"V" => true,
            other => return Err(Flaw::new(8, format!("{} is not a byte order", quoted(other)))),
        };
        Ok(Self {
            version: version(bytes, 9..12)?,
            machine: Machine { pointer_bits, big_endian },
            blocks: 12,
            block_header: if pointer_bits == 64 { 24 } else { 20 },
            data_length: DATA_LENGTH,
        })
    }

    /// Reads the header of Blender 5.0 and newer: `BLENDER17-01v0502`.
    fn read_5(bytes: &[u8]) -> Result<Self, Flaw> {
        let format = field(bytes, 7..13)?;
        if format != FORMAT_5 {
            return Err(Flaw::new(7, format!("unknown kind of header: {}", quoted(format))));
        }
        Ok(Self {
            version: version(bytes, 13..17)?,
            machine: Machine { pointer_bits: 64, big_endian: false },
            blocks: 17,
            block_header: 32,
            data_length: DATA_LENGTH_5,
        })
    }

    /// The scenes in the first blocks, and the flaw that comes after them, if there is one.
    pub fn scenes(self, bytes: &[u8]) -> (Vec<Scene>, Option<Flaw>) {
        let mut scenes = Vec::new();
        let mut at = self.blocks;
        loop {
            match self.scene(bytes, at) {
                Ok(Some((scene, next))) => {
                    scenes.push(scene);
                    at = next;
                }
                Ok(None) => return (scenes, None),
                Err(flaw) => return (scenes, Some(flaw)),
            }
        }
    }

    /// The scene in the block at offset `at`, and the offset of the next block; `None` for a
    /// block of another kind.
    fn scene(self, bytes: &[u8], at: usize) -> Result<Option<(Scene, usize)>, Flaw> {
        let cut = || Flaw::cut(bytes.len());
        let block = bytes.get(at..).unwrap_or_default();
        let code = block.get(..4).ok_or_else(cut)?;
        if code != SCENE_BLOCK {
            return if is_code(code) {
                Ok(None)
            } else {
                Err(Flaw::new(at, format!("{} is not the code of a block", quoted(code))))
            };
        }
        let length = self.length(block).ok_or_else(cut)?;
        let data = at + self.block_header;
        let end = usize::try_from(length).ok().filter(|_| length >= SCENE_BLOCK_MIN);
        let end = end.and_then(|length| data.checked_add(length)).ok_or_else(|| {
            let place = at + self.data_length;
            Flaw::new(place, format!("a scene's block cannot be {length} bytes long"))
        })?;
        let data_bytes = bytes.get(data..end).ok_or_else(cut)?;
        let number = |at| self.int(data_bytes, at).ok_or_else(cut);
        let (first, last) = (number(0)?, number(4)?);
        let range = FrameNumber::new(first.into())
            .zip(FrameNumber::new(last.into()))
            .filter(|(first, last)| first <= last)
            .map(|(first, last)| FrameRange { first, last })
            .ok_or_else(|| {
                Flaw::new(data, format!("a scene cannot have frames {first} to {last}"))
            })?;
        let name = data_bytes.get(8..).unwrap_or_default();
        let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
        let name = String::from_utf8_lossy(name).into_owned();
        Ok(Some((Scene { name, range }, end)))
    }

    /// The length of a block's data, in bytes.
    fn length(self, block: &[u8]) -> Option<i64> {
        if self.data_length == DATA_LENGTH_5 {
            let eight = block.get(self.data_length..)?.get(..8)?.try_into().ok()?;
            Some(i64::from_le_bytes(eight))
        } else {
            self.int(block, self.data_length).map(i64::from)
        }
    }

    fn int(self, bytes: &[u8], at: usize) -> Option<i32> {
        let four = bytes.get(at..)?.get(..4)?.try_into().ok()?;
        Some(if self.machine.big_endian {
            i32::from_be_bytes(four)
        } else {
            i32::from_le_bytes(four)
        })
    }
}

/// Whether `code` can be that of a block: `GLOB`, `DNA1`, or two letters and two zeros.
fn is_code(code: &[u8]) -> bool {
    let letters = code.iter().take_while(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let letters = letters.count();
    letters >= 2 && code.iter().skip(letters).all(|&byte| byte == 0)
}

/// The bytes of a header in `range`.
fn field(bytes: &[u8], range: Range<usize>) -> Result<&[u8], Flaw> {
    bytes.get(range).ok_or_else(|| Flaw::cut(bytes.len()))
}

fn version(bytes: &[u8], range: Range<usize>) -> Result<BlenderVersion, Flaw> {
    let start = range.start;
    let digits = field(bytes, range)?;
    BlenderVersion::from_digits(digits)
        .ok_or_else(|| Flaw::new(start, format!("{} is not a version", quoted(digits))))
}

fn quoted(bytes: &[u8]) -> String {
    format!("`{}`", bytes.escape_ascii())
}

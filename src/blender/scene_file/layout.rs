//! How a .blend file is laid out: its header, and the blocks that follow.
//!
//! Sources: Blender's `BLO_blend_defs.hh` (4.x: `BLO_blend_defs.h`) and `write_renderinfo`
//! in `writefile.cc`.

use std::fmt;

use super::flaw::Flaw;
use crate::request::{BlenderVersion, FrameNumber, FrameRange};

pub(super) const MAGIC: &[u8] = b"BLENDER";

/// What tells of a scene, and comes before all other blocks.
const SCENE_BLOCK: &[u8] = b"REND";

/// The shortest such block: first and last frame.
const SHORTEST: i64 = 8;

/// The header's own length is in it, from Blender 5.0 on.
const HEADER_5: &[u8] = b"17-01v";

/// Where in a block's header the length of its data stands.
const DATA_LENGTH: usize = 4;

/// The same from Blender 5.0 on, where it has 64 bits rather than 32.
const DATA_LENGTH_5: usize = 16;

/// The kind of machine that a file was saved on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The size of its addresses, in bits: 32 or 64.
    pub pointer_bits: u8,
    /// Whether the first byte of a number is the one that weighs most.
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
    /// Its name.
    pub name: String,
    /// Its frames.
    pub range: FrameRange,
}

/// How a file is laid out, from its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub version: BlenderVersion,
    pub machine: Machine,
    /// Where the first block begins.
    blocks: usize,
    /// The length of a block's header.
    block_header: usize,
    /// Where in it the length of the data stands.
    data_length: usize,
}

impl Layout {
    /// Of a file that begins with the magic word.
    ///
    /// # Errors
    /// If the header is none that this knows. Too short a one has its flaw at the end.
    pub fn read(bytes: &[u8]) -> Result<Self, Flaw> {
        let at = MAGIC.len();
        let header = bytes.get(at..).unwrap_or_default();
        let cut = || Flaw::cut(bytes.len());
        match header.first().ok_or_else(cut)? {
            pointer @ (b'-' | b'_') => {
                let big_endian = match header.get(1).ok_or_else(cut)? {
                    b'v' => false,
                    b'V' => true,
                    other => {
                        return Err(Flaw::new(
                            at + 1,
                            format!("no byte order: {}", quoted(&[*other])),
                        ));
                    }
                };
                let digits = header.get(2..5).ok_or_else(cut)?;
                let wide_pointers = *pointer == b'-';
                Ok(Self {
                    version: BlenderVersion::from_digits(digits).ok_or_else(|| {
                        Flaw::new(at + 2, format!("no version: {}", quoted(digits)))
                    })?,
                    machine: Machine {
                        pointer_bits: if wide_pointers { 64 } else { 32 },
                        big_endian,
                    },
                    blocks: 12,
                    block_header: if wide_pointers { 24 } else { 20 },
                    data_length: DATA_LENGTH,
                })
            }
            b'0'..=b'9' => {
                let format = header.get(..HEADER_5.len()).ok_or_else(cut)?;
                if format != HEADER_5 {
                    let what = format!("a header of an unknown kind: {}", quoted(format));
                    return Err(Flaw::new(at, what));
                }
                let digits = header.get(6..10).ok_or_else(cut)?;
                Ok(Self {
                    version: BlenderVersion::from_digits(digits).ok_or_else(|| {
                        Flaw::new(at + 6, format!("no version: {}", quoted(digits)))
                    })?,
                    machine: Machine { pointer_bits: 64, big_endian: false },
                    blocks: 17,
                    block_header: 32,
                    data_length: DATA_LENGTH_5,
                })
            }
            other => Err(Flaw::new(at, format!("no size of pointers: {}", quoted(&[*other])))),
        }
    }

    /// The scenes that the first blocks tell of, and what is wrong behind them.
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

    /// The scene that the block there tells of, and where the next one begins. `None` if it
    /// is a block of something else.
    fn scene(self, bytes: &[u8], at: usize) -> Result<Option<(Scene, usize)>, Flaw> {
        let cut = || Flaw::cut(bytes.len());
        let block = bytes.get(at..).unwrap_or_default();
        let code = block.get(..4).ok_or_else(cut)?;
        if code != SCENE_BLOCK {
            return if is_code(code) {
                Ok(None)
            } else {
                Err(Flaw::new(at, format!("no block begins with {}", quoted(code))))
            };
        }
        let length = self.length(block).ok_or_else(cut)?;
        let data = at + self.block_header;
        let end = usize::try_from(length).ok().filter(|_| length >= SHORTEST);
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
            .ok_or_else(|| Flaw::new(data, format!("no scene has frames {first} to {last}")))?;
        let name = data_bytes.get(8..).unwrap_or_default();
        let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
        let name = String::from_utf8_lossy(name).into_owned();
        Ok(Some((Scene { name, range }, end)))
    }

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

/// Whether a block of some kind begins so: `GLOB`, `DNA1`, or two letters and two zeros.
fn is_code(code: &[u8]) -> bool {
    let letters = code.iter().take_while(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let letters = letters.count();
    letters >= 2 && code.iter().skip(letters).all(|&byte| byte == 0)
}

fn quoted(bytes: &[u8]) -> String {
    format!("`{}`", bytes.escape_ascii())
}

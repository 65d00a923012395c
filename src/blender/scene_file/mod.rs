//! The beginning of a .blend file: who saved it, and the frame ranges of its scenes.
//!
//! A file is `BLENDER`, pointer size, byte order and version in 12 bytes, then blocks of a
//! header and data; from 5.0 on the file header is 17 bytes and block headers are larger
//! ([`layout`]). `REND` blocks come first, so that render managers find the range of the
//! scene that is active without reading on. All of it may be compressed ([`packing`]).

mod flaw;
mod layout;
mod packing;

use std::error::Error;
use std::fmt;
use std::io;

use self::layout::{Layout, MAGIC};
use self::packing::unpack;
use crate::placeholder::Placeholder;
use crate::request::{BlenderVersion, FrameRange};

pub use self::flaw::Flaw;
pub use self::layout::{Machine, Scene};
pub use self::packing::Packing;

/// What the beginning of a .blend file tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SceneFile {
    /// How it is compressed.
    pub packing: Packing,
    /// Which Blender saved it.
    pub saved_by: Option<BlenderVersion>,
    /// What it was saved on.
    pub machine: Option<Machine>,
    /// The scenes that its first blocks tell of: the one that is active. (Blender 2.4 and
    /// older also told of those that were marked to be rendered together with it.)
    pub scenes: Vec<Scene>,
    /// Where it stops making sense, if that is here.
    pub flaw: Option<Flaw>,
}

/// Why a file is no .blend file.
#[derive(Debug)]
pub enum SceneFileError {
    /// It does not begin as one, compressed or not.
    NotABlend,
    /// It is empty.
    Empty,
    /// It is something that lies in its place.
    Instead(Placeholder),
    /// It begins as one.
    Damaged(Flaw),
    /// It was saved by a newer Blender than the one that is to render it.
    Newer {
        /// The Blender that saved it.
        saved_by: BlenderVersion,
        /// The one that is to render it.
        renderer: BlenderVersion,
    },
    /// It cannot be read.
    Io(io::Error),
}

impl fmt::Display for SceneFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotABlend => f.write_str("it does not begin like a .blend file"),
            Self::Empty => f.write_str("it is empty"),
            Self::Instead(placeholder) => write!(f, "it is {placeholder}"),
            Self::Damaged(flaw) => write!(f, "{flaw}"),
            Self::Newer { saved_by, renderer } => write!(
                f,
                "it was saved by Blender {saved_by}, and Blender {renderer} is to render it"
            ),
            Self::Io(_) => f.write_str("it cannot be read"),
        }
    }
}

impl Error for SceneFileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::NotABlend
            | Self::Empty
            | Self::Instead(_)
            | Self::Damaged(_)
            | Self::Newer { .. } => None,
        }
    }
}

/// As much of the unpacked beginning as is looked at. The blocks of scenes are the first
/// ones, at most 304 bytes each.
const BEGINNING: usize = 16 * 1024;

/// How many bytes of any file are enough to unpack that: a block of zstd has 128 KiB at most.
pub const ENOUGH: u64 = 160 * 1024;

impl SceneFile {
    /// Reads the first bytes of a file, or the `whole` of it. `None` if they are too few
    /// to tell; [`ENOUGH`] always do. What is of an unknown layout behind the magic word is
    /// left to Blender: it may know better.
    ///
    /// # Errors
    /// If the file is certainly no .blend file.
    pub fn from_start(start: &[u8], whole: bool) -> Result<Option<Self>, SceneFileError> {
        if let Some(placeholder) = Placeholder::of(start) {
            return Err(SceneFileError::Instead(placeholder));
        }
        let unpacked = unpack(start, BEGINNING);
        let bytes = unpacked.bytes.as_slice();
        if !bytes.starts_with(MAGIC) {
            return match unpacked.packing {
                _ if !whole && MAGIC.starts_with(bytes) => Ok(None),
                Packing::None if bytes.is_empty() => Err(SceneFileError::Empty),
                _ => Err(SceneFileError::NotABlend),
            };
        }
        let layout = Layout::read(bytes);
        let (scenes, flaw) = match &layout {
            Ok(layout) => layout.scenes(bytes),
            Err(flaw) => (Vec::new(), Some(flaw.clone())),
        };
        let flaw = match flaw {
            Some(Flaw { what: None, .. }) if bytes.len() == BEGINNING => None,
            Some(Flaw { what: None, .. }) if !whole => return Ok(None),
            Some(Flaw { what: None, offset }) => Some(Flaw { offset, what: unpacked.damage }),
            flaw => flaw,
        };
        let layout = layout.ok();
        Ok(Some(Self {
            packing: unpacked.packing,
            saved_by: layout.map(|layout| layout.version),
            machine: layout.map(|layout| layout.machine),
            scenes,
            flaw,
        }))
    }

    /// The frame range of the scene that is active.
    pub fn range(&self) -> Option<FrameRange> {
        self.scenes.first().map(|scene| scene.range)
    }
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
        bytes.extend(b"GLOB");
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
        bytes.extend(b"GLOB");
        bytes
    }

    fn read(bytes: &[u8]) -> Result<SceneFile, SceneFileError> {
        SceneFile::from_start(bytes, true).map(Option::unwrap)
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
                let file = read(&bytes).unwrap();
                assert_eq!(file.saved_by.unwrap().to_string(), version);
                assert_eq!(file.range().unwrap().to_string(), range);
            }
        }
    }

    #[test]
    fn what_is_no_blend_file_is_refused() {
        assert!(matches!(read(b""), Err(SceneFileError::Empty)));
        for bytes in [
            b"BLEND".to_vec(),
            b"\x89PNG\r\n\x1a\n".to_vec(),
            gzip(b"something else"),
            zstd(b"something else"),
            vec![0x1f, 0x8b],
            b"\x28\xb5\x2f\xfd".to_vec(),
        ] {
            assert!(matches!(read(&bytes), Err(SceneFileError::NotABlend)), "{bytes:?}");
        }
    }

    #[test]
    fn the_first_bytes_tell_or_do_not() {
        let plain = file("BLENDER-v304", 1, 9);
        let whole = zstd(&file("BLENDER-v304", 1, 199));
        let from = |start, whole| SceneFile::from_start(start, whole);
        let range = |file: Option<SceneFile>| file.unwrap().range().unwrap().to_string();
        assert_eq!(range(from(&whole, true).unwrap()), "1-199");
        assert_eq!(range(from(&plain[..112], false).unwrap()), "1-9");
        for too_few in [0, 3, 7, 11, 30, 60] {
            assert_eq!(from(&plain[..too_few], false).unwrap(), None, "{too_few}");
        }
        let cut = &whole[..whole.len() / 2];
        assert_eq!(from(cut, false).unwrap(), None);
        assert!(matches!(from(cut, true), Err(SceneFileError::NotABlend)));
        assert!(matches!(from(b"<html>", false), Err(SceneFileError::Instead(_))));
    }

    #[test]
    fn every_scene_is_told_of_by_its_name() {
        let mut bytes = file("BLENDER-v304", 1, 9);
        bytes[44..49].copy_from_slice("Weiß".as_bytes());
        bytes.truncate(12 + 24 + 72);
        bytes.extend_from_slice(&file("BLENDER-v304", 5, 7)[12..]);
        let scenes = read(&bytes).unwrap().scenes;
        let told: Vec<_> =
            scenes.iter().map(|scene| format!("{}: {}", scene.name, scene.range)).collect();
        assert_eq!(told, ["Weiß: 1-9", ": 5-7"]);
    }

    #[test]
    fn a_damaged_file_says_where() {
        let with = |at: usize, wrong: &[u8]| {
            let mut bytes = file("BLENDER-v304", 1, 9);
            bytes.splice(at..at + wrong.len(), wrong.iter().copied());
            bytes
        };
        let table = [
            (with(7, b"+"), 7, "no size of pointers: `+`"),
            (with(8, b"w"), 8, "no byte order: `w`"),
            (with(9, b"3x4"), 9, "no version: `3x4`"),
            (with(12, b"\x01END"), 12, "no block begins with `\\x01END`"),
            (with(16, &[4, 0, 0, 0]), 16, "a scene's block cannot be 4 bytes long"),
            (with(16, &[0xff; 4]), 16, "a scene's block cannot be -1 bytes long"),
            (with(36, &[10]), 36, "no scene has frames 10 to 9"),
            (b"BLENDER99-99x9999".to_vec(), 7, "a header of an unknown kind: `99-99x`"),
        ];
        for (bytes, offset, what) in table {
            for bytes in [gzip(&bytes), zstd(&bytes), bytes] {
                let flaw = read(&bytes).unwrap().flaw.unwrap();
                assert_eq!(flaw, Flaw::new(offset, what.to_owned()));
            }
        }
        for length in [7, 9, 12, 15, 35, 50] {
            let cut = &file("BLENDER-v304", 1, 9)[..length];
            let flaw = read(cut).unwrap().flaw.unwrap();
            assert_eq!(flaw, Flaw::cut(length));
        }
        // What follows the scenes is not looked at, and what is beyond is not missed.
        assert_eq!(read(&with(108, b"GLOB")).unwrap().flaw, None);
    }

    #[test]
    fn what_only_blender_can_judge_is_left_to_it() {
        for bytes in [&b"BLENDER"[..], b"BLENDER99-99x9999", b"BLENDER-v", b"BLENDER-v304REND"] {
            let file = read(bytes).unwrap();
            assert_eq!(file.range(), None);
        }
        // A range that makes no sense is none.
        let file = read(&file("BLENDER-v304", 9, 1)).unwrap();
        assert_eq!(file.range(), None);
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
                2 => bytes.splice(..0, *b"\x28\xb5\x2f\xfd").for_each(drop),
                _ => bytes.splice(..0, *b"\x1f\x8b").for_each(drop),
            }
            let _ = read(&bytes);
        }
    }
}

//! The beginning of a .blend file: the version that saved it, and its scenes' frame ranges.
//!
//! A file begins with a header of 12 bytes: `BLENDER`, pointer size, byte order and version.
//! Blocks follow, each of a header and data. From Blender 5.0 on, the file header has 17 bytes
//! and block headers are larger ([`layout`]). `REND` blocks come first, so that render managers
//! find the range of the active scene without reading on. The whole file may be compressed
//! ([`packing`]).

mod flaw;
mod layout;
mod packing;

use std::io;

use thiserror::Error;

use self::layout::{Layout, MAGIC};
use self::packing::unpack;
use crate::placeholder::Placeholder;
use crate::request::{BlenderVersion, DataName, FrameRange};

pub use self::flaw::Flaw;
pub use self::layout::{Machine, Scene};
pub use self::packing::Compression;

/// The beginning of a .blend file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SceneFile {
    /// How the file is compressed.
    pub compression: Compression,
    /// The version of Blender that saved it; `None` if the header is of an unknown kind.
    pub saved_by: Option<BlenderVersion>,
    /// The kind of machine that it was saved on; `None` if the header is of an unknown kind.
    pub machine: Option<Machine>,
    /// The scenes in the first blocks. Blender writes only the active one there; Blender 2.4 and
    /// older also wrote those that were marked to be rendered with it.
    pub scenes: Vec<Scene>,
    /// The first flaw, if it is in the part that was read.
    pub flaw: Option<Flaw>,
}

/// Why a file is not a usable scene file. In messages, "it" is the file.
#[derive(Debug, Error)]
pub enum SceneFileError {
    /// The file does not begin like a .blend file, compressed or not.
    #[error("it does not begin like a .blend file")]
    NotABlend,
    /// The file is empty.
    #[error("it is empty")]
    Empty,
    /// The file is a placeholder, such as a Git LFS pointer.
    #[error("it is {0}")]
    Placeholder(Placeholder),
    /// The file begins like a .blend file, but its beginning is damaged.
    #[error("{0}")]
    Damaged(Flaw),
    /// The file was saved by a newer Blender than the one that is to render it.
    #[error("it was saved by Blender {saved_by}, and Blender {renderer} is to render it")]
    Newer {
        /// The version that saved it.
        saved_by: BlenderVersion,
        /// The version that is to render it.
        renderer: BlenderVersion,
    },
    /// The file cannot be read.
    #[error("it cannot be read")]
    Io(#[source] io::Error),
}

/// The length of the decompressed beginning that is read, in bytes. The blocks of scenes come
/// first and have at most 304 bytes each.
const BEGINNING: usize = 16 * 1024;

impl SceneFile {
    /// How many bytes of a file [`SceneFile::from_start`] needs at most: a block of zstd has up
    /// to 128 KiB.
    pub const PREFIX_LENGTH: u64 = 160 * 1024;

    /// Reads the first bytes of a file, or all of them if `whole`. Returns `None` if they are too
    /// few to decide; [`SceneFile::PREFIX_LENGTH`] bytes are always enough.
    ///
    /// A file of an unknown layout is no error: Blender may know that layout. Its `flaw` tells
    /// where it differs.
    ///
    /// # Errors
    /// [`SceneFileError::Empty`], [`SceneFileError::Placeholder`] or
    /// [`SceneFileError::NotABlend`], if the file is certainly not a .blend file.
    pub fn from_start(start: &[u8], whole: bool) -> Result<Option<Self>, SceneFileError> {
        if let Some(placeholder) = Placeholder::of(start) {
            return Err(SceneFileError::Placeholder(placeholder));
        }
        let unpacked = unpack(start, BEGINNING);
        let bytes = unpacked.bytes.as_slice();
        if !bytes.starts_with(MAGIC) {
            return match unpacked.compression {
                _ if !whole && MAGIC.starts_with(bytes) => Ok(None),
                Compression::None if bytes.is_empty() => Err(SceneFileError::Empty),
                _ => Err(SceneFileError::NotABlend),
            };
        }
        let layout = Layout::read(bytes);
        let (scenes, flaw) = match &layout {
            Ok(layout) => layout.scenes(bytes),
            Err(flaw) => (Vec::new(), Some(flaw.clone())),
        };
        let flaw = match flaw {
            Some(Flaw { reason: None, .. }) if bytes.len() == BEGINNING => None,
            Some(Flaw { reason: None, .. }) if !whole => return Ok(None),
            Some(Flaw { reason: None, offset }) => Some(Flaw { offset, reason: unpacked.damage }),
            flaw => flaw,
        };
        let layout = layout.ok();
        Ok(Some(Self {
            compression: unpacked.compression,
            saved_by: layout.map(|layout| layout.version),
            machine: layout.map(|layout| layout.machine),
            scenes,
            flaw,
        }))
    }

    /// The frame range of the active scene.
    pub fn range(&self) -> Option<FrameRange> {
        self.scenes.first().map(|scene| scene.range)
    }

    /// The frame range of the scene of this name, or else of the active scene; `None` if the
    /// beginning of the file does not have it.
    pub fn range_of(&self, name: Option<&DataName>) -> Option<FrameRange> {
        let Some(name) = name else { return self.range() };
        self.scenes.iter().find(|scene| scene.name == name.as_str()).map(|scene| scene.range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write as _;

    /// The beginning of a file in the layout of Blender 4.5 and older.
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

    /// The beginning of a file in the layout of Blender 5.
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
    fn other_files_are_rejected() {
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
    fn more_bytes_are_requested_until_they_are_enough() {
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
        assert!(matches!(from(b"<html>", false), Err(SceneFileError::Placeholder(_))));
    }

    #[test]
    fn every_scene_is_read_with_its_name() {
        let mut bytes = file("BLENDER-v304", 1, 9);
        bytes[44..49].copy_from_slice("Weiß".as_bytes());
        bytes.truncate(12 + 24 + 72);
        bytes.extend_from_slice(&file("BLENDER-v304", 5, 7)[12..]);
        let scenes = read(&bytes).unwrap().scenes;
        let described: Vec<_> =
            scenes.iter().map(|scene| format!("{}: {}", scene.name, scene.range)).collect();
        assert_eq!(described, ["Weiß: 1-9", ": 5-7"]);
    }

    #[test]
    fn a_flaw_names_its_place() {
        let with = |at: usize, wrong: &[u8]| {
            let mut bytes = file("BLENDER-v304", 1, 9);
            bytes.splice(at..at + wrong.len(), wrong.iter().copied());
            bytes
        };
        let table = [
            (with(7, b"+"), 7, "`+` is not a pointer size"),
            (with(8, b"w"), 8, "`w` is not a byte order"),
            (with(9, b"3x4"), 9, "`3x4` is not a version"),
            (with(12, b"\x01END"), 12, "`\\x01END` is not the code of a block"),
            (with(16, &[4, 0, 0, 0]), 16, "a scene's block cannot be 4 bytes long"),
            (with(16, &[0xff; 4]), 16, "a scene's block cannot be -1 bytes long"),
            (with(36, &[10]), 36, "a scene cannot have frames 10 to 9"),
            (b"BLENDER99-99x9999".to_vec(), 7, "unknown kind of header: `99-99x`"),
        ];
        for (bytes, offset, reason) in table {
            for bytes in [gzip(&bytes), zstd(&bytes), bytes] {
                let flaw = read(&bytes).unwrap().flaw.unwrap();
                assert_eq!(flaw, Flaw::new(offset, reason.to_owned()));
            }
        }
        for length in [7, 9, 12, 15, 35, 50] {
            let cut = &file("BLENDER-v304", 1, 9)[..length];
            let flaw = read(cut).unwrap().flaw.unwrap();
            assert_eq!(flaw, Flaw::cut(length));
        }
        // The blocks after the scenes are not read, so they may be missing.
        assert_eq!(read(&with(108, b"GLOB")).unwrap().flaw, None);
    }

    #[test]
    fn files_of_an_unknown_layout_are_left_to_blender() {
        for bytes in [&b"BLENDER"[..], b"BLENDER99-99x9999", b"BLENDER-v", b"BLENDER-v304REND"] {
            let file = read(bytes).unwrap();
            assert_eq!(file.range(), None);
        }
        // An invalid range is ignored.
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

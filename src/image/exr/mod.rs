//! OpenEXR: headers, tables of chunk offsets, and chunks of pixels.
//!
//! After the [OpenEXR file layout][layout].
//!
//! An OpenEXR image is whole when its tables of offsets are complete, the chunks
//! that they point to lie in the file, and these chunks cover every row of the
//! data window or every tile of every level. A writer that stops early leaves
//! its tables full of zeros, because it fills them in last.
//!
//! The check measures chunks without decoding them. It ignores their
//! compression, so new compressions need no change here.
//!
//! [layout]: https://openexr.com/en/latest/OpenEXRFileLayout.html

mod chunks;
mod header;
mod picture;
mod tiles;

use std::io::{BufRead, Seek};

use super::reader::Source;
use super::{Damage, Frame};
use header::Header;

pub(super) fn check<R: BufRead + Seek>(source: &mut Source<R>) -> Result<Frame, Damage> {
    let header = Header::read(source)?;
    chunks::check(source, &header)?;
    Ok(header.frame)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::image::samples::{DISK_FULL, Sample, assert_corrupt, named, of};
    use crate::request::ImageFormat;

    /// Returns the start of the tables of offsets and their number of offsets.
    fn table(sample: &Sample) -> (usize, usize) {
        let mut source = Source::new(Cursor::new(sample.bytes)).unwrap();
        Header::read(&mut source).unwrap();
        let start = usize::try_from(source.position()).unwrap();
        let first_chunk = (start..).step_by(8).take_while(|&at| at < entry(sample, start)).count();
        (start, first_chunk)
    }

    fn entry(sample: &Sample, at: usize) -> usize {
        let offset = u64::from_le_bytes(sample.bytes[at..at + 8].try_into().unwrap());
        usize::try_from(offset).unwrap()
    }

    /// Overwrites bytes of an attribute at `at`, relative to the start of its value.
    fn set(sample: &Sample, attribute: &str, at: usize, value: &[u8]) -> Result<Frame, Damage> {
        let value_at = sample.position_of(attribute.as_bytes()) + attribute.len() + 4 + at;
        sample.edit(|bytes| bytes[value_at..value_at + value.len()].copy_from_slice(value))
    }

    const DATA_WINDOW: &str = "dataWindow\0box2i\0";
    const DISPLAY_WINDOW: &str = "displayWindow\0box2i\0";
    const COMPRESSION: &str = "compression\0compression\0";
    const TILES: &str = "tiles\0tiledesc\0";
    const CHUNK_COUNT: &str = "chunkCount\0int\0";
    const TYPE: &str = "type\0string\0";

    #[test]
    fn a_disk_that_was_full_is_noticed() {
        assert_corrupt(DISK_FULL.check(), "writing stopped early");
    }

    #[test]
    fn the_picture_is_found_in_its_layer() {
        for sample in of(ImageFormat::OpenExr) {
            let layer = match sample.name {
                "blender-multilayer-composite-zip.exr" => Some("Composite.Combined"),
                "blender-multilayer-zip.exr" | "exrmultipart-two-parts.exr" => {
                    Some("ViewLayer.Combined")
                }
                _ => None,
            };
            let frame = sample.check().unwrap();
            assert_eq!(frame.layer.as_deref(), layer, "{}", sample.name);
            assert_eq!(frame.part, 0, "{}", sample.name);
        }
    }

    #[test]
    fn the_picture_is_found_in_its_part() {
        let sample = named("exrmultipart-two-parts.exr");
        let pass = b"ViewLayer.Combined.";
        let frame = sample.edit(|bytes| {
            let places: Vec<_> =
                (0..bytes.len()).filter(|&at| bytes[at..].starts_with(pass)).collect();
            // The first four are the channels of the first part.
            assert_eq!(places.len(), 8);
            for at in &places[..4] {
                bytes[at + 10] = b'X';
            }
        });
        let frame = frame.unwrap();
        assert_eq!(frame.layer.as_deref(), Some("ViewLayer.Combined"));
        assert_eq!(frame.part, 1);
    }

    #[test]
    fn the_size_is_that_of_the_display_window() {
        let sample = named("blender-rgba-16-zip.exr");
        // Columns from -100 to 32 and rows from -1 to 16.
        let origin = [(-100_i32).to_le_bytes(), (-1_i32).to_le_bytes()].concat();
        let frame = set(sample, DISPLAY_WINDOW, 0, &origin).unwrap();
        assert_eq!((frame.width, frame.height), (133, 18));
        assert_corrupt(set(sample, DISPLAY_WINDOW, 8, &[0xFF; 4]), "display window");
        let giant = [[0, 0, 0, 0x80], [0, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0x7F]].concat();
        assert_corrupt(set(sample, DISPLAY_WINDOW, 0, &giant), "display window");
    }

    #[test]
    fn the_compression_does_not_matter() {
        for sample in of(ImageFormat::OpenExr) {
            let unknown = set(sample, COMPRESSION, 0, &[200]);
            assert_eq!(unknown.unwrap(), sample.check().unwrap(), "{}", sample.name);
        }
    }

    #[test]
    fn every_offset_has_to_be_there() {
        for sample in of(ImageFormat::OpenExr) {
            let (start, count) = table(sample);
            for at in (start..).step_by(8).take(count) {
                let zero = sample.edit(|bytes| bytes[at..at + 8].fill(0));
                assert_corrupt(zero, "writing stopped early");
            }
        }
    }

    #[test]
    fn every_chunk_has_to_be_in_its_place() {
        for sample in of(ImageFormat::OpenExr) {
            let (start, count) = table(sample);
            for at in (start..).step_by(8).take(count - 1) {
                let twice = sample.edit(|bytes| bytes.copy_within(at..at + 8, at + 8));
                assert_corrupt(twice, "its place in the table");
            }
            for at in (start..).step_by(8).take(count) {
                let header = entry(sample, at);
                let moved = sample.edit(|bytes| bytes[header] ^= 0x40);
                assert_corrupt(moved, "its place in the table");
            }
        }
    }

    #[test]
    fn chunks_can_be_in_any_order() {
        let sample = named("blender-rgba-16-zip.exr");
        let (start, count) = table(sample);
        assert_eq!(count, 2);
        let (first, second) = (entry(sample, start), entry(sample, start + 8));
        let result = sample.edit(|bytes| {
            bytes[first..].rotate_left(second - first);
            let moved = first + bytes.len() - second;
            bytes[start..start + 8].copy_from_slice(&(moved as u64).to_le_bytes());
            bytes[start + 8..start + 16].copy_from_slice(&(first as u64).to_le_bytes());
        });
        assert_eq!(result.unwrap(), sample.check().unwrap());
    }

    #[test]
    fn the_chunks_have_to_cover_the_data_window() {
        let sample = named("blender-rgba-16-zip.exr");
        // The file has two chunks of at most 16 rows each.
        assert!(set(sample, DATA_WINDOW, 12, &[31]).is_ok());
        assert_corrupt(set(sample, DATA_WINDOW, 12, &[32]), "do not cover");
        assert_corrupt(set(sample, DATA_WINDOW, 12, &[15]), "its place");
        assert_corrupt(set(sample, DATA_WINDOW, 4, &[1]), "its place");
        assert_corrupt(set(sample, DATA_WINDOW, 4, &[99]), "window is empty");

        let tiled = named("exrmaketiled-one-level.exr");
        assert!(matches!(set(tiled, DATA_WINDOW, 8, &[64]), Err(Damage::Corrupt { .. })));
    }

    #[test]
    fn a_chunk_has_to_hold_something() {
        let sample = named("blender-rgba-16-zip.exr");
        let (start, _) = table(sample);
        let size = entry(sample, start) + 4;
        let empty = sample.edit(|bytes| bytes[size..size + 4].fill(0));
        assert_corrupt(empty, "holds no pixels");
        let negative = sample.edit(|bytes| bytes[size + 3] = 0x80);
        assert!(matches!(negative, Err(Damage::Truncated { .. })));
    }

    #[test]
    fn tiles_have_to_have_a_size() {
        let sample = named("exrmaketiled-mipmap.exr");
        for (at, value) in [(0, 0), (4, 0), (8, 3), (8, 0x20)] {
            assert_corrupt(set(sample, TILES, at, &[value]), "impossible");
        }
        // Other modes do not match the table, except one level (0x00): its tiles come first.
        for mode in [0x00, 0x11, 0x02] {
            let result = set(sample, TILES, 8, &[mode]);
            assert!(result.is_err() || mode == 0x00, "{mode} {result:?}");
        }
    }

    #[test]
    fn parts_have_to_tell_their_number_of_chunks() {
        let sample = named("exrmultipart-two-parts.exr");
        assert_corrupt(set(sample, CHUNK_COUNT, 3, &[0x80]), "negative");
        for count in [0, 1, 3] {
            let wrong = set(sample, CHUNK_COUNT, 0, &[count]);
            assert!(matches!(wrong, Err(Damage::Corrupt { .. })), "{count}");
        }
        let giant = set(sample, CHUNK_COUNT, 3, &[0x7F]);
        assert!(matches!(giant, Err(Damage::Truncated { .. })));
        let at = sample.position_of(CHUNK_COUNT.as_bytes());
        assert_corrupt(sample.edit(|bytes| bytes[at] = b'X'), "does not tell");
        assert_corrupt(set(sample, TYPE, 0, b"S"), "type of a part");
    }

    #[test]
    fn the_header_has_to_be_understood() {
        let sample = named("blender-rgba-16-zip.exr");
        assert_corrupt(sample.edit(|bytes| bytes[4] = 3), "version");
        assert_corrupt(sample.edit(|bytes| bytes[6] = 1), "version");
        assert_corrupt(sample.edit(|bytes| bytes[8] = 0), "header is empty");
        let long_name = sample.edit(|bytes| {
            bytes.splice(8..8, [b'n'; 256]);
        });
        assert_corrupt(long_name, "too long");
        let no_window = sample.position_of(DATA_WINDOW.as_bytes());
        assert_corrupt(sample.edit(|bytes| bytes[no_window] = b'X'), "no data window");
    }

    #[test]
    fn deep_chunks_are_measured() {
        // One row of one pixel: 4 bytes of sample counts and 8 bytes of samples.
        let attribute = |name: &str, value: &[u8]| {
            let size = u32::try_from(value.len()).unwrap();
            [name.as_bytes(), &size.to_le_bytes(), value].concat()
        };
        let start = [
            &[0x76, 0x2F, 0x31, 0x01, 2, 0x08, 0, 0][..],
            &attribute(DATA_WINDOW, &[0; 16]),
            &attribute(DISPLAY_WINDOW, &[0; 16]),
            &attribute(TYPE, b"deepscanline"),
            &attribute(CHUNK_COUNT, &[1, 0, 0, 0]),
            &[0],
        ]
        .concat();
        let chunk = start.len() as u64 + 8;
        let file = [
            start.as_slice(),
            &chunk.to_le_bytes(),
            &0_i32.to_le_bytes(),
            &4_u64.to_le_bytes(),
            &8_u64.to_le_bytes(),
            &8_u64.to_le_bytes(),
            &[7; 12],
        ]
        .concat();
        let check = |bytes: &[u8]| DISK_FULL.check_as(bytes);
        assert_eq!(check(&file).unwrap().width, 1);
        for length in 0..file.len() {
            assert!(check(&file[..length]).is_err());
        }
    }
}

//! TIFF and BigTIFF: a directory (IFD) of fields that point to strips or tiles.
//!
//! After TIFF 6.0, section 2 (header, IFD, field types), section 3 (strips) and
//! section 15 (tiles), and the [BigTIFF design][big] (magic number 43,
//! eight-byte offsets and counts).
//!
//! A TIFF image is whole when every value of its first directory lies in the
//! file, and so do all the strips or tiles that an image of its size requires.
//! The check ignores further directories: a video uses only the first image, and
//! a circular chain of directories would never end.
//!
//! [big]: https://www.awaresystems.be/imaging/tiff/bigtiff.html

mod directory;

use std::io::{BufRead, Seek};
use std::ops::Range;

use super::reader::Source;
use super::{Damage, Frame};
use directory::{Directory, Field};

/// Number of strips or tiles to check between two seeks.
const BATCH: usize = 256;

pub(super) fn check<R: BufRead + Seek>(source: &mut Source<R>) -> Result<Frame, Damage> {
    let directory = Directory::read(source)?;
    let corrupt = |what| Damage::Corrupt { what, offset: directory.offset };

    let (Some(width), Some(height)) = (directory.width, directory.height) else {
        return Err(corrupt("the image has no size"));
    };
    let width = width.first(source)?;
    let height = height.first(source)?;
    let frame = match (u32::try_from(width), u32::try_from(height)) {
        (Ok(width), Ok(height)) => Frame::plain(width, height, directory.offset)?,
        _ => return Err(corrupt("the image has an impossible size")),
    };

    let (offsets, sizes, per_plane) = if directory.tile_offsets.is_some() {
        let across = first_or(source, directory.tile_width, 0)?;
        let down = first_or(source, directory.tile_height, 0)?;
        if across == 0 || down == 0 {
            return Err(corrupt("the tiles have no size"));
        }
        let tiles = width.div_ceil(across).saturating_mul(height.div_ceil(down));
        (directory.tile_offsets, directory.tile_sizes, tiles)
    } else {
        let rows = first_or(source, directory.rows_per_strip, height)?;
        if rows == 0 {
            return Err(corrupt("the strips have no rows"));
        }
        let strips = height.div_ceil(rows);
        (directory.strip_offsets, directory.strip_sizes, strips)
    };
    let (Some(offsets), Some(sizes)) = (offsets, sizes) else {
        return Err(corrupt("the image has no strips or tiles"));
    };

    let planes = match first_or(source, directory.planar_configuration, 1)? {
        2 => first_or(source, directory.samples_per_pixel, 1)?,
        _ => 1,
    };
    let expected = per_plane.saturating_mul(planes);
    if expected == 0 || offsets.count < expected || sizes.count < expected {
        return Err(corrupt("the image has fewer strips or tiles than its size asks for"));
    }
    for first in (0..expected).step_by(BATCH) {
        check_batch(source, offsets, sizes, first..expected)?;
    }
    Ok(frame)
}

/// Checks that the first strips or tiles of `range`, at most [`BATCH`] of them, lie in the file.
fn check_batch<R: BufRead + Seek>(
    source: &mut Source<R>,
    offsets: Field,
    sizes: Field,
    range: Range<u64>,
) -> Result<(), Damage> {
    let mut starts = [0; BATCH];
    offsets.seek(source, range.start)?;
    for (start, _) in starts.iter_mut().zip(range.clone()) {
        *start = offsets.read_next(source)?;
    }
    sizes.seek(source, range.start)?;
    for (start, _) in starts.into_iter().zip(range) {
        let offset = source.position();
        let size = sizes.read_next(source)?;
        if start == 0 || size == 0 {
            return Err(Damage::Corrupt { what: "a strip or tile was never written", offset });
        }
        source.require(start, size, "a strip or tile")?;
    }
    Ok(())
}

fn first_or<R: BufRead + Seek>(
    source: &mut Source<R>,
    field: Option<Field>,
    default: u64,
) -> Result<u64, Damage> {
    field.map_or(Ok(default), |field| field.first(source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::samples::{Sample, assert_corrupt, named, of};
    use crate::request::ImageFormat;

    const SHORT: [u8; 2] = [3, 0];
    const LONG: [u8; 2] = [4, 0];

    /// Returns the offset of a field of the directory in a little-endian file.
    fn field(sample: &Sample, tag: u16, kind: [u8; 2]) -> usize {
        sample.position_of(&[tag.to_le_bytes(), kind].concat())
    }

    /// Changes the number of a field that holds a single one.
    fn set(tag: u16, kind: [u8; 2], value: u32) -> Result<Frame, Damage> {
        let sample = named("blender-rgba-8-none.tif");
        let at = field(sample, tag, kind) + 8;
        sample.edit(|bytes| bytes[at..at + 4].copy_from_slice(&value.to_le_bytes()))
    }

    #[test]
    fn zeros_that_reach_the_directory_are_noticed() {
        for sample in of(ImageFormat::Tiff) {
            // The values of the directory are at the end of the file. The check notices zeros
            // only in values that locate pixels.
            let longest = sample.zeroed_tails_unnoticed().into_iter().max();
            assert!(longest.is_none_or(|tail| tail < 100), "{}", sample.name);
        }
    }

    #[test]
    fn the_fields_have_to_make_sense() {
        for (tag, kind, value, words) in [
            (256, SHORT, 0, "width or height of 0"),
            (257, SHORT, 0, "width or height of 0"),
            (273, LONG, 0, "never written"),
            (278, SHORT, 0, "strips have no rows"),
            (278, SHORT, 8, "fewer strips"),
            (279, LONG, 0, "never written"),
            (284, SHORT, 2, "fewer strips"),
        ] {
            assert_corrupt(set(tag, kind, value), words);
        }
    }

    #[test]
    fn a_strip_beyond_the_end_is_truncated() {
        for result in [set(273, LONG, 9999), set(279, LONG, u32::MAX)] {
            assert!(matches!(result, Err(Damage::Truncated { inside: "a strip or tile", .. })));
        }
    }

    #[test]
    fn a_field_that_is_missing_is_noticed() {
        let sample = named("blender-rgba-8-none.tif");
        for (tag, kind, words) in [
            (256, SHORT, "no size"),
            (257, SHORT, "no size"),
            (273, LONG, "no strips"),
            (279, LONG, "no strips"),
        ] {
            let at = field(sample, tag, kind);
            // Replace it with a private tag.
            assert_corrupt(sample.edit(|bytes| bytes[at + 1] = 0xFF), words);
        }
        let rows = field(sample, 278, SHORT);
        // Without this field, all rows are in one strip, as in this file.
        assert!(sample.edit(|bytes| bytes[rows + 1] = 0xFF).is_ok());
    }

    #[test]
    fn a_field_of_another_type_is_no_number() {
        let sample = named("blender-rgba-8-none.tif");
        let at = field(sample, 256, SHORT);
        let float = sample.edit(|bytes| bytes[at + 2] = 11);
        assert_corrupt(float, "not a number");
        let unknown = sample.edit(|bytes| bytes[at + 2] = 99);
        assert_corrupt(unknown, "no size");
        let none = sample.edit(|bytes| bytes[at + 4] = 0);
        assert_corrupt(none, "no value");
    }

    #[test]
    fn a_giant_count_ends_at_the_end_of_the_file() {
        let sample = named("blender-rgba-8-none.tif");
        let at = field(sample, 273, LONG) + 4;
        let result = sample.edit(|bytes| bytes[at..at + 4].fill(0xFF));
        assert!(matches!(result, Err(Damage::Truncated { .. })));
    }

    #[test]
    fn directories_that_follow_each_other_in_a_circle_are_not_followed() {
        let sample = named("blender-rgba-8-none.tif");
        let directory = usize::from(sample.bytes[4]) | usize::from(sample.bytes[5]) << 8;
        let next = directory + 2 + 12 * usize::from(sample.bytes[directory]);
        let result = sample.edit(|bytes| bytes.copy_within(4..8, next));
        assert!(result.is_ok());
        let beyond = sample.edit(|bytes| bytes[next + 3] = 1);
        assert!(matches!(beyond, Err(Damage::Truncated { .. })));
    }

    #[test]
    fn a_big_tiff_has_eight_byte_offsets() {
        let sample = named("tiffcp-bigtiff-strips.tif");
        let result = sample.edit(|bytes| bytes[4] = 4);
        assert_corrupt(result, "another width");
    }

    #[test]
    fn every_strip_or_tile_is_looked_at() {
        // Tag 325, big-endian, of type SHORT: one size for each of six tiles.
        let sample = named("tiffcp-tiles-big-endian.tif");
        let at = sample.position_of(&[1, 69, 0, 3]);
        let entry = &sample.bytes[at..at + 12];
        assert_eq!(entry[4..8], [0, 0, 0, 6]);
        let sizes = u32::from_be_bytes(entry[8..].try_into().unwrap()) as usize;
        for tile in 0..6 {
            let at = sizes + 2 * tile;
            let result = sample.edit(|bytes| bytes[at..at + 2].fill(0));
            assert_corrupt(result, "never written");
        }
    }
}

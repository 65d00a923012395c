//! Tests of whole files.

use std::ops::Range;

use ::image::DynamicImage;

use super::*;
use crate::image::decode::decode as decode_any;
use crate::image::samples::{Sample, assert_corrupt, named, of};
use crate::request::ImageFormat;

const SHORT: [u8; 2] = [3, 0];
const LONG: [u8; 2] = [4, 0];

fn whole(name: &str) -> Picture {
    decode(named(name).bytes).unwrap_or_else(|damage| panic!("{name} {damage}"))
}

#[track_caller]
fn assert_unsupported(result: Result<Picture, Damage>, words: &str) {
    match result {
        Err(Damage::Unsupported(what)) => assert!(what.contains(words), "{what}"),
        other => panic!("expected \"{words}\", not {other:?}"),
    }
}

/// Returns the offset of a field of the directory in a little-endian file.
fn field(sample: &Sample, tag: u16, kind: [u8; 2]) -> usize {
    sample.position_of(&[tag.to_le_bytes(), kind].concat())
}

/// Changes the number of a field that holds a single one.
fn set(tag: u16, kind: [u8; 2], value: u32) -> Result<Picture, Damage> {
    set_in("blender-rgba-8-none.tif", tag, kind, value)
}

fn set_in(name: &str, tag: u16, kind: [u8; 2], value: u32) -> Result<Picture, Damage> {
    let sample = named(name);
    let at = field(sample, tag, kind) + 8;
    sample.changed(|bytes| bytes[at..at + 4].copy_from_slice(&value.to_le_bytes()))
}

/// The largest difference between two pictures, of 65535.
fn difference(a: &DynamicImage, b: &DynamicImage) -> u16 {
    let (a, b) = (a.to_rgba16(), b.to_rgba16());
    assert_eq!(a.dimensions(), b.dimensions());
    a.iter().zip(b.iter()).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

#[test]
fn every_compression_and_layout_holds_the_same_picture() {
    let first = whole("blender-rgba-8-none.tif").pixels;
    for name in [
        "blender-rgba-8-lzw.tif",
        "blender-rgba-8-packbits.tif",
        "tiffcp-bigtiff-strips.tif",
        "tiffcp-planar.tif",
        "tiffcp-tiles-big-endian.tif",
    ] {
        assert!(whole(name).pixels == first, "{name}");
    }
}

#[test]
fn a_picture_of_blender_is_that_of_its_png() {
    let png = named("blender-rgba-16.png").bytes;
    let png = decode_any(ImageFormat::Png, png, None).unwrap().pixels;
    // Alpha is straight in 8 bits, and premultiplied in 16.
    for (name, within) in [
        ("blender-rgba-8-none.tif", 3 * 257),
        // An alpha of 1/255 leaves few digits.
        ("blender-rgba-16-deflate.tif", 257),
    ] {
        let difference = difference(&whole(name).pixels, &png);
        assert!(difference <= within, "{name} {difference}");
    }
    let png = named("blender-rgb-8.png").bytes;
    let png = decode_any(ImageFormat::Png, png, None).unwrap().pixels;
    assert_eq!(whole("ffmpeg-rgb-packbits.tif").pixels, png);
}

#[test]
fn bits_and_kinds_of_samples_are_read() {
    // The same picture.
    let rgb = whole("tifffile-rgb-8.tif").pixels;
    for (name, within) in
        [("tifffile-rgb-16-predictor.tif", 0), ("tifffile-rgb-jpeg.tif", 12 * 257)]
    {
        let difference = difference(&whole(name).pixels, &rgb);
        assert!(difference <= within, "{name} {difference}");
    }
    let grey = whole("tifffile-grey-4.tif").pixels;
    assert!(matches!(grey, DynamicImage::ImageLuma8(_)));
    assert_eq!(whole("tifffile-white-is-zero.tif").pixels, grey);
    let DynamicImage::ImageLuma8(fax) = whole("bilevel-group4.tif").pixels else { panic!() };
    let expected =
        grey.to_luma8().into_raw().into_iter().map(|grey| if grey < 128 { 0 } else { 255 });
    assert!(fax.iter().copied().eq(expected));
    let float = whole("tifffile-float-predictor.tif");
    assert!(float.is_linear());
    let DynamicImage::ImageRgb32F(float) = float.pixels else { panic!() };
    // Values of 0 to 255, doubled.
    let expected = rgb.to_rgb8().into_raw().into_iter().map(|value| f32::from(value) * 2.0);
    assert!(float.iter().copied().eq(expected));
}

#[test]
fn kinds_that_are_not_decoded_are_named() {
    for (tag, kind, value, words) in [
        (259, SHORT, 2, "modified Huffman"),
        (259, SHORT, 6, "old-style JPEG"),
        (259, SHORT, 50_000, "ZSTD"),
        (259, SHORT, 9999, "9999"),
        (262, SHORT, 6, "YCbCr"),
        (262, SHORT, 8, "Lab"),
        (262, SHORT, 9999, "9999"),
    ] {
        assert_unsupported(set(tag, kind, value), words);
    }
    let jpeg = named("tifffile-rgb-jpeg.tif");
    let header = jpeg.position_of(&[0xFF, 0xC0]);
    assert_unsupported(jpeg.changed(|bytes| bytes[header + 1] = 0xC9), "arithmetic");
}

#[test]
fn a_thumbnail_is_not_the_picture() {
    assert_unsupported(set_in("ffmpeg-rgb-packbits.tif", 254, LONG, 1), "thumbnail");
    // A page of several.
    assert!(set_in("ffmpeg-rgb-packbits.tif", 254, LONG, 2).is_ok());
}

#[test]
fn only_the_sample_after_the_colours_is_taken_for_alpha() {
    let sample = named("blender-rgba-8-none.tif");
    let extra = |kinds: &[u16]| {
        let at = field(sample, 338, SHORT) + 4;
        let count = u32::try_from(kinds.len()).unwrap().to_le_bytes();
        let kinds: Vec<_> = kinds.iter().flat_map(|kind| kind.to_le_bytes()).collect();
        sample.changed(|bytes| {
            bytes[at..at + 4].copy_from_slice(&count);
            bytes[at + 4..at + 4 + kinds.len()].copy_from_slice(&kinds);
        })
    };
    assert_unsupported(extra(&[0, 2]), "alpha");
    let straight = extra(&[2]).unwrap().pixels;
    assert_eq!(extra(&[2, 0]).unwrap().pixels, straight);
    assert_eq!(extra(&[0]).unwrap().pixels, straight);
}

#[test]
fn an_image_is_turned_as_its_field_says() {
    for (orientation, size) in [(1, (33, 17)), (3, (33, 17)), (6, (17, 33)), (99, (33, 17))] {
        let picture = set_in("tifffile-rgb-8.tif", 274, SHORT, orientation).unwrap();
        assert_eq!((picture.pixels.width(), picture.pixels.height()), size, "{orientation}");
    }
}

#[test]
fn pixels_can_be_wide() {
    let sample = named("blender-rgba-8-none.tif");
    let at = field(sample, 282, [5, 0]) + 8;
    let at = usize::try_from(u32::from_le_bytes(sample.bytes[at..at + 4].try_into().unwrap()));
    let at = at.unwrap();
    for (x, width, height) in [(72, 1, 1), (36, 2, 1), (144, 1, 2), (0, 1, 1), (u32::MAX, 1, 1)] {
        let picture = sample.changed(|bytes| bytes[at..at + 4].copy_from_slice(&x.to_le_bytes()));
        assert_eq!(picture.unwrap().pixel_aspect, PixelAspect { width, height }, "{x}");
    }
}

#[test]
fn the_fields_have_to_make_sense() {
    for (tag, value) in [(256, 0), (257, 0)] {
        assert!(matches!(set(tag, SHORT, value), Err(Damage::NoPixels { .. })));
    }
    for (tag, kind, value, words) in [
        (273, LONG, 0, "never written"),
        (277, SHORT, 2, "fewer samples"),
        (278, SHORT, 0, "strips have no rows"),
        (278, SHORT, 8, "fewer strips"),
        (279, LONG, 0, "never written"),
        (279, LONG, 9, "too short"),
        (284, SHORT, 2, "fewer strips"),
    ] {
        assert_corrupt(set(tag, kind, value), words);
    }
}

#[test]
fn a_giant_image_takes_no_memory() {
    for (tag, value) in [(256, 65_535), (257, 65_535)] {
        assert!(set(tag, SHORT, value).is_err());
    }
    let sample = named("blender-rgba-8-none.tif");
    let [width, height] = [256, 257].map(|tag| field(sample, tag, SHORT) + 8);
    let giant = sample.changed(|bytes| {
        bytes[width..width + 2].fill(0xFF);
        bytes[height..height + 2].fill(0xFF);
    });
    assert!(matches!(giant, Err(Damage::TooLarge { .. })), "{giant:?}");
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
        (262, SHORT, "does not name its colours"),
        (273, LONG, "no strips"),
        (279, LONG, "no strips"),
    ] {
        let at = field(sample, tag, kind);
        // Replace it with a private tag.
        assert_corrupt(sample.changed(|bytes| bytes[at + 1] = 0xFF), words);
    }
    let rows = field(sample, 278, SHORT);
    // Without this field, all rows are in one strip, as in this file.
    assert!(sample.changed(|bytes| bytes[rows + 1] = 0xFF).is_ok());
}

#[test]
fn a_field_of_another_type_is_no_number() {
    let sample = named("blender-rgba-8-none.tif");
    let at = field(sample, 256, SHORT);
    let float = sample.changed(|bytes| bytes[at + 2] = 11);
    assert_corrupt(float, "not a number");
    let unknown = sample.changed(|bytes| bytes[at + 2] = 99);
    assert_corrupt(unknown, "no size");
    let none = sample.changed(|bytes| bytes[at + 4] = 0);
    assert_corrupt(none, "no value");
}

#[test]
fn a_giant_count_ends_at_the_end_of_the_file() {
    let sample = named("blender-rgba-8-none.tif");
    let at = field(sample, 273, LONG) + 4;
    let result = sample.changed(|bytes| bytes[at..at + 4].fill(0xFF));
    assert!(matches!(result, Err(Damage::Truncated { .. })));
}

#[test]
fn directories_that_follow_each_other_in_a_circle_are_not_followed() {
    let sample = named("blender-rgba-8-none.tif");
    let directory = usize::from(sample.bytes[4]) | usize::from(sample.bytes[5]) << 8;
    let next = directory + 2 + 12 * usize::from(sample.bytes[directory]);
    let result = sample.changed(|bytes| bytes.copy_within(4..8, next));
    assert!(result.is_ok());
    let beyond = sample.changed(|bytes| bytes[next + 3] = 1);
    assert!(matches!(beyond, Err(Damage::Truncated { .. })));
}

#[test]
fn a_big_tiff_has_eight_byte_offsets() {
    let sample = named("tiffcp-bigtiff-strips.tif");
    let result = sample.changed(|bytes| bytes[4] = 4);
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
        let missing = sample.changed(|bytes| bytes[at..at + 2].fill(0));
        assert_corrupt(missing, "never written");
        let shorter = sample.changed(|bytes| bytes[at + 1] -= 1);
        assert_corrupt(shorter, "compressed");
    }
}

/// Where the strips or tiles are in a sample.
fn chunks(sample: &Sample) -> Vec<Range<usize>> {
    let directory = Directory::read(sample.bytes).unwrap();
    let numbers = |strips, tiles| {
        let numbers = directory.numbers(strips).unwrap();
        numbers.or_else(|| directory.numbers(tiles).unwrap()).unwrap()
    };
    let places = numbers(273, 324).into_iter().zip(numbers(279, 325));
    let place = |value| usize::try_from(value).unwrap();
    places.map(|(start, size)| place(start)..place(start + size)).collect()
}

#[test]
fn nearly_any_change_of_deflated_pixels_is_noticed() {
    let (mut count, mut unnoticed) = (0, 0);
    for name in ["blender-rgba-16-deflate.tif", "tiffcp-bigtiff-strips.tif", "pillow-cmyk.tif"] {
        let sample = named(name);
        let pixels = whole(name).pixels;
        for at in chunks(sample).into_iter().flatten() {
            for bit in 0..8 {
                let changed = sample.changed(|bytes| bytes[at] ^= 1 << bit);
                count += 1;
                // Some changes are only of how the same pixels are compressed.
                unnoticed += u32::from(changed.is_ok_and(|changed| changed.pixels != pixels));
            }
        }
    }
    // Adler-32 is weak for so few bytes: two kinds of pixels are equal to it.
    assert!(unnoticed <= count / 1000, "{unnoticed} of {count}");
}

#[test]
fn compressed_pixels_that_end_in_zeros_are_noticed() {
    for name in [
        "blender-rgba-8-lzw.tif",
        "blender-rgba-16-deflate.tif",
        "pillow-jpeg.tif",
        "tifffile-rgb-jpeg.tif",
        "tiffcp-planar.tif",
        "tiffcp-tiles-big-endian.tif",
    ] {
        let sample = named(name);
        for chunk in chunks(sample) {
            for start in chunk.clone().rev().skip(2).step_by(8) {
                let zeros = sample.changed(|bytes| bytes[start..chunk.end].fill(0));
                assert!(zeros.is_err(), "{name} from {start}");
            }
        }
    }
}

#[test]
fn every_sample_decodes() {
    for sample in of(ImageFormat::Tiff) {
        let pixels = whole(sample.name).pixels;
        assert_eq!((pixels.width(), pixels.height()), sample.size, "{}", sample.name);
    }
}

//! Small files, and changes of samples.

use super::decode;
use crate::image::samples::{assert_corrupt, named, of};
use crate::image::{Damage, Picture};
use crate::request::ImageFormat;

/// A quantization table of ones.
fn quantization() -> Vec<u8> {
    [&[0xFF, 0xDB, 0, 67, 0][..], &[1; 64]].concat()
}

/// A Huffman table whose only code is `0`.
fn huffman(place: u8, value: u8) -> Vec<u8> {
    let mut counts = [0; 16];
    counts[0] = 1;
    [&[0xFF, 0xC4, 0, 20, place][..], &counts, &[value]].concat()
}

/// The header of a grey image of 1x2 pixels, which is one block.
const FRAME: &[u8] = &[0xFF, 0xC0, 0, 11, 8, 0, 2, 0, 1, 1, 1, 0x11, 0];
const SCAN: &[u8] = &[0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0];
/// A block: a difference of 0, and the end of the block. The rest of the byte is filled up.
const BLOCK: &[u8] = &[0x3F];
const END: &[u8] = &[0xFF, 0xD9];

/// Decodes a file of tables and these parts.
fn with_tables(parts: &[&[u8]]) -> Result<Picture, Damage> {
    let tables = [quantization(), huffman(0x00, 0), huffman(0x10, 0)].concat();
    decode(&[&[0xFF, 0xD8], tables.as_slice(), parts.concat().as_slice()].concat())
}

#[test]
fn small_files_are_images() {
    let filled: &[u8] = &[0x3F, 0xFF, 0xFF, 0xD9];
    for parts in [
        &[FRAME, SCAN, BLOCK, END][..],
        &[FRAME, SCAN, filled],
        &[&[0xFF, 0x01], FRAME, SCAN, BLOCK, END],
        &[&[0xFF, 0xE5, 0, 4, 1, 2], FRAME, SCAN, BLOCK, END, &[1, 2, 3]],
    ] {
        let pixels = with_tables(parts).unwrap().pixels;
        assert_eq!((pixels.width(), pixels.height()), (1, 2));
        assert_eq!(pixels.as_bytes(), [128, 128]);
    }
}

#[test]
fn small_files_are_judged_by_what_they_lack() {
    let comment: &[u8] = &[0xFF, 0xFE, 0, 2];
    for (parts, words) in [
        (&[FRAME, SCAN, &[0xFF, 0xD0], END][..], "ends before"),
        (&[FRAME, SCAN, END], "ends before"),
        (&[FRAME, SCAN, &[0x3F, 0x3F], END], "goes on"),
        (&[FRAME, SCAN, &[0x80; 3], END], "makes no sense"),
        (&[FRAME, SCAN, BLOCK, SCAN, BLOCK, END], "second scan"),
        (&[FRAME, comment, END], "without a frame header"),
        (&[comment, END], "without a frame header"),
        (&[SCAN, BLOCK, END], "before the frame header"),
        (&[FRAME, FRAME, SCAN, BLOCK, END], "a second frame header"),
        (&[&[0xFF, 0xD0], FRAME, SCAN, BLOCK, END], "where it cannot be"),
        (&[&[0xFF, 0xFE, 0, 1], FRAME, SCAN, BLOCK, END], "shorter than its own length"),
        (&[FRAME, &[0, 0], SCAN, BLOCK, END], "no marker"),
        (&[FRAME, &[0xFF, 0xDD, 0, 3, 0], SCAN, BLOCK, END], "restart interval"),
        (&[FRAME, &[0xFF, 0xC4, 0, 3, 0], SCAN, BLOCK, END], "malformed table"),
        (&[FRAME, &[0xFF, 0xDB, 0, 3, 0], SCAN, BLOCK, END], "malformed table"),
        (&[FRAME, &[0xFF, 0xDA, 0, 3, 1], BLOCK, END], "malformed scan"),
    ] {
        assert_corrupt(with_tables(parts), words);
    }
}

#[test]
fn no_coefficient_is_divided_by_zero() {
    let sample = named("pillow-ycbcr.jpg");
    let table = sample.position_of(&[0xFF, 0xDB]);
    assert_corrupt(sample.changed(|bytes| bytes[table + 40] = 0), "malformed table");
}

#[test]
fn zeros_at_the_end_are_noticed() {
    for sample in of(ImageFormat::Jpeg) {
        assert!(sample.zeroed_tails_unnoticed().is_empty(), "{}", sample.name);
    }
}

#[test]
fn an_image_that_ends_early_is_not_filled_up() {
    for sample in of(ImageFormat::Jpeg) {
        let data = sample.bytes.windows(2).rposition(|pair| pair == [0xFF, 0xDA]).unwrap();
        let length = sample.bytes.len();
        for cut in data + 20..length - 3 {
            let result = sample.changed(|bytes| drop(bytes.splice(cut..length, END.to_vec())));
            assert!(result.is_err(), "{} {cut}", sample.name);
        }
    }
}

#[test]
fn restart_markers_are_there_and_in_order() {
    let sample = named("cjpeg-restart.jpg");
    let first = sample.position_of(&[0xFF, 0xD0]);
    assert_corrupt(sample.changed(|bytes| bytes[first + 1] = 0xD1), "restart marker");
    assert_corrupt(sample.changed(|bytes| drop(bytes.drain(first..first + 2))), "");
    let filled = sample.changed(|bytes| bytes.insert(first, 0xFF)).unwrap();
    assert_eq!(filled.pixels, sample.decode().unwrap().pixels);
}

#[test]
fn the_frame_header_tells_a_size() {
    let sample = named("blender-rgb.jpg");
    let header = sample.position_of(&[0xFF, 0xC0]);
    let no_height = sample.changed(|bytes| bytes[header + 5..header + 7].fill(0));
    assert!(matches!(no_height, Err(Damage::NoPixels { .. })));
    let giant = sample.changed(|bytes| bytes[header + 5..header + 9].fill(0xFF));
    assert!(matches!(giant, Err(Damage::TooLarge { .. })));
    let too_short = sample.changed(|bytes| bytes[header + 3] = 6);
    assert!(too_short.is_err());
}

#[test]
fn other_kinds_of_jpeg_are_refused_by_name() {
    let sample = named("blender-rgb.jpg");
    let header = sample.position_of(&[0xFF, 0xC0]);
    // Lossless, hierarchical, arithmetic and JPEG-LS frames; 12 bits; a sampling factor of 3.
    for (at, value) in [(1, 0xC3), (1, 0xC5), (1, 0xC9), (1, 0xF7), (4, 12), (11, 0x31)] {
        let result = sample.changed(|bytes| bytes[header + at] = value).map(drop);
        assert!(matches!(result, Err(Damage::Unsupported(_))), "{at} {value} {result:?}");
    }
}

#[test]
fn what_other_programs_add_does_not_matter() {
    let sample = named("pillow-ycbcr.jpg");
    let thumbnail = named("pillow-rgb.jpg").bytes;
    let length = u16::try_from(thumbnail.len() + 16).unwrap().to_be_bytes();
    let exif = [&[0xFF, 0xE1][..], &length, b"Exif\0\0II*\0\x08\0\0\0", thumbnail].concat();
    let multiple = [0xFF, 0xE2, 0, 10, b'M', b'P', b'F', 0, b'I', b'I', 42, 0];
    let picture = sample.changed(|bytes| {
        bytes.splice(2..2, [&exif[..], &multiple].concat());
        bytes.extend_from_slice(thumbnail);
    });
    assert_eq!(picture.unwrap().pixels, sample.decode().unwrap().pixels);
}

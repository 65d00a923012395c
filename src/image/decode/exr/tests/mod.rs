//! Tests of whole files of real programs.

#![expect(clippy::float_cmp, reason = "samples are kept as they are")]

mod pixels;

use ::image::DynamicImage;

use super::header::Headers;
use super::*;
use crate::image::samples::{DISK_FULL, Sample, assert_corrupt, named, of};
use crate::request::ImageFormat;

const DATA_WINDOW: &str = "dataWindow\0box2i\0";
const DISPLAY_WINDOW: &str = "displayWindow\0box2i\0";
const COMPRESSION: &str = "compression\0compression\0";
const TILES: &str = "tiles\0tiledesc\0";
const CHUNK_COUNT: &str = "chunkCount\0int\0";
const CHANNELS: &str = "channels\0chlist\0";
const TYPE: &str = "type\0string\0";

fn whole(sample: &Sample) -> Picture {
    decode(sample.bytes, None).unwrap_or_else(|damage| panic!("{} {damage}", sample.name))
}

/// Overwrites bytes of an attribute at `at`, relative to the start of its value.
fn set(sample: &Sample, attribute: &str, at: usize, value: &[u8]) -> Result<Picture, Damage> {
    let value_at = sample.position_of(attribute.as_bytes()) + attribute.len() + 4 + at;
    sample.changed(|bytes| bytes[value_at..value_at + value.len()].copy_from_slice(value))
}

/// Returns the start of the tables of offsets and their number of offsets.
fn table(sample: &Sample) -> (usize, usize) {
    let start = usize::try_from(Headers::read(sample.bytes).unwrap().end).unwrap();
    let count = (start..).step_by(8).take_while(|&at| at < entry(sample, start)).count();
    (start, count)
}

fn entry(sample: &Sample, at: usize) -> usize {
    let offset = u64::from_le_bytes(sample.bytes[at..at + 8].try_into().unwrap());
    usize::try_from(offset).unwrap()
}

/// The largest difference between two pictures.
fn difference(a: &DynamicImage, b: &DynamicImage) -> f32 {
    let (a, b) = (a.to_rgba32f(), b.to_rgba32f());
    assert_eq!(a.dimensions(), b.dimensions());
    a.iter().zip(b.iter()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn every_compression_and_layout_holds_the_same_picture() {
    for (name, others) in [
        (
            "blender-rgba-16-none.exr",
            &[
                ("blender-rgba-16-piz.exr", 0.0),
                ("exrmaketiled-ripmap.exr", 0.0),
                // Lossy: as far as OpenEXR 3.5 differs, too.
                ("blender-rgba-16-b44.exr", 0.05),
                ("blender-rgba-16-dwaa.exr", 0.02),
            ][..],
        ),
        (
            "blender-rgba-16-zip.exr",
            &[
                ("blender-rgba-16-rle.exr", 0.0),
                ("blender-rgba-16-zips.exr", 0.0),
                ("blender-rgba-16-pxr24.exr", 0.0),
                ("blender-rgba-32-zip.exr", 1e-3),
                ("exrmaketiled-one-level.exr", 0.0),
                ("exrmaketiled-mipmap.exr", 0.0),
                ("blender-multilayer-zip.exr", 0.0),
                ("exrmultipart-two-parts.exr", 0.0),
            ],
        ),
    ] {
        let first = whole(named(name)).pixels;
        for (other, within) in others {
            let difference = difference(&first, &whole(named(other)).pixels);
            assert!(difference <= *within, "{other} differs by {difference}");
        }
    }
}

#[test]
fn a_disk_that_was_full_is_noticed() {
    assert_corrupt(decode(DISK_FULL.bytes, None), "writing stopped early");
}

#[test]
fn the_picture_is_found_in_its_layer() {
    for sample in of(ImageFormat::OpenExr) {
        let layer = match sample.name {
            "blender-multilayer-composite-zip.exr" => Some("Composite.Combined"),
            "blender-multilayer-zip.exr"
            | "exrmultipart-two-parts.exr"
            | "blender-multilayer-stereo.exr" => Some("ViewLayer.Combined"),
            _ => None,
        };
        assert_eq!(whole(sample).layer.as_deref(), layer, "{}", sample.name);
    }
}

#[test]
fn the_picture_is_found_in_its_part() {
    let sample = named("exrmultipart-two-parts.exr");
    let pass = b"ViewLayer.Combined.";
    let picture = sample.changed(|bytes| {
        let places: Vec<_> = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(pass)).collect();
        // The first four are the channels of the first part.
        assert_eq!(places.len(), 8);
        for at in &places[..4] {
            bytes[at + 10] = b'X';
        }
    });
    let picture = picture.unwrap();
    assert_eq!(picture.layer.as_deref(), Some("ViewLayer.Combined"));
    assert_eq!(difference(&picture.pixels, &whole(sample).pixels), 0.0);
}

#[test]
fn a_layer_can_be_chosen() {
    let multilayer = named("blender-multilayer-zip.exr");
    let stereo = named("blender-multilayer-stereo.exr");
    let plain_stereo = named("blender-stereo.exr");
    let parts = named("exrmultipart-two-parts.exr");
    for (sample, wanted, found) in [
        (multilayer, "ViewLayer", "ViewLayer.Combined"),
        (multilayer, "ViewLayer.Combined", "ViewLayer.Combined"),
        (multilayer, "Combined", "ViewLayer.Combined"),
        (multilayer, "ViewLayer.Depth", "ViewLayer.Depth"),
        (multilayer, "Normal", "ViewLayer.Normal"),
        (multilayer, "ViewLayer.Normal.X", "ViewLayer.Normal.X"),
        (parts, "Depth", "ViewLayer.Depth"),
        (stereo, "left", "ViewLayer.Combined"),
        (stereo, "right", "ViewLayer.Combined.right"),
        (stereo, "ViewLayer.Combined.left", "ViewLayer.Combined"),
        (stereo, "ViewLayer.Combined.right", "ViewLayer.Combined.right"),
        (plain_stereo, "right", "right"),
    ] {
        let picture = decode(sample.bytes, Some(wanted)).unwrap();
        assert_eq!(picture.layer.as_deref(), Some(found), "{wanted} of {}", sample.name);
    }
    assert_eq!(decode(plain_stereo.bytes, Some("left")).unwrap().layer, None);
}

#[test]
fn views_differ() {
    let sample = named("blender-stereo.exr");
    let [left, right] = ["left", "right"].map(|view| decode(sample.bytes, Some(view)).unwrap());
    assert!(difference(&left.pixels, &right.pixels) > 0.1);
    let both = whole(named("blender-multilayer-stereo.exr"));
    assert_eq!(difference(&left.pixels, &both.pixels), 0.0);
}

#[test]
fn a_layer_that_is_not_there_is_an_error_that_lists_the_others() {
    for (name, wanted, listed) in [
        ("blender-multilayer-zip.exr", "Depht", "ViewLayer.Depth"),
        ("blender-stereo.exr", "middle", "left"),
        ("blender-rgba-16-zip.exr", "ViewLayer", "A"),
    ] {
        match decode(named(name).bytes, Some(wanted)) {
            Err(Damage::NoLayer { name, layers }) => {
                assert_eq!(name, wanted);
                assert!(layers.iter().any(|layer| layer == listed), "{layers:?}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_size_is_that_of_the_display_window() {
    let sample = named("blender-rgba-16-zip.exr");
    // Columns from -100 to 32 and rows from -1 to 16.
    let origin = [(-100_i32).to_le_bytes(), (-1_i32).to_le_bytes()].concat();
    let picture = set(sample, DISPLAY_WINDOW, 0, &origin).unwrap();
    assert_eq!((picture.pixels.width(), picture.pixels.height()), (133, 18));
    assert_corrupt(set(sample, DISPLAY_WINDOW, 8, &[0xFF; 4]), "display window");
    let giant = [[0, 0, 0, 0x80], [0, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0x7F]].concat();
    assert_corrupt(set(sample, DISPLAY_WINDOW, 0, &giant), "display window");
    let large = [[0, 0, 1, 0], [0, 0, 0, 0]].concat();
    for window in [DISPLAY_WINDOW, DATA_WINDOW] {
        let result = set(sample, window, 8, &large);
        assert!(matches!(result, Err(Damage::TooLarge { .. })), "{result:?}");
    }
}

#[test]
fn the_compression_has_to_be_known() {
    for sample in of(ImageFormat::OpenExr) {
        assert_corrupt(set(sample, COMPRESSION, 0, &[200]), "compression");
        let htj2k = set(sample, COMPRESSION, 0, &[10]);
        assert!(matches!(htj2k, Err(Damage::Unsupported(_))), "{htj2k:?}");
    }
}

#[test]
fn kinds_that_are_not_decoded_are_named() {
    let sample = named("blender-rgba-16-zip.exr");
    // The first channel is `A`: its name, type, linearity and three unused bytes come first.
    let subsampled = set(sample, CHANNELS, 2 + 4 + 4, &[2]);
    assert!(matches!(subsampled, Err(Damage::Unsupported(_))), "{subsampled:?}");
    let deep = sample.changed(|bytes| bytes[5] |= 0x08);
    assert!(matches!(deep, Err(Damage::Unsupported(_))), "{deep:?}");
    // The fourth channel is `R`.
    match set(sample, CHANNELS, 3 * 18, b"Q") {
        Err(Damage::Unsupported(what)) => assert!(what.contains("A, B, G, Q"), "{what}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_offset_has_to_be_there() {
    for sample in of(ImageFormat::OpenExr) {
        let (start, count) = table(sample);
        for at in (start..).step_by(8).take(count) {
            let zero = sample.changed(|bytes| bytes[at..at + 8].fill(0));
            assert_corrupt(zero, "writing stopped early");
        }
    }
}

#[test]
fn every_chunk_has_to_be_in_its_place() {
    for sample in of(ImageFormat::OpenExr) {
        let (start, count) = table(sample);
        for at in (start..).step_by(8).take(count - 1) {
            let twice = sample.changed(|bytes| bytes.copy_within(at..at + 8, at + 8));
            assert_corrupt(twice, "its place in the table");
        }
        for at in (start..).step_by(8).take(count) {
            let header = entry(sample, at);
            let moved = sample.changed(|bytes| bytes[header] ^= 0x40);
            assert_corrupt(moved, "its place in the table");
        }
    }
}

#[test]
fn a_chunk_of_zeros_does_not_decompress() {
    for name in [
        "blender-rgba-16-zips.exr",
        "blender-rgba-16-zip.exr",
        "blender-rgba-16-piz.exr",
        "blender-rgba-16-pxr24.exr",
        "blender-rgba-16-dwaa.exr",
        "blender-rgba-32-zip.exr",
        "blender-multilayer-zip.exr",
    ] {
        let sample = named(name);
        let (start, count) = table(sample);
        let mut ends: Vec<_> =
            (start..).step_by(8).take(count).map(|at| entry(sample, at)).collect();
        ends.push(sample.bytes.len());
        ends.sort_unstable();
        for chunk in ends.windows(2) {
            // After the row and the size.
            let zero = sample.changed(|bytes| bytes[chunk[0] + 8..chunk[1]].fill(0));
            assert_corrupt(zero, "compressed");
        }
    }
}

#[test]
fn chunks_can_be_in_any_order() {
    let sample = named("blender-rgba-16-zip.exr");
    let (start, count) = table(sample);
    assert_eq!(count, 2);
    let (first, second) = (entry(sample, start), entry(sample, start + 8));
    let result = sample.changed(|bytes| {
        bytes[first..].rotate_left(second - first);
        let moved = first + bytes.len() - second;
        bytes[start..start + 8].copy_from_slice(&(moved as u64).to_le_bytes());
        bytes[start + 8..start + 16].copy_from_slice(&(first as u64).to_le_bytes());
    });
    assert_eq!(difference(&result.unwrap().pixels, &whole(sample).pixels), 0.0);
}

#[test]
fn the_chunks_have_to_cover_the_data_window() {
    let sample = named("blender-rgba-16-zip.exr");
    // The file has two chunks of at most 16 rows each.
    assert_corrupt(set(sample, DATA_WINDOW, 12, &[31]), "compressed");
    assert_corrupt(set(sample, DATA_WINDOW, 12, &[32]), "points into itself");
    assert_corrupt(set(sample, DATA_WINDOW, 12, &[15]), "too long");
    assert_corrupt(set(sample, DATA_WINDOW, 4, &[1]), "its place");
    assert_corrupt(set(sample, DATA_WINDOW, 4, &[99]), "window is empty");

    let tiled = named("exrmaketiled-one-level.exr");
    assert!(set(tiled, DATA_WINDOW, 8, &[64]).is_err());
}

#[test]
fn a_chunk_has_to_hold_something() {
    let sample = named("blender-rgba-16-zip.exr");
    let (start, _) = table(sample);
    let size = entry(sample, start) + 4;
    let empty = sample.changed(|bytes| bytes[size..size + 4].fill(0));
    assert_corrupt(empty, "holds no pixels");
    let negative = sample.changed(|bytes| bytes[size + 3] = 0x80);
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
    // Tiles are cut where the picture ends.
    assert!(set(sample, TILES, 0, &[0xFF; 8]).is_err());
}

#[test]
fn parts_have_to_tell_their_number_of_chunks() {
    let sample = named("exrmultipart-two-parts.exr");
    assert_corrupt(set(sample, CHUNK_COUNT, 3, &[0x80]), "negative");
    for count in [0, 1, 3] {
        assert_corrupt(set(sample, CHUNK_COUNT, 0, &[count]), "number of chunks");
    }
    assert_corrupt(set(sample, CHUNK_COUNT, 3, &[0x7F]), "number of chunks");
    let at = sample.position_of(CHUNK_COUNT.as_bytes());
    assert_corrupt(sample.changed(|bytes| bytes[at] = b'X'), "does not tell");
    assert_corrupt(set(sample, TYPE, 0, b"S"), "type of a part");
}

#[test]
fn the_header_has_to_be_understood() {
    let sample = named("blender-rgba-16-zip.exr");
    assert_corrupt(sample.changed(|bytes| bytes[4] = 3), "version");
    assert_corrupt(sample.changed(|bytes| bytes[6] = 1), "version");
    assert_corrupt(sample.changed(|bytes| bytes[8] = 0), "header is empty");
    let long_name = sample.changed(|bytes| {
        bytes.splice(8..8, [b'n'; 256]);
    });
    assert_corrupt(long_name, "too long");
    for (attribute, words) in [
        (DATA_WINDOW, "no data window"),
        (DISPLAY_WINDOW, "no display window"),
        (COMPRESSION, "no compression"),
        (CHANNELS, "no channels"),
    ] {
        let at = sample.position_of(attribute.as_bytes());
        assert_corrupt(sample.changed(|bytes| bytes[at] = b'X'), words);
    }
    assert_corrupt(set(sample, CHANNELS, 2, &[9]), "type of a channel");
}

#[test]
fn impossible_sizes_in_a_dwa_chunk_take_no_memory() {
    let sample = named("blender-rgba-16-dwaa.exr");
    let (start, _) = table(sample);
    let counters = entry(sample, start) + 8;
    for counter in 0..11 {
        let at = counters + 8 * counter + 5;
        // The version, and sizes before decompression, are compared with the chunk.
        assert!(sample.changed(|bytes| bytes[at] = 0x7F).is_err() || counter == 0, "{counter}");
    }
}

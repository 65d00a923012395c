//! Tests of the pixels of small files that are made here.

#![expect(clippy::float_cmp, reason = "samples are kept as they are")]
#![expect(clippy::cast_precision_loss, clippy::cast_possible_wrap, reason = "pictures are small")]

use ::image::DynamicImage;

use super::{CHANNELS, COMPRESSION, DATA_WINDOW, DISPLAY_WINDOW};
use crate::image::decode::exr::decode;
use crate::image::{Picture, PixelAspect};

/// A file of one uncompressed row of 32-bit floats for each row of `data`.
fn file(
    data: [i32; 4],
    display: [i32; 4],
    channels: &[&str],
    more: &[(&str, Vec<u8>)],
    sample: impl Fn(usize, i32, i32) -> f32,
) -> Vec<u8> {
    let attribute = |name: &str, value: &[u8]| {
        let size = u32::try_from(value.len()).unwrap();
        [name.as_bytes(), &size.to_le_bytes(), value].concat()
    };
    let window = |window: [i32; 4]| window.map(i32::to_le_bytes).concat();
    let mut list = Vec::new();
    for channel in channels {
        list.extend_from_slice(channel.as_bytes());
        list.extend_from_slice(&[0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]);
    }
    list.push(0);
    let mut file = [
        &[0x76, 0x2F, 0x31, 0x01, 2, 0, 0, 0][..],
        &attribute(DATA_WINDOW, &window(data)),
        &attribute(DISPLAY_WINDOW, &window(display)),
        &attribute(CHANNELS, &list),
        &attribute(COMPRESSION, &[0]),
        &more.iter().flat_map(|(name, value)| attribute(name, value)).collect::<Vec<_>>(),
        &[0],
    ]
    .concat();
    let [left, top, right, bottom] = data;
    let mut rows = Vec::new();
    for y in top..=bottom {
        let mut row = Vec::new();
        for channel in 0..channels.len() {
            row.extend((left..=right).flat_map(|x| sample(channel, x, y).to_le_bytes()));
        }
        let size = u32::try_from(row.len()).unwrap();
        rows.push([&y.to_le_bytes(), &size.to_le_bytes(), row.as_slice()].concat());
    }
    let mut offset = file.len() + 8 * rows.len();
    for row in &rows {
        file.extend_from_slice(&(offset as u64).to_le_bytes());
        offset += row.len();
    }
    file.extend(rows.concat());
    file
}

#[test]
fn the_data_window_can_be_anywhere() {
    let display = [-2, -1, 3, 2];
    for data in [
        [-2, -1, 3, 2],
        [0, 0, 1, 1],
        [-9, -9, 9, 9],
        [2, -5, 9, 0],
        [-9, 1, -1, 9],
        [50, 50, 51, 51],
        [-51, 0, -50, 0],
        [0, -51, 0, -50],
    ] {
        let value = |x: i32, y: i32| (x * 100 + y) as f32;
        let bytes =
            file(data, display, &["A", "B", "G", "R"], &[], |channel, x, y| match channel {
                0 => 1.0,
                channel => value(x, y) + channel as f32,
            });
        let picture = decode(&bytes, None).unwrap().pixels;
        let DynamicImage::ImageRgba32F(pixels) = picture else { panic!("{picture:?}") };
        assert_eq!(pixels.dimensions(), (6, 4));
        for (column, row, pixel) in pixels.enumerate_pixels() {
            let (x, y) = (column as i32 - 2, row as i32 - 1);
            let [left, top, right, bottom] = data;
            let expected = if (left..=right).contains(&x) && (top..=bottom).contains(&y) {
                [value(x, y) + 3.0, value(x, y) + 2.0, value(x, y) + 1.0, 1.0]
            } else {
                [0.0; 4]
            };
            assert_eq!(pixel.0, expected, "{data:?} at {x} {y}");
        }
    }
}

/// A picture of one pixel of these samples.
fn pixel(channels: &[&str], more: &[(&str, Vec<u8>)], samples: &[f32]) -> (Vec<f32>, Picture) {
    let bytes = file([0; 4], [0; 4], channels, more, |channel, _, _| samples[channel]);
    let picture = decode(&bytes, None).unwrap();
    let pixel = match &picture.pixels {
        DynamicImage::ImageRgb32F(pixels) => pixels.to_vec(),
        DynamicImage::ImageRgba32F(pixels) => pixels.to_vec(),
        other => panic!("{other:?}"),
    };
    (pixel, picture)
}

const RGBA: &[&str] = &["A", "B", "G", "R"];
const RGB: &[&str] = &["B", "G", "R"];

#[test]
fn alpha_becomes_straight() {
    for (samples, expected) in [
        ([0.5, 0.1, 0.25, 2.0], [4.0, 0.5, 0.2, 0.5]),
        ([1.0, 0.1, 0.25, 2.0], [2.0, 0.25, 0.1, 1.0]),
        // A flame.
        ([0.0, 0.1, 0.25, 2.0], [2.0, 0.25, 0.1, 0.0]),
        ([-1.0, 0.1, 0.25, 2.0], [2.0, 0.25, 0.1, -1.0]),
        ([1e-30, 0.0, 0.0, 1e30], [f32::MAX, 0.0, 0.0, 1e-30]),
    ] {
        assert_eq!(pixel(RGBA, &[], &samples).0, expected);
    }
    assert_eq!(pixel(RGB, &[], &[3.0, 2.0, 1.0]).0, [1.0, 2.0, 3.0]);
    assert_eq!(pixel(&["A", "Y"], &[], &[0.5, 2.0]).0, [4.0, 4.0, 4.0, 0.5]);
    assert_eq!(pixel(&["Y"], &[], &[2.0]).0, [2.0; 3]);
}

#[test]
fn data_are_shown_in_the_order_of_their_names() {
    assert_eq!(pixel(&["X", "Y", "Z"], &[], &[1.0, 2.0, 3.0]).0, [1.0, 2.0, 3.0]);
    // Blender's pass UV has an alpha that is none.
    assert_eq!(pixel(&["A", "U", "V"], &[], &[3.0, 1.0, 2.0]).0, [1.0, 2.0, 3.0]);
    assert_eq!(pixel(&["U", "V"], &[], &[1.0, 2.0]).0, [1.0, 2.0, 0.0]);
}

#[test]
fn samples_that_are_not_finite_are_replaced_and_counted() {
    let (pixel_rgb, picture) = pixel(RGB, &[], &[f32::NAN, f32::INFINITY, f32::NEG_INFINITY]);
    assert_eq!(pixel_rgb, [0.0, f32::MAX, 0.0]);
    assert_eq!(picture.not_finite, 3);
    // Alpha is no colour.
    let (pixel_alpha, picture) = pixel(RGBA, &[], &[f32::NAN, 1.0, 2.0, f32::NAN]);
    assert_eq!(pixel_alpha, [0.0, 2.0, 1.0, 0.0]);
    assert_eq!(picture.not_finite, 1);
    assert_eq!(pixel(RGBA, &[], &[f32::INFINITY, 1.0, 2.0, 3.0]).0, [3.0, 2.0, 1.0, 1.0]);
    // One sample that is shown as three.
    assert_eq!(pixel(&["Y"], &[], &[f32::NAN]).1.not_finite, 1);
}

#[test]
fn primaries_become_those_of_bt_709() {
    // BT.2020: its pure red is beyond BT.709.
    let primaries = [0.708_f32, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290];
    let value = primaries.map(f32::to_le_bytes).concat();
    let more = [("chromaticities\0chromaticities\0", value)];
    let (red, _) = pixel(RGB, &more, &[0.0, 0.0, 1.0]);
    for (found, expected) in red.iter().zip([1.6605, -0.1246, -0.0182]) {
        assert!((found - expected).abs() < 1e-3, "{red:?}");
    }
    // Depths have no primaries.
    assert_eq!(pixel(&["X", "Y", "Z"], &more, &[1.0, 0.0, 0.0]).0, [1.0, 0.0, 0.0]);
}

#[test]
fn pixels_can_be_wide() {
    for (ratio, width, height) in [(2.0_f32, 2, 1), (1.3333, 4, 3), (f32::NAN, 1, 1)] {
        let more = [("pixelAspectRatio\0float\0", ratio.to_le_bytes().to_vec())];
        let (_, picture) = pixel(RGB, &more, &[0.0; 3]);
        assert_eq!(picture.pixel_aspect, PixelAspect { width, height });
    }
}

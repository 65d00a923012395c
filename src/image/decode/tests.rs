//! The pixels of samples whose colours are known: red, green, blue and white quarters.

use ::image::{DynamicImage, Rgba};

use crate::image::samples::{SAMPLES, named, of};
use crate::image::{Picture, PixelAspect};
use crate::request::ImageFormat;

const RED: [u8; 3] = [255, 0, 0];
const GREEN: [u8; 3] = [0, 255, 0];
const BLUE: [u8; 3] = [0, 0, 255];
const WHITE: [u8; 3] = [255, 255, 255];

/// The colours in the middle of the quarters, from left to right and then from top to bottom.
fn quarters(picture: &Picture) -> [Rgba<u8>; 4] {
    let pixels = picture.pixels.to_rgba8();
    let (right, bottom) = (pixels.width() * 3 / 4, pixels.height() * 3 / 4);
    let (left, top) = (pixels.width() / 4, pixels.height() / 4);
    [(left, top), (right, top), (left, bottom), (right, bottom)]
        .map(|(x, y)| *pixels.get_pixel(x, y))
}

#[test]
fn quarters_have_their_colours() {
    let samples = SAMPLES.iter().filter(|sample| {
        ["pillow", "imagemagick", "cjpeg"].iter().any(|maker| sample.name.starts_with(maker))
    });
    for sample in samples {
        let picture = sample.decode().unwrap();
        let turned = sample.name.contains("turned");
        let colours = if turned { [BLUE, RED, WHITE, GREEN] } else { [RED, GREEN, BLUE, WHITE] };
        let transparent = ["rgba", "alpha", "interlaced"];
        let straight = picture.pixels.color().has_alpha()
            && (turned || transparent.iter().any(|word| sample.name.contains(word)));
        for (found, colour) in quarters(&picture).into_iter().zip(colours) {
            let [r, g, b, alpha] = found.0;
            let far =
                [r, g, b].iter().zip(colour).any(|(found, colour)| found.abs_diff(colour) > 3);
            assert!(!far, "{} {found:?} {colour:?}", sample.name);
            let expected = if straight && colour == WHITE { 64 } else { 255 };
            assert_eq!(alpha, expected, "{}", sample.name);
        }
    }
}

#[test]
fn pixels_keep_their_depth_and_channels() {
    for (name, layout) in [
        ("blender-bw-8.png", DynamicImage::new_luma8(0, 0)),
        ("blender-rgb-8.png", DynamicImage::new_rgb8(0, 0)),
        ("blender-rgba-16.png", DynamicImage::new_rgba16(0, 0)),
        ("pillow-palette-2.png", DynamicImage::new_rgb8(0, 0)),
        ("pillow-palette-alpha.png", DynamicImage::new_rgba8(0, 0)),
        ("blender-bw.jpg", DynamicImage::new_luma8(0, 0)),
        ("pillow-cmyk.jpg", DynamicImage::new_rgb8(0, 0)),
        ("blender-rgb-lossy.webp", DynamicImage::new_rgb8(0, 0)),
        ("blender-rgba-lossless.webp", DynamicImage::new_rgba8(0, 0)),
        ("imagemagick-rgba.bmp", DynamicImage::new_rgba8(0, 0)),
        ("blender-rgba-raw.tga", DynamicImage::new_rgba8(0, 0)),
        ("blender.hdr", DynamicImage::new_rgb32f(0, 0)),
        ("pillow-rgb.gif", DynamicImage::new_rgba8(0, 0)),
    ] {
        assert_eq!(named(name).decode().unwrap().pixels.color(), layout.color(), "{name}");
    }
}

#[test]
fn pixels_that_are_not_square_are_told_and_turned() {
    // 200 pixels per inch across and 100 down: a pixel is half as wide as it is high, until it is
    // turned by 90 degrees.
    let jpeg = named("pillow-turned.jpg").decode().unwrap();
    assert_eq!(jpeg.pixel_aspect, PixelAspect::new(2, 1));
    // 7,874 and 3,937 pixels per metre.
    let png = named("pillow-turned.png").decode().unwrap();
    assert_eq!(png.pixel_aspect, PixelAspect::new(2, 1));
    for sample in of(ImageFormat::Jpeg).filter(|sample| !sample.name.contains("turned")) {
        assert_eq!(sample.decode().unwrap().pixel_aspect, PixelAspect::SQUARE, "{}", sample.name);
    }
}

#[test]
fn a_gif_is_transparent_around_its_image() {
    let picture = named("imagemagick-inset.gif").decode().unwrap().pixels.to_rgba8();
    for (x, y, alpha) in [(5, 3, 0), (6, 2, 0), (6, 3, 255), (25, 12, 255), (26, 12, 0)] {
        assert_eq!(picture.get_pixel(x, y).0[3], alpha, "{x} {y}");
    }
}

#[test]
fn hdr_is_linear_light() {
    let picture = named("imagemagick.hdr").decode().unwrap();
    assert!(picture.is_linear());
    let light = picture.pixels.to_rgb32f();
    let (red, white) = (light.get_pixel(8, 4).0, light.get_pixel(24, 12).0);
    assert!((red[0] - 1.0).abs() < 0.01 && red[1] == 0.0 && red[2] == 0.0, "{red:?}");
    assert!(white.iter().all(|value| (value - 1.0).abs() < 0.01), "{white:?}");
}

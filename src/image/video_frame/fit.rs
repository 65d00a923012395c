//! Fits pictures into the size of a video.

use ::image::imageops::{FilterType, resize};
use ::image::{DynamicImage, GenericImage as _, Rgba};

use super::FrameFormat;
use crate::image::PixelAspect;
use crate::request::Colour;

/// The picture as large as it fits into `frame` in its own shape, in the middle. Beside it is the
/// background, or nothing if the video keeps alpha.
pub fn into(picture: DynamicImage, aspect: PixelAspect, frame: &FrameFormat) -> DynamicImage {
    let (width, height) = fitted((picture.width(), picture.height()), aspect, frame);
    let picture = resized(picture, width, height);
    if (width, height) == (frame.width, frame.height) {
        return picture;
    }
    let mut whole = canvas(&picture, frame);
    let (left, top) = ((frame.width - width) / 2, (frame.height - height) / 2);
    // It lies inside, and has the same kind of pixels.
    _ = whole.copy_from(&picture, left, top);
    whole
}

/// The size of a picture in a frame.
fn fitted(size: (u32, u32), aspect: PixelAspect, frame: &FrameFormat) -> (u32, u32) {
    // How many pixels of the frame a column and a row of the picture take, up to a common factor.
    let column = f64::from(aspect.width) * f64::from(frame.aspect.height);
    let row = f64::from(aspect.height) * f64::from(frame.aspect.width);
    let (shown_width, shown_height) = (f64::from(size.0) * column, f64::from(size.1) * row);
    let scale = (f64::from(frame.width) / shown_width).min(f64::from(frame.height) / shown_height);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 1 and a side of the frame"
    )]
    let scaled = |length: f64, limit: u32| (length * scale).round().clamp(1.0, limit.into()) as u32;
    (scaled(shown_width, frame.width), scaled(shown_height, frame.height))
}

fn resized(picture: DynamicImage, width: u32, height: u32) -> DynamicImage {
    if (picture.width(), picture.height()) == (width, height) {
        return picture;
    }
    if !picture.color().has_alpha() {
        return picture.resize_exact(width, height, FilterType::Lanczos3);
    }
    // Colours count as far as they are seen: what is transparent must not colour its neighbours.
    let mut weighted = picture.into_rgba32f();
    for Rgba([colours @ .., alpha]) in weighted.pixels_mut() {
        *colours = colours.map(|colour| colour * *alpha);
    }
    let mut weighted = resize(&weighted, width, height, FilterType::Lanczos3);
    for Rgba([colours @ .., alpha]) in weighted.pixels_mut() {
        if *alpha > 0.0 {
            *colours = colours.map(|colour| (colour / *alpha).clamp(0.0, 1.0));
        }
    }
    DynamicImage::ImageRgba16(DynamicImage::ImageRgba32F(weighted).into_rgba16())
}

/// An empty frame with the kind of pixels that `picture` has.
fn canvas(picture: &DynamicImage, frame: &FrameFormat) -> DynamicImage {
    let mut whole = DynamicImage::new(frame.width, frame.height, picture.color());
    if picture.color().has_alpha() {
        return whole;
    }
    let Colour([red, green, blue]) = frame.background;
    let eight = ::image::Rgb([red, green, blue]);
    let sixteen = ::image::Rgb([red, green, blue].map(|value| u16::from(value) * 257));
    match &mut whole {
        DynamicImage::ImageRgb8(pixels) => pixels.pixels_mut().for_each(|pixel| *pixel = eight),
        DynamicImage::ImageRgb16(pixels) => pixels.pixels_mut().for_each(|pixel| *pixel = sixteen),
        _ => {}
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::PixelFormat;

    fn frame(width: u32, height: u32, aspect: PixelAspect) -> FrameFormat {
        let (pixels, background) = (PixelFormat::Yuv420p, Colour([9, 9, 9]));
        FrameFormat { width, height, aspect, pixels, background }
    }

    #[test]
    fn a_picture_keeps_its_shape() {
        let square = PixelAspect::SQUARE;
        let wide = PixelAspect::new(2, 1);
        let table = [
            ((1920, 1080), square, (1280, 720)),
            ((1080, 1920), square, (405, 720)),
            ((100, 10), square, (1280, 128)),
            ((640, 720), wide, (1280, 720)),
            ((3000, 1), square, (1280, 1)),
            ((1, 3000), square, (1, 720)),
        ];
        for (size, aspect, expected) in table {
            assert_eq!(fitted(size, aspect, &frame(1280, 720, square)), expected, "{size:?}");
        }
        assert_eq!(fitted((1280, 720), square, &frame(640, 720, wide)), (640, 720));
    }

    #[test]
    fn transparent_pixels_do_not_colour_their_neighbours() {
        let half = ::image::RgbaImage::from_fn(64, 64, |x, _| {
            Rgba(if x < 32 { [255, 255, 255, 0] } else { [200, 0, 0, 255] })
        });
        let format =
            FrameFormat { pixels: PixelFormat::Yuva444p10, ..frame(16, 16, PixelAspect::SQUARE) };
        let small = into(half.into(), PixelAspect::SQUARE, &format).into_rgba8();
        for Rgba([red, green, blue, alpha]) in small.pixels().copied().filter(|p| p.0[3] > 2) {
            assert!(
                green <= 2 && blue <= 2 && red.abs_diff(200) <= 5,
                "{red} {green} {blue} {alpha}"
            );
        }
        assert_eq!((small.get_pixel(1, 8).0[3], small.get_pixel(14, 8).0[3]), (0, 255));
    }

    #[test]
    fn the_background_is_beside_the_picture() {
        let white = ::image::RgbImage::from_pixel(10, 20, ::image::Rgb([255; 3]));
        let whole = into(white.into(), PixelAspect::SQUARE, &frame(40, 20, PixelAspect::SQUARE));
        let whole = whole.into_rgb8();
        for (x, value) in [(0, 9), (14, 9), (15, 255), (24, 255), (25, 9), (39, 9)] {
            assert_eq!(whole.get_pixel(x, 10).0, [value; 3], "{x}");
        }
    }
}

//! Previews: small JPEGs that show what a frame looks like.
//!
//! A picture is made smaller by averaging the area that each pixel of the result covers. That is as
//! sharp as a picture of this size can be, and does not flicker in fine patterns.

use ::image::{DynamicImage, Rgb32FImage, RgbImage, Rgba32FImage, RgbaImage};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use super::{PixelAspect, flatten};
use crate::request::Colour;

/// The width and height in pixels that a preview fits into.
pub const PREVIEW_BOUNDS: (u32, u32) = (320, 320);

/// The quality of the JPEGs, of 100. Below it, smooth skies begin to show blocks.
const QUALITY: u8 = 80;

/// Linear light above this is cut off before it is averaged: no view distinguishes it from less
/// light, and the reflection of a lamp in one pixel must not outshine all its neighbours.
const BRIGHTEST: f32 = 64.0;

/// The preview of a picture of display values: a JPEG within [`PREVIEW_BOUNDS`], in square pixels,
/// with `background` behind transparent parts.
///
/// A linear picture needs a view first, which is cheapest between the two steps that this takes:
/// [`shrink`], then [`jpeg`].
pub fn preview(picture: &DynamicImage, aspect: PixelAspect, background: [u8; 3]) -> Vec<u8> {
    jpeg(shrink(picture, aspect, PREVIEW_BOUNDS), background)
}

/// Encodes a picture of display values as JPEG, with `background` behind transparent parts. Its
/// sides are at most 65535 pixels long.
pub fn jpeg(picture: DynamicImage, background: [u8; 3]) -> Vec<u8> {
    let flat = flatten::over(picture, Colour(background)).into_rgb8();
    let side = |pixels| u16::try_from(pixels).unwrap_or(u16::MAX);
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, QUALITY);
    // Half of the samples for chroma would be a third of the bytes less, but the edges of colours
    // would be pale.
    encoder.set_sampling_factor(SamplingFactor::F_1_1);
    // Cannot fail for pictures of this size: memory has room for the file.
    _ = encoder.encode(&flat, side(flat.width()), side(flat.height()), ColorType::Rgb);
    file
}

/// The picture in square pixels within `bounds`, a width and a height. It is never enlarged, in
/// neither direction. Integers become 8 bits; floats, which are linear light, stay floats.
pub fn shrink(picture: &DynamicImage, aspect: PixelAspect, bounds: (u32, u32)) -> DynamicImage {
    use DynamicImage as D;
    let from = (picture.width(), picture.height());
    let to = size_within(from, aspect, bounds);
    let opaque = |samples| image_of(to, samples, RgbImage::from_raw);
    let transparent = |samples| image_of(to, samples, RgbaImage::from_raw);
    match picture {
        D::ImageLuma8(image) => {
            opaque(average(image, from, to, pixels(|[l]| [unit8(l); 3]), bytes))
        }
        D::ImageLumaA8(image) => {
            let read = |[l, a]: [u8; 2]| with_alpha([unit8(l); 3], unit8(a));
            transparent(average(image, from, to, pixels(read), straight_bytes))
        }
        D::ImageRgb8(image) => opaque(average(image, from, to, samples(unit8), bytes::<3>)),
        D::ImageRgba8(image) => {
            let read = |[r, g, b, a]: [u8; 4]| with_alpha([r, g, b].map(unit8), unit8(a));
            transparent(average(image, from, to, pixels(read), straight_bytes))
        }
        D::ImageLuma16(image) => {
            opaque(average(image, from, to, pixels(|[l]| [unit16(l); 3]), bytes))
        }
        D::ImageLumaA16(image) => {
            let read = |[l, a]: [u16; 2]| with_alpha([unit16(l); 3], unit16(a));
            transparent(average(image, from, to, pixels(read), straight_bytes))
        }
        D::ImageRgb16(image) => opaque(average(image, from, to, samples(unit16), bytes::<3>)),
        D::ImageRgba16(image) => {
            let read = |[r, g, b, a]: [u16; 4]| with_alpha([r, g, b].map(unit16), unit16(a));
            transparent(average(image, from, to, pixels(read), straight_bytes))
        }
        D::ImageRgb32F(image) => {
            let samples = average(image, from, to, samples(bounded), |light: [f32; 3]| light);
            image_of(to, samples, Rgb32FImage::from_raw)
        }
        D::ImageRgba32F(image) => {
            let read = |[r, g, b, a]: [f32; 4]| {
                let light @ [red, green, blue] = [r, g, b].map(bounded);
                // Where alpha is 0, light only shines, like a flame, and is not divided by it.
                if a > 0.0 { with_alpha(light, a.min(1.0)) } else { [red, green, blue, 0.0] }
            };
            let samples = average(image, from, to, pixels(read), straight);
            image_of(to, samples, Rgba32FImage::from_raw)
        }
        // The enum can grow.
        other => shrink(&D::ImageRgba8(other.to_rgba8()), aspect, bounds),
    }
}

fn image_of<S, I: Into<DynamicImage>>(
    (width, height): (u32, u32),
    samples: Vec<S>,
    make: impl FnOnce(u32, u32, Vec<S>) -> Option<I>,
) -> DynamicImage {
    make(width, height, samples).map(I::into).unwrap_or_default()
}

/// The size in square pixels of a picture of `size` pixels of this `aspect`, within `bounds`.
pub(super) fn size_within(size: (u32, u32), aspect: PixelAspect, bounds: (u32, u32)) -> (u32, u32) {
    let [width, height] = [size.0, size.1].map(f64::from);
    let shown = (width * f64::from(aspect.width), height * f64::from(aspect.height));
    let scales = [
        f64::from(bounds.0) / shown.0,
        f64::from(bounds.1) / shown.1,
        width / shown.0,
        height / shown.1,
    ];
    let scale = scales.into_iter().fold(f64::INFINITY, f64::min);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float that is too large or no number becomes a bound"
    )]
    let rounded =
        |shown: f64, longest: u32| ((shown * scale).round() as u32).clamp(1, longest.max(1));
    (rounded(shown.0, size.0), rounded(shown.1, size.1))
}

/// Averages the area of `samples`, a picture of `from` pixels of `N` samples, that each of `to`
/// pixels covers. `add` adds a part of a row to sums, as light that can be averaged; `write` turns an
/// average into the samples of a pixel.
fn average<S, T, const N: usize, const M: usize>(
    samples: &[S],
    from: (u32, u32),
    to: (u32, u32),
    add: impl Fn(&mut [[f32; M]], &[[S; N]], f32),
    write: impl Fn([f32; M]) -> [T; M],
) -> Vec<T> {
    let (pixels, _) = samples.as_chunks::<N>();
    let width = (from.0 as usize).max(1);
    let rows: Vec<_> = pixels.chunks_exact(width).collect();
    let columns = areas(from.0, to.0);
    let mut averages = Vec::with_capacity(to.0 as usize * to.1 as usize);
    let mut sums = vec![[0.0; M]; width];
    // Whole rows are added up first: that is done for many samples at once.
    for area in areas(from.1, to.1) {
        sums.fill([0.0; M]);
        for (row, part) in area.of(&rows) {
            add(&mut sums, row, part);
        }
        averages.extend(columns.iter().map(|column| {
            let mut average = [0.0; M];
            for (sum, part) in column.of(&sums) {
                for (average, sum) in average.iter_mut().zip(sum) {
                    *average += sum * part;
                }
            }
            write(average)
        }));
    }
    averages.into_flattened()
}

/// Adds rows of pixels that `read` turns into light.
fn pixels<S: Copy, const N: usize, const M: usize>(
    read: impl Fn([S; N]) -> [f32; M],
) -> impl Fn(&mut [[f32; M]], &[[S; N]], f32) {
    move |sums, row, part| {
        for (sums, pixel) in sums.iter_mut().zip(row) {
            for (sum, light) in sums.iter_mut().zip(read(*pixel)) {
                *sum += light * part;
            }
        }
    }
}

/// Adds rows of pixels whose samples are all alike, which is quicker.
fn samples<S: Copy, const N: usize>(
    read: impl Fn(S) -> f32,
) -> impl Fn(&mut [[f32; N]], &[[S; N]], f32) {
    move |sums, row, part| {
        for (sum, sample) in sums.as_flattened_mut().iter_mut().zip(row.as_flattened()) {
            *sum += read(*sample) * part;
        }
    }
}

/// The pixels of a row, or the rows of a picture, that one pixel of a smaller picture covers.
struct Area {
    first: usize,
    /// The part of the area that each of them is. The sum is 1.
    parts: Vec<f32>,
}

impl Area {
    /// The items that it covers, with their parts.
    fn of<'a, T>(&'a self, all: &'a [T]) -> impl Iterator<Item = (&'a T, f32)> {
        all.get(self.first..).unwrap_or_default().iter().zip(self.parts.iter().copied())
    }
}

/// Divides `from` pixels in equal areas for `to` pixels.
fn areas(from: u32, to: u32) -> Vec<Area> {
    // In units of which a pixel of the picture has `to`, and one of the smaller picture `from`.
    let (small, large) = (u64::from(to), u64::from(from));
    let area = |index: u64| {
        let (begin, end) = (index * large, (index + 1) * large);
        let (first, last) = (begin / small, end.div_ceil(small));
        let part = |pixel: u64| {
            let covered = end.min((pixel + 1) * small) - begin.max(pixel * small);
            #[expect(clippy::cast_precision_loss, reason = "both are below 2^24")]
            let part = covered as f32 / large as f32;
            part
        };
        Area {
            first: usize::try_from(first).unwrap_or(usize::MAX),
            parts: (first..last).map(part).collect(),
        }
    };
    (0..small).map(area).collect()
}

fn unit8(sample: u8) -> f32 {
    const SCALE: f32 = 1.0 / u8::MAX as f32;
    f32::from(sample) * SCALE
}

fn unit16(sample: u16) -> f32 {
    const SCALE: f32 = 1.0 / u16::MAX as f32;
    f32::from(sample) * SCALE
}

fn bounded(light: f32) -> f32 {
    light.clamp(-BRIGHTEST, BRIGHTEST)
}

fn bytes<const N: usize>(samples: [f32; N]) -> [u8; N] {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float that is too large or too small becomes a bound"
    )]
    samples.map(|sample| (sample * f32::from(u8::MAX) + 0.5) as u8)
}

/// Multiplies a colour by alpha: what is transparent must not colour its neighbours.
fn with_alpha([red, green, blue]: [f32; 3], alpha: f32) -> [f32; 4] {
    [red * alpha, green * alpha, blue * alpha, alpha]
}

fn straight_bytes(sample: [f32; 4]) -> [u8; 4] {
    bytes(straight(sample))
}

/// Divides a colour by alpha again.
fn straight([red, green, blue, alpha]: [f32; 4]) -> [f32; 4] {
    if alpha <= 0.0 {
        return [red, green, blue, 0.0];
    }
    [red / alpha, green / alpha, blue / alpha, alpha.min(1.0)]
}

#[cfg(test)]
mod tests {
    use ::image::{ImageBuffer, Luma, LumaA, Rgb, Rgba};

    use super::*;
    use crate::image::decode;
    use crate::request::ImageFormat;

    const BOUNDS: (u32, u32) = PREVIEW_BOUNDS;

    fn grey(width: u32, height: u32, shade: impl Fn(u32, u32) -> u8) -> DynamicImage {
        ImageBuffer::from_fn(width, height, |x, y| Luma([shade(x, y)])).into()
    }

    #[test]
    fn a_preview_keeps_the_shape_of_the_picture_and_never_enlarges_it() {
        let square = PixelAspect::SQUARE;
        let aspect = PixelAspect::new;
        for (size, aspect, expected) in [
            ((1920, 1080), square, (320, 180)),
            ((1080, 1920), square, (180, 320)),
            ((1000, 1000), square, (320, 320)),
            ((300, 200), square, (300, 200)),
            ((1, 1), square, (1, 1)),
            ((65536, 1), square, (320, 1)),
            ((1440, 1080), aspect(4, 3), (320, 180)),
            ((100, 100), aspect(2, 1), (100, 50)),
            ((100, 100), aspect(1, 2), (50, 100)),
            ((100, 100), aspect(u32::MAX, 1), (100, 1)),
        ] {
            assert_eq!(size_within(size, aspect, BOUNDS), expected, "{size:?}");
        }
    }

    #[test]
    fn each_pixel_is_the_average_of_the_area_that_it_covers() {
        // 3 pixels to 2: each covers one and a half.
        let picture = grey(3, 1, |x, _| [0, 60, 255][x as usize]);
        let small = shrink(&picture, PixelAspect::SQUARE, (2, 2)).to_luma8();
        assert_eq!(small.as_raw(), &[20, 190]);
        // A pattern of single pixels becomes even grey.
        let picture = grey(640, 640, |x, y| if (x + y) % 2 == 0 { 0 } else { 255 });
        let small = shrink(&picture, PixelAspect::SQUARE, BOUNDS).to_luma8();
        assert!(small.iter().all(|shade| shade.abs_diff(128) <= 1));
        // A picture that fits is unchanged.
        let picture = grey(31, 17, |x, y| u8::try_from(x * 7 + y).unwrap());
        let small = shrink(&picture, PixelAspect::SQUARE, BOUNDS);
        assert_eq!(small.to_luma8(), picture.to_luma8());
    }

    fn of<P: ::image::Pixel>(pixel: P) -> ImageBuffer<P, Vec<P::Subpixel>> {
        ImageBuffer::from_pixel(5, 3, pixel)
    }

    #[test]
    fn every_kind_of_picture_shows_the_same_colour() {
        let (deep, float) = (|c: u8| u16::from(c) * 257, |c: u8| f32::from(c) / 255.0);
        let [r, g, b] = [200, 100, 50];
        let alpha = 102;
        for (picture, expected) in [
            (of(Luma([g])).into(), [g, g, g, 255]),
            (of(LumaA([g, alpha])).into(), [g, g, g, alpha]),
            (of(Rgb([r, g, b])).into(), [r, g, b, 255]),
            (of(Rgba([r, g, b, alpha])).into(), [r, g, b, alpha]),
            (of(Luma([deep(g)])).into(), [g, g, g, 255]),
            (of(LumaA([deep(g), deep(alpha)])).into(), [g, g, g, alpha]),
            (of(Rgb([r, g, b].map(deep))).into(), [r, g, b, 255]),
            (of(Rgba([r, g, b, alpha].map(deep))).into(), [r, g, b, alpha]),
            (of(Rgb([r, g, b].map(float))).into(), [r, g, b, 255]),
            (of(Rgba([r, g, b, alpha].map(float))).into(), [r, g, b, alpha]),
        ] {
            let picture: DynamicImage = picture;
            let small = shrink(&picture, PixelAspect::SQUARE, (2, 2));
            assert_eq!(small.color().has_alpha(), picture.color().has_alpha());
            assert!(small.to_rgba8().pixels().all(|pixel| pixel.0 == expected), "{picture:?}");
        }
    }

    #[test]
    fn transparent_parts_show_the_background_and_do_not_colour_their_neighbours() {
        let halves = ImageBuffer::from_fn(4, 2, |x, _| match x {
            0 | 1 => Rgba([255u8, 0, 0, 255]),
            _ => Rgba([0, 255, 0, 0]),
        });
        let small = shrink(&halves.clone().into(), PixelAspect::SQUARE, (1, 1)).to_rgba8();
        assert_eq!(small.get_pixel(0, 0).0, [255, 0, 0, 128]);
        let flat = flatten::over(halves.into(), Colour([10, 20, 30])).into_rgb8();
        assert_eq!(flat.get_pixel(0, 0).0, [255, 0, 0]);
        assert_eq!(flat.get_pixel(3, 1).0, [10, 20, 30]);
    }

    #[test]
    fn linear_light_stays_linear_and_one_bright_pixel_does_not_take_over() {
        let lamp = ImageBuffer::from_fn(320, 320, |x, y| {
            Rgb([if (x, y) == (0, 0) { f32::MAX } else { 0.5 }; 3])
        });
        let small = shrink(&lamp.into(), PixelAspect::SQUARE, (32, 32));
        let DynamicImage::ImageRgb32F(small) = small else { panic!("{small:?}") };
        let dim = small.get_pixel(31, 31).0[0];
        assert!((dim - 0.5).abs() < 1e-5, "{dim}");
        let bright = small.get_pixel(0, 0).0[0];
        assert!(bright > 0.5 && bright < 2.0, "{bright}");
    }

    #[test]
    fn light_that_covers_nothing_is_kept() {
        let flame = ImageBuffer::from_pixel(4, 4, Rgba([2.0f32, 0.5, 0.1, 0.0]));
        let small = shrink(&flame.into(), PixelAspect::SQUARE, (1, 1)).into_rgba32f();
        for (found, expected) in small.get_pixel(0, 0).0.into_iter().zip([2.0, 0.5, 0.1, 0.0]) {
            assert!((found - expected).abs() < 1e-6, "{small:?}");
        }
    }

    #[test]
    fn a_preview_is_a_jpeg_that_shows_the_picture() {
        let picture = ImageBuffer::from_fn(1280, 720, |x, _| {
            if x < 644 { Rgb([200u8, 40, 40]) } else { Rgb([40, 40, 200]) }
        });
        let file = preview(&picture.into(), PixelAspect::SQUARE, [0; 3]);
        let decoded = decode(ImageFormat::Jpeg, &file, None).unwrap().pixels.to_rgb8();
        assert_eq!(decoded.dimensions(), (320, 180));
        // The colours are sharp up to the edge, which is at 161.
        for (x, expected, tolerance) in [
            (10, [200, 40, 40], 6),
            (160, [200, 40, 40], 24),
            (161, [40, 40, 200], 24),
            (310, [40, 40, 200], 6),
        ] {
            let found = decoded.get_pixel(x, 90).0;
            let differences = found.iter().zip(expected).map(|(a, b)| a.abs_diff(b));
            assert!(differences.max() < Some(tolerance), "{x}: {found:?}");
        }
    }
}

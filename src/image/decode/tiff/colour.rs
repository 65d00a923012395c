//! From the samples of a file to pixels.

use ::image::{DynamicImage, ImageBuffer, Luma, LumaA, Pixel, Rgb, Rgba};

use super::canvas::Canvas;
use super::directory::Directory;
use super::header::{Alpha, Colours, Header};
use crate::image::Damage;
use crate::image::decode::linear::{finite, straight};

const COLOUR_MAP: u16 = 320;

/// The samples of a palette's colour in `COLOUR_MAP`, which have 16 bits.
const MAP_MAX: u64 = u16::MAX as u64;

/// Returns the picture, and how many samples of colour were not finite.
pub(super) fn picture(
    directory: &Directory,
    header: &Header,
    canvas: Canvas,
) -> Result<(DynamicImage, u64), Damage> {
    let pixels = match (canvas, header.colours) {
        (Canvas::Float(samples), _) => return float(header, &samples),
        (Canvas::Small(samples), Colours::Palette) => {
            from_small(header, 3, from_palette(directory, header, &samples)?)
        }
        (Canvas::Large(samples), Colours::Palette) => {
            from_small(header, 3, from_palette(directory, header, &samples)?)
        }
        (Canvas::Small(mut samples), _) => {
            widen(header, &mut samples);
            let (colours, samples) = convert(header, samples);
            from_small(header, colours, samples)
        }
        (Canvas::Large(samples), _) => {
            let (colours, samples) = convert(header, samples);
            from_large(header, colours, samples)
        }
    };
    Ok((pixels.ok_or_else(|| no_picture(header))?, 0))
}

/// The pixels do not fill the picture, which cannot be.
fn no_picture(header: &Header) -> Damage {
    Damage::TooLarge { width: header.width.into(), height: header.height.into() }
}

/// An unsigned sample.
trait Sample: Copy {
    const MAX: u32;

    fn wide(self) -> u32;

    fn narrow(value: u32) -> Self;
}

macro_rules! sample {
    ($sample:ty) => {
        impl Sample for $sample {
            const MAX: u32 = Self::MAX as u32;

            fn wide(self) -> u32 {
                self.into()
            }

            fn narrow(value: u32) -> Self {
                Self::try_from(value).unwrap_or(Self::MAX)
            }
        }
    };
}

sample!(u8);
sample!(u16);

/// Makes samples of fewer bits samples of 8. The largest becomes 255.
fn widen(header: &Header, samples: &mut [u8]) {
    let largest = u8::MAX >> u8::BITS.saturating_sub(header.bits);
    for sample in samples {
        *sample = sample.saturating_mul(u8::MAX / largest);
    }
}

/// Converts samples to grey or RGB, with straight alpha. Returns the number of colours as well.
fn convert<T: Sample>(header: &Header, mut samples: Vec<T>) -> (usize, Vec<T>) {
    let kept = header.kept();
    let mut colours = usize::from(header.colours.count());
    if header.colours == Colours::WhiteIsZero {
        for sample in samples.iter_mut().step_by(kept) {
            *sample = T::narrow(T::MAX - sample.wide());
        }
    }
    if header.colours == Colours::Cmyk {
        colours = 3;
        samples = samples.chunks_exact(kept).flat_map(from_cmyk).collect();
    }
    if header.alpha == Some(Alpha::Premultiplied) {
        for pixel in samples.chunks_exact_mut(colours + 1) {
            make_straight(pixel);
        }
    }
    (colours, samples)
}

/// Inks without a colour profile: each takes away from white. What follows them is kept.
fn from_cmyk<T: Sample>(pixel: &[T]) -> Vec<T> {
    let Some((&[c, m, y, k], more)) = pixel.split_first_chunk() else { return Vec::new() };
    let left = T::MAX - k.wide();
    let colour = |ink: T| {
        let product = u64::from(T::MAX - ink.wide()) * u64::from(left);
        let colour = (product + u64::from(T::MAX / 2)) / u64::from(T::MAX);
        T::narrow(u32::try_from(colour).unwrap_or(T::MAX))
    };
    [c, m, y].map(colour).iter().chain(more).copied().collect()
}

/// Divides the colours of a pixel by its last sample.
fn make_straight<T: Sample>(pixel: &mut [T]) {
    let Some((alpha, colours)) = pixel.split_last_mut() else { return };
    let alpha = u64::from(alpha.wide());
    for colour in colours {
        let whole = u64::from(colour.wide()) * u64::from(T::MAX) + alpha / 2;
        if let Some(straight) = whole.checked_div(alpha) {
            *colour = T::narrow(u32::try_from(straight).unwrap_or(T::MAX));
        }
    }
}

/// Looks the first sample of each pixel up in the list of colours, which has all reds first. What
/// follows the first sample is kept.
fn from_palette<T: Sample>(
    directory: &Directory,
    header: &Header,
    samples: &[T],
) -> Result<Vec<u8>, Damage> {
    let corrupt = |what| Damage::Corrupt { what, offset: directory.offset };
    let map = directory.numbers(COLOUR_MAP)?;
    let map = map.ok_or_else(|| corrupt("the image has no list of colours"))?;
    let count = 1_usize << header.bits;
    if map.len() != 3 * count {
        return Err(corrupt("the list of colours has a wrong length"));
    }
    // Some writers take samples of 8 bits for this list (libtiff, `checkcmap` of tif_getimage.c).
    let small = map.iter().all(|value| u8::try_from(*value).is_ok());
    let eight = |value: u64| u8::narrow(u32::try_from(value.min(MAP_MAX)).unwrap_or(u32::MAX));
    let map: Vec<u8> =
        map.into_iter().map(|value| eight(if small { value } else { value >> 8 })).collect();
    let pixels = samples.chunks_exact(header.kept()).flat_map(|pixel| {
        let (index, more) =
            pixel.split_first().map_or((0, pixel), |(index, more)| (index.wide() as usize, more));
        let colour = map.iter().skip(index).step_by(count).copied();
        let more =
            more.iter().map(|sample| u8::narrow(sample.wide() * u32::from(u8::MAX) / T::MAX));
        colour.chain(more)
    });
    Ok(pixels.collect())
}

fn float(header: &Header, samples: &[f32]) -> Result<(DynamicImage, u64), Damage> {
    // Half floats have smaller numbers.
    let largest = if header.bits == 16 { half::f16::MAX.to_f32() } else { f32::MAX };
    let colours = usize::from(header.colours.count());
    let mut not_finite = 0;
    let mut pixels = Vec::with_capacity(samples.len() / header.kept() * 4);
    for pixel in samples.chunks_exact(header.kept()) {
        let (found, alpha) = pixel.split_at_checked(colours).unwrap_or_default();
        let mut found = found.iter().map(|&sample| {
            let (sample, is_finite) = finite(sample, largest);
            not_finite += u64::from(!is_finite);
            if header.colours == Colours::WhiteIsZero { 1.0 - sample } else { sample }
        });
        let first = found.next().unwrap_or(0.0);
        let mut found = [first, found.next().unwrap_or(first), found.next().unwrap_or(first)];
        let alpha = alpha.first().map(|&alpha| finite(alpha, 1.0).0);
        if let (Some(alpha), Some(Alpha::Premultiplied)) = (alpha, header.alpha) {
            found = straight(found, alpha);
        }
        pixels.extend(found.into_iter().chain(alpha));
    }
    let pixels = match header.alpha {
        None => buffer::<Rgb<f32>>(header, pixels).map(DynamicImage::ImageRgb32F),
        Some(_) => buffer::<Rgba<f32>>(header, pixels).map(DynamicImage::ImageRgba32F),
    };
    Ok((pixels.ok_or_else(|| no_picture(header))?, not_finite))
}

fn from_small(header: &Header, colours: usize, samples: Vec<u8>) -> Option<DynamicImage> {
    match (colours, header.alpha) {
        (1, None) => buffer::<Luma<u8>>(header, samples).map(DynamicImage::ImageLuma8),
        (1, Some(_)) => buffer::<LumaA<u8>>(header, samples).map(DynamicImage::ImageLumaA8),
        (_, None) => buffer::<Rgb<u8>>(header, samples).map(DynamicImage::ImageRgb8),
        (_, Some(_)) => buffer::<Rgba<u8>>(header, samples).map(DynamicImage::ImageRgba8),
    }
}

fn from_large(header: &Header, colours: usize, samples: Vec<u16>) -> Option<DynamicImage> {
    match (colours, header.alpha) {
        (1, None) => buffer::<Luma<u16>>(header, samples).map(DynamicImage::ImageLuma16),
        (1, Some(_)) => buffer::<LumaA<u16>>(header, samples).map(DynamicImage::ImageLumaA16),
        (_, None) => buffer::<Rgb<u16>>(header, samples).map(DynamicImage::ImageRgb16),
        (_, Some(_)) => buffer::<Rgba<u16>>(header, samples).map(DynamicImage::ImageRgba16),
    }
}

fn buffer<P: Pixel>(
    header: &Header,
    samples: Vec<P::Subpixel>,
) -> Option<ImageBuffer<P, Vec<P::Subpixel>>> {
    ImageBuffer::from_raw(header.width, header.height, samples)
}

//! The view: what turns linear light into values for a display.
//!
//! A frame of `OpenEXR` or `Radiance` holds linear light. Blender shows it through a view
//! transform, with a look, an exposure and more. [`Lut`] is all of this, computed by Blender.

mod axis;
mod curve;
mod level;
mod lut;
mod srgb;

use std::sync::Arc;

use ::image::{DynamicImage, ImageBuffer};

pub use axis::axis;
use level::{WHITE, rounded};
pub use lut::{Lut, StoredLut};
use srgb::Srgb;

/// How linear light is shown.
#[derive(Clone, Debug, Default)]
pub enum View {
    /// As sRGB. What is brighter than 1 is white.
    #[default]
    Srgb,
    /// The values as they are, from 0 to 1: for data rather than pictures.
    Data,
    /// As Blender shows it.
    Lut(Arc<Lut>),
}

impl View {
    /// The picture for a display, of 16 bits, with straight alpha. A picture that is not linear (not of
    /// floats) is returned unchanged.
    pub fn apply(&self, picture: DynamicImage) -> DynamicImage {
        match self {
            Self::Srgb => {
                let table = Srgb::table();
                mapped(picture, |[r, g, b]| [table.at(r), table.at(g), table.at(b)])
            }
            Self::Data => mapped(picture, |colour| colour.map(|sample| rounded(sample * WHITE))),
            Self::Lut(lut) => mapped(picture, |colour| lut.at(colour).map(rounded)),
        }
    }
}

/// A picture whose colours, linear light, are replaced by those for a display.
fn mapped(picture: DynamicImage, shown: impl Fn([f32; 3]) -> [u16; 3]) -> DynamicImage {
    let (width, height) = (picture.width(), picture.height());
    match picture {
        DynamicImage::ImageRgb32F(linear) => {
            let samples = each(linear.as_raw(), shown);
            ImageBuffer::from_raw(width, height, samples).map(DynamicImage::ImageRgb16)
        }
        DynamicImage::ImageRgba32F(linear) => {
            let samples = each(linear.as_raw(), |pixel| with_alpha(pixel, &shown));
            ImageBuffer::from_raw(width, height, samples).map(DynamicImage::ImageRgba16)
        }
        other => Some(other),
    }
    // There are as many samples as before, so there always is a picture.
    .unwrap_or_default()
}

/// A pixel with straight alpha, whose colour is replaced by that for a display.
///
/// A flame, a glow or a flare adds light and covers nothing of what is behind it, or little: its light
/// is more than its alpha. Drawn by its alpha, it would be dark or not there. What alpha leaves of such
/// light is added, and the pixel becomes as opaque as it is bright.
fn with_alpha(
    [red, green, blue, alpha]: [f32; 4],
    shown: impl Fn([f32; 3]) -> [u16; 3],
) -> [u16; 4] {
    let colour = [red, green, blue];
    let light = if alpha > 0.0 { colour.map(|sample| sample * alpha) } else { colour };
    let alpha = alpha.clamp(0.0, 1.0);
    let glow = light.map(|sample| (sample - alpha).max(0.0) * (1.0 - alpha));
    let display = shown(colour);
    if glow.iter().all(|glow| *glow <= 0.0) {
        let [red, green, blue] = display;
        return [red, green, blue, rounded(alpha * WHITE)];
    }
    let mut sum = [0.0; 3];
    for ((sum, display), glow) in sum.iter_mut().zip(display).zip(shown(glow)) {
        *sum = (f32::from(display) * alpha + f32::from(glow)).min(WHITE);
    }
    let opacity = sum.into_iter().fold(alpha * WHITE, f32::max);
    let [red, green, blue] = sum.map(|sum| rounded(sum / opacity.max(1.0) * WHITE));
    [red, green, blue, rounded(opacity)]
}

/// The samples of all pixels, each pixel replaced.
fn each<const N: usize>(samples: &[f32], replacement: impl Fn([f32; N]) -> [u16; N]) -> Vec<u16> {
    let (pixels, _) = samples.as_chunks::<N>();
    pixels.iter().map(|pixel| replacement(*pixel)).collect::<Vec<_>>().into_flattened()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::image::{Rgb32FImage, Rgba32FImage};

    #[test]
    fn srgb_is_that_of_the_standard() {
        let samples = [0.0, 0.001, 0.003_130_8, 0.01, 0.18, 0.214_041_14, 0.5, 0.999, 1.0];
        let linear = Rgb32FImage::from_raw(3, 1, samples.to_vec()).unwrap();
        let shown = View::Srgb.apply(linear.into()).into_rgb16().into_raw();
        // As exact as a half float is.
        assert!(shown[5].abs_diff(32768) <= 14, "half of white, as it looks");
        for (shown, sample) in shown.into_iter().zip(samples) {
            let shown = f32::from(shown) / WHITE;
            // The standard's inverse.
            let inverse = match shown {
                ..=0.04045 => shown / 12.92,
                _ => ((shown + 0.055) / 1.055).powf(2.4),
            };
            assert!((inverse - sample).abs() <= sample / 1024.0 + 1e-6, "{sample}: {shown}");
        }
        let beyond = Rgb32FImage::from_raw(1, 1, vec![70000.0, -1.0, -0.0]).unwrap();
        assert_eq!(View::Srgb.apply(beyond.into()).into_rgb16().into_raw(), [65535, 0, 0]);
    }

    #[test]
    fn data_is_shown_as_it_is() {
        let linear = Rgb32FImage::from_raw(1, 2, vec![0.0, 0.25, 0.5, 1.0, 2.0, -1.0]);
        let shown = View::Data.apply(linear.unwrap().into()).into_rgb16().into_raw();
        assert_eq!(shown, [0, 16384, 32768, 65535, 65535, 0]);
    }

    #[test]
    fn alpha_stays_as_it_is() {
        let blenders =
            lut::tests::blenders(0.0, |[red, ..]| [0, 0, if red > 0.4 { 65535 } else { 0 }]);
        let lut = Lut::parse(&StoredLut::new(&blenders, 0.0).unwrap().png).unwrap();
        for view in [View::Srgb, View::Data, View::Lut(Arc::new(lut))] {
            let linear = Rgba32FImage::from_raw(
                3,
                1,
                vec![0.5, 0.0, 1.0, 0.25, 0.5, 0.0, 1.0, 0.5, 0.5, 0.0, 1.0, 1.0],
            );
            let DynamicImage::ImageRgba16(shown) = view.apply(linear.unwrap().into()) else {
                panic!("not RGBA of 16 bits");
            };
            let alphas: Vec<_> = shown.pixels().map(|pixel| pixel.0[3]).collect();
            assert_eq!(alphas, [16384, 32768, 65535]);
            assert!(shown.pixels().all(|pixel| pixel.0[1] == 0 && pixel.0[2] == 65535));
        }
    }

    #[test]
    fn light_that_covers_nothing_is_seen() {
        let shown = |pixel: [f32; 4]| {
            let linear = Rgba32FImage::from_raw(1, 1, pixel.to_vec()).unwrap();
            let shown = View::Srgb.apply(linear.into());
            crate::image::flatten::over(shown, crate::request::Colour([0; 3]))
                .into_rgb8()
                .into_raw()
        };
        // A flame, whose colours are not divided by its alpha. Blender shows these colours.
        assert_eq!(shown([0.8, 0.4, 0.1, 0.0]), [231, 170, 89]);
        // Smoke in it covers little. Blender shows 188.
        let smoke = shown([5.0, 5.0, 5.0, 0.1]);
        assert!(smoke.iter().all(|sample| sample.abs_diff(188) <= 4), "{smoke:?}");
        // What is opaque, or no brighter than white, is drawn by its alpha.
        assert_eq!(shown([5.0, 1.0, 0.0, 1.0]), [255, 255, 0]);
        assert_eq!(shown([1.0, 0.0, 1.0, 0.5]), [128, 0, 128]);
        assert_eq!(shown([0.0, 0.0, 0.0, 0.0]), [0; 3]);
    }

    #[test]
    fn pictures_for_a_display_are_unchanged() {
        let picture = DynamicImage::new_luma_a8(3, 2);
        assert_eq!(View::Srgb.apply(picture.clone()), picture);
    }
}

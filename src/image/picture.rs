//! A decoded picture.

use ::image::DynamicImage;
use ::image::metadata::Orientation;

/// A decoded picture, the right way up.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The pixels, with straight (not premultiplied) alpha.
    ///
    /// Integers are values for a display (sRGB). Floats, which are `ImageRgb32F` or `ImageRgba32F`,
    /// are linear light with the primaries of BT.709 and without bounds, but always finite.
    pub pixels: DynamicImage,
    /// The shape of a pixel.
    pub pixel_aspect: PixelAspect,
    /// The layer that the picture was read from, if the file names its layers.
    pub layer: Option<String>,
    /// How many samples of colour were infinite or no number. Each is replaced: by the largest
    /// value of the format, or by 0.
    pub not_finite: u64,
    /// What the file says besides, and is ignored.
    pub ignored: Option<Ignored>,
}

/// What is ignored of a file, though the picture may look different with it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ignored {
    /// The colour profile of this name.
    Profile(String),
    /// Images after the first one.
    FurtherImages,
}

impl Picture {
    /// A picture of square pixels.
    pub fn plain(pixels: DynamicImage) -> Self {
        Self {
            pixels,
            pixel_aspect: PixelAspect::SQUARE,
            layer: None,
            not_finite: 0,
            ignored: None,
        }
    }

    /// The picture turned and mirrored as `orientation` says, which is how its file tells viewers to
    /// show it.
    #[must_use]
    pub fn oriented(mut self, orientation: Orientation) -> Self {
        let turned = matches!(
            orientation,
            Orientation::Rotate90
                | Orientation::Rotate270
                | Orientation::Rotate90FlipH
                | Orientation::Rotate270FlipH
        );
        if turned {
            let PixelAspect { width, height } = self.pixel_aspect;
            self.pixel_aspect = PixelAspect { width: height, height: width };
        }
        self.pixels.apply_orientation(orientation);
        self
    }

    /// Whether the pixels are linear light, which needs a view transform before it is shown.
    pub fn is_linear(&self) -> bool {
        matches!(self.pixels, DynamicImage::ImageRgb32F(_) | DynamicImage::ImageRgba32F(_))
    }
}

/// The shape of a pixel: its width divided by its height, as a fraction in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PixelAspect {
    /// The width of a pixel, in units of its own.
    pub width: u32,
    /// The height of a pixel, in the same units.
    pub height: u32,
}

impl PixelAspect {
    /// Square pixels.
    pub const SQUARE: Self = Self { width: 1, height: 1 };

    /// The shape `width:height`; square if one of them is 0.
    pub fn new(width: u32, height: u32) -> Self {
        let (mut a, mut b) = (width, height);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        if width == 0 || height == 0 {
            return Self::SQUARE;
        }
        Self { width: width / a, height: height / a }
    }

    /// The smallest fraction that is nearly `ratio`, a width divided by a height, which files often
    /// give with four digits. Square if `ratio` is no possible shape.
    pub fn near(ratio: f32) -> Self {
        if !(LARGEST_RATIO.recip()..=LARGEST_RATIO).contains(&ratio) {
            return Self::SQUARE;
        }
        let found = (1..=LARGEST_DENOMINATOR).find_map(|denominator| {
            let numerator = (ratio * f32::from(denominator)).round();
            let differs = (numerator / f32::from(denominator) / ratio - 1.0).abs();
            // At most the largest ratio times the largest denominator.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
            (differs <= NEAR).then(|| Self::new(numerator as u32, denominator.into()))
        });
        found.unwrap_or(Self::SQUARE)
    }
}

/// The longest sides of pixels that are believed.
const LARGEST_RATIO: f32 = 100.0;

/// The largest denominator that is tried. Video has 117 (PAL).
const LARGEST_DENOMINATOR: u16 = 1000;

/// How much a fraction may differ from a ratio, relatively.
const NEAR: f32 = 3e-5;

#[cfg(test)]
mod tests {
    use ::image::{GrayImage, Luma};

    use super::*;

    /// ```text
    /// 1 2 3
    /// 4 5 6
    /// ```
    fn numbered() -> Picture {
        let pixels = GrayImage::from_fn(3, 2, |x, y| Luma([1 + u8::try_from(3 * y + x).unwrap()]));
        Picture { pixel_aspect: PixelAspect::new(2, 1), ..Picture::plain(pixels.into()) }
    }

    #[test]
    fn a_picture_is_turned_as_exif_says() {
        // CIPA DC-008 (Exif 2.32), 4.6.5.1.6: where row 0 and column 0 of the file are shown.
        for (exif, width, shown) in [
            (1, 3, [1, 2, 3, 4, 5, 6]),
            (2, 3, [3, 2, 1, 6, 5, 4]),
            (3, 3, [6, 5, 4, 3, 2, 1]),
            (4, 3, [4, 5, 6, 1, 2, 3]),
            (5, 2, [1, 4, 2, 5, 3, 6]),
            (6, 2, [4, 1, 5, 2, 6, 3]),
            (7, 2, [6, 3, 5, 2, 4, 1]),
            (8, 2, [3, 6, 2, 5, 1, 4]),
        ] {
            let picture = numbered().oriented(Orientation::from_exif(exif).unwrap());
            assert_eq!(picture.pixels.width(), width, "orientation {exif}");
            assert_eq!(picture.pixels.as_bytes(), shown, "orientation {exif}");
            let aspect = if width == 3 { PixelAspect::new(2, 1) } else { PixelAspect::new(1, 2) };
            assert_eq!(picture.pixel_aspect, aspect, "orientation {exif}");
        }
    }

    #[test]
    fn the_shape_of_a_pixel_is_in_lowest_terms() {
        assert_eq!(PixelAspect::new(118, 59), PixelAspect { width: 2, height: 1 });
        assert_eq!(PixelAspect::new(72, 72), PixelAspect::SQUARE);
        assert_eq!(PixelAspect::new(0, 7), PixelAspect::SQUARE);
        assert_eq!(PixelAspect::new(7, 0), PixelAspect::SQUARE);
    }

    #[test]
    fn a_rounded_ratio_is_a_small_fraction() {
        for (ratio, width, height) in [
            (1.0, 1, 1),
            (2.0, 2, 1),
            (0.5, 1, 2),
            (1.3333, 4, 3),
            (4.0 / 3.0, 4, 3),
            (0.909_09, 10, 11),
            // PAL, as Blender's presets have it.
            (12.0 / 11.0, 12, 11),
            (128.0 / 117.0, 128, 117),
        ] {
            assert_eq!(PixelAspect::near(ratio), PixelAspect { width, height }, "{ratio}");
        }
    }

    #[test]
    fn nonsense_is_square() {
        for ratio in [0.0, -1.0, f32::NAN, f32::INFINITY, 1e-9, 1e9, f32::MIN_POSITIVE] {
            assert_eq!(PixelAspect::near(ratio), PixelAspect::SQUARE, "{ratio}");
        }
    }
}

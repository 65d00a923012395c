//! A decoded picture.

use ::image::DynamicImage;

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
}

impl Picture {
    /// A picture of square pixels.
    pub fn plain(pixels: DynamicImage) -> Self {
        Self { pixels, pixel_aspect: PixelAspect::SQUARE, layer: None, not_finite: 0 }
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
}

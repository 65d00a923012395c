//! Reduces the kinds of pictures to two: colours with alpha, and colours over a background. Either
//! has 8 or 16 bits a sample, as the picture had.

use ::image::{DynamicImage, ImageBuffer, Rgb};

use crate::request::Colour;

/// The colours of a picture and its alpha, `Rgba8` or `Rgba16`.
pub fn with_alpha(picture: DynamicImage) -> DynamicImage {
    if is_deep(&picture) {
        DynamicImage::ImageRgba16(picture.into_rgba16())
    } else {
        DynamicImage::ImageRgba8(picture.into_rgba8())
    }
}

/// The colours of a picture over a background, `Rgb8` or `Rgb16`.
pub fn over(picture: DynamicImage, background: Colour) -> DynamicImage {
    let Colour(eight) = background;
    let (width, height) = (picture.width(), picture.height());
    match (picture.color().has_alpha(), is_deep(&picture)) {
        (false, false) => DynamicImage::ImageRgb8(picture.into_rgb8()),
        (false, true) => DynamicImage::ImageRgb16(picture.into_rgb16()),
        (true, false) => {
            let flat = blended(picture.into_rgba8().as_raw(), eight, |front, back, alpha| {
                let alpha = u16::from(alpha);
                let sum = u16::from(front) * alpha + u16::from(back) * (255 - alpha);
                u8::try_from((sum + 127) / 255).unwrap_or(u8::MAX)
            });
            ImageBuffer::<Rgb<u8>, _>::from_raw(width, height, flat)
                .map_or_else(|| DynamicImage::new_rgb8(width, height), DynamicImage::ImageRgb8)
        }
        (true, true) => {
            let deep = eight.map(|value| u16::from(value) * 257);
            let flat = blended(picture.into_rgba16().as_raw(), deep, |front, back, alpha| {
                let alpha = u32::from(alpha);
                let sum = u32::from(front) * alpha + u32::from(back) * (65_535 - alpha);
                // Neither term exceeds 65535², and only together they reach it.
                u16::try_from((u64::from(sum) + 32_767) / 65_535).unwrap_or(u16::MAX)
            });
            ImageBuffer::<Rgb<u16>, _>::from_raw(width, height, flat)
                .map_or_else(|| DynamicImage::new_rgb16(width, height), DynamicImage::ImageRgb16)
        }
    }
}

/// Whether the picture has more than 8 bits a sample.
fn is_deep(picture: &DynamicImage) -> bool {
    let color = picture.color();
    color.bytes_per_pixel() > color.channel_count()
}

/// Red, green and blue of pixels with straight alpha, over a colour.
fn blended<T: Copy>(pixels: &[T], background: [T; 3], blend: impl Fn(T, T, T) -> T) -> Vec<T> {
    let (pixels, _) = pixels.as_chunks::<4>();
    let [behind_red, behind_green, behind_blue] = background;
    let flat = pixels.iter().map(|&[red, green, blue, alpha]| {
        [
            blend(red, behind_red, alpha),
            blend(green, behind_green, alpha),
            blend(blue, behind_blue, alpha),
        ]
    });
    flat.collect::<Vec<_>>().into_flattened()
}

#[cfg(test)]
mod tests {
    use ::image::Rgba;

    use super::*;

    const TEAL: Colour = Colour([0, 128, 128]);

    #[test]
    fn transparent_pixels_show_the_background() {
        let alphas = [0, 255, 128];
        let picture = ImageBuffer::from_fn(3, 1, |x, _| Rgba([200, 10, 30, alphas[x as usize]]));
        let expected = [0, 128, 128, 200, 10, 30, 100, 69, 79];
        assert_eq!(over(DynamicImage::ImageRgba8(picture.clone()), TEAL).as_bytes(), expected);
        let deep = DynamicImage::ImageRgba16(DynamicImage::ImageRgba8(picture).into_rgba16());
        let flat = over(deep, TEAL).into_rgb16();
        for (value, expected) in flat.as_raw().iter().zip(expected) {
            assert!(value.abs_diff(u16::from(expected) * 257) <= 129, "{value} {expected}");
        }
    }

    #[test]
    fn every_kind_of_picture_gets_colours() {
        let kinds = [
            DynamicImage::new_luma8(1, 1),
            DynamicImage::new_luma_a8(1, 1),
            DynamicImage::new_rgb8(1, 1),
            DynamicImage::new_rgba8(1, 1),
            DynamicImage::new_luma16(1, 1),
            DynamicImage::new_luma_a16(1, 1),
            DynamicImage::new_rgb16(1, 1),
            DynamicImage::new_rgba16(1, 1),
        ];
        for (index, picture) in kinds.into_iter().enumerate() {
            let deep = index >= 4;
            let colour = if picture.color().has_alpha() { [0, 128, 128] } else { [0; 3] };
            let flat = over(picture.clone(), TEAL);
            assert_eq!(is_deep(&flat), deep, "{:?}", picture.color());
            assert_eq!(flat.color().channel_count(), 3);
            assert_eq!(flat.into_rgb8().as_raw(), &colour);
            let kept = with_alpha(picture);
            assert_eq!((is_deep(&kept), kept.color().channel_count()), (deep, 4));
        }
    }
}

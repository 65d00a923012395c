//! The shape of a pixel, from a ratio that the file has rounded.

use crate::image::PixelAspect;

/// The longest sides of pixels that are believed.
const LARGEST_RATIO: f32 = 100.0;

/// The largest denominator that is tried. Video has 117 (PAL).
const LARGEST_DENOMINATOR: u16 = 1000;

/// How much a fraction may differ, relatively: a ratio is often given with four digits.
const SAME: f32 = 3e-5;

/// The smallest fraction that is nearly `ratio`, a width divided by a height. Square if `ratio` is no
/// possible shape.
pub(super) fn of(ratio: f32) -> PixelAspect {
    if !(LARGEST_RATIO.recip()..=LARGEST_RATIO).contains(&ratio) {
        return PixelAspect::SQUARE;
    }
    let found = (1..=LARGEST_DENOMINATOR).find_map(|denominator| {
        let numerator = (ratio * f32::from(denominator)).round();
        let differs = (numerator / f32::from(denominator) / ratio - 1.0).abs();
        // At most the largest ratio times the largest denominator.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
        (differs <= SAME).then(|| PixelAspect::new(numerator as u32, denominator.into()))
    });
    found.unwrap_or(PixelAspect::SQUARE)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(of(ratio), PixelAspect { width, height }, "{ratio}");
        }
    }

    #[test]
    fn nonsense_is_square() {
        for ratio in [0.0, -1.0, f32::NAN, f32::INFINITY, 1e-9, 1e9, f32::MIN_POSITIVE] {
            assert_eq!(of(ratio), PixelAspect::SQUARE, "{ratio}");
        }
    }
}

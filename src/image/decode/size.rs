//! Checks the size of an image. A few bytes can claim any size, so it is checked before memory is
//! taken.

use crate::image::{Damage, MAX_DECODED, MAX_SIDE};

/// Checks that an image of `width` by `height` pixels has pixels, and is no larger than a frame can
/// be when each pixel takes `bytes_per_pixel` bytes of memory.
pub(super) fn check_size(
    width: impl Into<u64>,
    height: impl Into<u64>,
    bytes_per_pixel: u64,
) -> Result<(), Damage> {
    let (width, height) = (width.into(), height.into());
    if width == 0 || height == 0 {
        return Err(Damage::NoPixels { width, height });
    }
    let side = u64::from(MAX_SIDE);
    let fits = width <= side && height <= side && width * height * bytes_per_pixel <= MAX_DECODED;
    if !fits {
        return Err(Damage::TooLarge { width, height });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_pixels() {
        for (width, height) in [(0_u32, 1_u32), (1, 0), (0, 0)] {
            assert!(matches!(check_size(width, height, 1), Err(Damage::NoPixels { .. })));
        }
    }

    #[test]
    fn an_image_is_no_larger_than_a_frame() {
        assert!(check_size(MAX_SIDE, 1_u32, 16).is_ok());
        assert!(check_size(MAX_SIDE, MAX_SIDE, 1).is_ok());
        for (width, height, bytes) in [
            (u64::from(MAX_SIDE) + 1, 1, 1),
            (1, u64::from(MAX_SIDE) + 1, 1),
            (u64::from(MAX_SIDE), u64::from(MAX_SIDE), 2),
            (u64::MAX, u64::MAX, 16),
        ] {
            assert!(matches!(check_size(width, height, bytes), Err(Damage::TooLarge { .. })));
        }
    }
}

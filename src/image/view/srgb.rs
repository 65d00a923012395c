//! The transfer function of sRGB ([IEC 61966-2-1][css]), as a table.
//!
//! [css]: https://www.w3.org/TR/css-color-4/#predefined-sRGB

use std::sync::LazyLock;

use super::level::{WHITE, rounded};

/// How many of the bits of an `f32` choose an entry: all but these lowest ones. Ten bits of the
/// mantissa remain, as many as those of a half float, which is what most files hold.
const SHIFT: u32 = 13;

/// Half of the distance of two entries in bits. The bits of positive floats grow with their values.
const HALF: u32 = 1 << (SHIFT - 1);

/// What is below counts as this. It is shown as 0.
const LEAST: f32 = 1.0 / 2_097_152.0;

/// The table of sRGB, from 0 to [`WHITE`].
static TABLE: LazyLock<Srgb> = LazyLock::new(|| {
    let index = |sample: f32| sample.to_bits() >> SHIFT;
    let entry = |index: u32| rounded(transfer(f32::from_bits(index << SHIFT)) * WHITE);
    Srgb { first: index(LEAST), entries: (index(LEAST)..=index(1.0)).map(entry).collect() }
});

/// The values that a display shows for linear light.
pub(super) struct Srgb {
    /// The index of the first entry.
    first: u32,
    entries: Vec<u16>,
}

impl Srgb {
    /// The table, which is made once.
    pub fn table() -> &'static Self {
        &TABLE
    }

    /// The value of a sample from 0 to 1, from 0 to [`WHITE`]. A sample outside counts as 0 or 1, and
    /// one that is no number as 0.
    #[inline]
    pub fn at(&self, sample: f32) -> u16 {
        let sample = if sample > LEAST { sample } else { LEAST };
        let sample = if sample < 1.0 { sample } else { 1.0 };
        let index = ((sample.to_bits() + HALF) >> SHIFT) - self.first;
        // Every entry exists.
        self.entries.get(index as usize).copied().unwrap_or_default()
    }
}

fn transfer(sample: f32) -> f32 {
    if sample <= 0.003_130_8 { sample * 12.92 } else { 1.055 * sample.powf(1.0 / 2.4) - 0.055 }
}

#[cfg(test)]
mod tests {
    use half::f16;

    use super::*;

    #[test]
    fn every_half_float_is_shown_as_the_standard_says() {
        for bits in 0..=f16::MAX.to_bits() {
            let sample = f16::from_bits(bits).to_f32();
            let expected = transfer(sample.min(1.0)) * WHITE;
            let found = f32::from(Srgb::table().at(sample));
            assert!((found - expected).abs() <= 0.5, "{sample}: {found}, {expected}");
        }
    }

    #[test]
    fn samples_between_half_floats_are_nearly_as_exact() {
        for step in 0..=u16::MAX {
            let sample = f32::from(step) / 65_535.0;
            let difference = f32::from(Srgb::table().at(sample)) - transfer(sample) * WHITE;
            // An 18th of a step of 8 bits.
            assert!(difference.abs() < 14.5, "{sample}: {difference}");
        }
    }

    #[test]
    fn every_sample_has_a_value() {
        for sample in [1.0, 1.1, 1e30, f32::INFINITY] {
            assert_eq!(Srgb::table().at(sample), 65535, "{sample}");
        }
        for sample in [0.0, -0.0, -1.0, f32::NEG_INFINITY, f32::NAN, f32::from_bits(1), LEAST / 2.0]
        {
            assert_eq!(Srgb::table().at(sample), 0, "{sample}");
        }
    }
}

//! A function of a sample of linear light, as a table.

/// How many of the bits of an `f32` choose an entry: all but these lowest ones. Seven bits of the
/// mantissa remain, so there are 128 entries an octave.
const SHIFT: u32 = 16;

/// The reciprocal of the distance of two entries in bits, `1 << SHIFT`.
const SCALE: f32 = 1.0 / 65_536.0;

/// A function of a sample from 0 upwards, linear between the entries of a table.
///
/// The bits of positive floats grow with their values, and faster than these near 0, so they make
/// an index without a logarithm.
#[derive(Clone, Debug)]
pub(super) struct Curve {
    /// The index of the first entry.
    first: u32,
    /// The entries: the function there, and by how much it rises up to the next.
    entries: Vec<[f32; 2]>,
    /// The slope below the first entry.
    slope: f32,
    /// The last entry: the function is constant from there on.
    end: f32,
}

impl Curve {
    /// The function `of`, which is 0 at 0, linear from there to `low`, and constant from `high` on.
    pub fn new(low: f32, high: f32, of: impl Fn(f32) -> f32) -> Self {
        let (first, last) = (low.to_bits() >> SHIFT, high.to_bits() >> SHIFT);
        let start = f32::from_bits(first << SHIFT);
        let value = |index: u32| of(f32::from_bits(index << SHIFT).min(high));
        let entry = |index| [value(index), value(index + 1) - value(index)];
        let entries = (first..=last + 1).map(entry).collect();
        Self { first, entries, slope: of(start) / start, end: f32::from_bits((last + 1) << SHIFT) }
    }

    /// The function at `sample`. A negative one counts as 0, as does one that is no number.
    #[inline]
    pub fn at(&self, sample: f32) -> f32 {
        // Unlike that of -0, the bits of 0 are 0.
        let sample = if sample > 0.0 { sample } else { 0.0 };
        let bits = sample.min(self.end).to_bits();
        // Below the first entry, the index is beyond the last.
        let index = (bits >> SHIFT).wrapping_sub(self.first) as usize;
        let Some([value, rise]) = self.entries.get(index) else { return sample * self.slope };
        #[expect(clippy::cast_precision_loss, reason = "16 bits")]
        let part = (bits & ((1 << SHIFT) - 1)) as f32 * SCALE;
        value + rise * part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_is_the_function() {
        let curve = Curve::new(1e-4, 4.0, f32::sqrt);
        for sample in [1e-4, 3.3e-4, 0.01, 0.5, 0.77, 1.0, 3.999, 4.0] {
            let error = (curve.at(sample) - sample.sqrt()).abs();
            assert!(error < 1e-5, "{sample}: {error}");
        }
        assert!((curve.at(0.5e-4) - 0.5e-2).abs() < 1e-4);
    }

    #[test]
    fn every_sample_has_a_value() {
        let curve = Curve::new(1e-4, 4.0, f32::sqrt);
        for sample in [4.1, 1e30, f32::INFINITY] {
            assert!((curve.at(sample) - 2.0).abs() < 1e-6, "{sample}");
        }
        for sample in [0.0, -0.0, -1.0, f32::NEG_INFINITY, f32::NAN, f32::from_bits(1)] {
            assert!(curve.at(sample) < 1e-30, "{sample}");
        }
    }
}

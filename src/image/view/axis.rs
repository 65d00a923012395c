//! The linear values for which a LUT holds the colours that Blender shows.

use super::curve::Curve;

/// How many values an axis has.
pub(super) const AXIS_LENGTH: usize = 65;

/// The name of [`axis`] in a stored LUT. Other values need another name.
pub(super) const AXIS_NAME: &str = "stops-65";

/// The distances of the values in stops, and how many of each there are. They are close where
/// pictures have most of their colours, and end with the brightest lamps. The value 1 is among
/// them: the transform Standard is cut off there.
const STEPS: [(f32, usize); 3] = [(0.5, 8), (0.25, 48), (1.0, 8)];

/// The stops that lead to the first value after 0.
const LOWEST: f32 = -12.0;

/// The values on each axis of a LUT, in increasing order, from 0 to 4096, at an exposure of 0.
///
/// They are part of the format of a stored LUT, which names them.
pub fn axis() -> [f32; AXIS_LENGTH] {
    let steps = STEPS.into_iter().flat_map(|(step, count)| std::iter::repeat_n(step, count));
    let mut axis = [0.0; AXIS_LENGTH];
    let mut exponent = LOWEST;
    for (value, step) in axis.iter_mut().skip(1).zip(steps) {
        exponent += step;
        *value = exponent.exp2();
    }
    axis
}

/// The position of a sample on an axis whose values are multiplied by `factor`: 2.5 is halfway
/// between the values 2 and 3, in stops.
pub(super) fn positions(factor: f32) -> Curve {
    let values = axis().map(|value| value * factor);
    let [_, first, .., last] = values;
    Curve::new(first, last, |sample| {
        if sample <= first {
            return sample / first;
        }
        let (mut position, mut below) = (1.0, first);
        for above in values.into_iter().skip(2) {
            if sample <= above {
                return position + (sample / below).log2() / (above / below).log2();
            }
            (position, below) = (position + 1.0, above);
        }
        position
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_increase_from_0_to_4096() {
        let axis = axis();
        assert!(axis.is_sorted_by(|a, b| a < b));
        assert_eq!((axis[0], axis[64]), (0.0, 4096.0));
        assert!(axis.contains(&1.0));
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn the_position_of_each_value_is_its_index() {
        for factor in [1.0, 0.3, 1000.0] {
            let curve = positions(factor);
            for (index, value) in axis().into_iter().enumerate() {
                let position = curve.at(value * factor);
                assert!((position - index as f32).abs() < 0.05, "{value}: {position}");
            }
            let between = curve.at((axis()[40] * axis()[41]).sqrt() * factor);
            assert!((between - 40.5).abs() < 1e-3, "{between}");
            assert!((curve.at(axis()[1] * factor / 4.0) - 0.25).abs() < 1e-2);
            assert!((curve.at(1e30) - 64.0).abs() < 1e-6);
        }
    }
}

//! Conversion of colours to the primaries of BT.709.

/// A matrix of three rows.
pub(super) type Matrix = [[f64; 3]; 3];

/// The chromaticities of BT.709 and its white, D65: `x` and `y` of red, green, blue and white. A
/// file that names none has these (`ImfChromaticities.h` of OpenEXR).
const BT_709: [f64; 8] = [0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.3290];

/// Chromaticities that differ less are the same: files store them as 32-bit floats, and some writers
/// round them to three digits.
const SAME: f64 = 1e-3;

/// The cone responses of the Bradford transform (Lindbloom, "Chromatic Adaptation").
const BRADFORD: Matrix =
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]];

/// Returns the matrix that converts linear colours of these primaries to those of BT.709, with white
/// staying white. `None` if they are those of BT.709, or not those of any colours.
pub(super) fn to_bt_709(chromaticities: [f32; 8]) -> Option<Matrix> {
    let from = chromaticities.map(f64::from);
    if from.iter().zip(BT_709).all(|(from, to)| (from - to).abs() < SAME) {
        return None;
    }
    let adapted = multiply(adaptation(white(from), white(BT_709))?, to_xyz(from)?);
    let matrix = multiply(inverse(to_xyz(BT_709)?)?, adapted);
    matrix.iter().flatten().all(|value| value.is_finite()).then_some(matrix)
}

/// Applies `matrix` to a colour.
pub(super) fn apply(matrix: &Matrix, colour: [f64; 3]) -> [f64; 3] {
    matrix.map(|row| row.iter().zip(colour).map(|(factor, value)| factor * value).sum())
}

/// The matrix that converts linear colours to CIE XYZ, where white has `Y` 1 (SMPTE RP 177).
fn to_xyz([rx, ry, gx, gy, bx, by, wx, wy]: [f64; 8]) -> Option<Matrix> {
    let primaries = [[rx, gx, bx], [ry, gy, by], [1.0 - rx - ry, 1.0 - gx - gy, 1.0 - bx - by]];
    let scale = apply(&inverse(primaries)?, xyz(wx, wy));
    Some(primaries.map(|row| {
        let [r, g, b] = row;
        let [scale_r, scale_g, scale_b] = scale;
        [r * scale_r, g * scale_g, b * scale_b]
    }))
}

/// The matrix that changes the white of colours in CIE XYZ.
fn adaptation(from: [f64; 3], to: [f64; 3]) -> Option<Matrix> {
    let [from, to] = [from, to].map(|white| apply(&BRADFORD, white));
    let [[from_r, from_g, from_b], [to_r, to_g, to_b]] = [from, to];
    let scale = [[to_r / from_r, 0.0, 0.0], [0.0, to_g / from_g, 0.0], [0.0, 0.0, to_b / from_b]];
    Some(multiply(inverse(BRADFORD)?, multiply(scale, BRADFORD)))
}

fn white([.., x, y]: [f64; 8]) -> [f64; 3] {
    xyz(x, y)
}

/// The colour at these chromaticities with `Y` 1.
fn xyz(x: f64, y: f64) -> [f64; 3] {
    [x / y, 1.0, (1.0 - x - y) / y]
}

fn multiply(a: Matrix, b: Matrix) -> Matrix {
    let [[b00, b01, b02], [b10, b11, b12], [b20, b21, b22]] = b;
    let columns = [[b00, b10, b20], [b01, b11, b21], [b02, b12, b22]];
    a.map(|row| apply(&columns, row))
}

/// Returns `None` if there is no inverse.
#[expect(clippy::many_single_char_names, reason = "the entries of a matrix")]
fn inverse([[a, b, c], [d, e, f], [g, h, i]]: Matrix) -> Option<Matrix> {
    let determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
    let cofactors = [
        [e * i - f * h, c * h - b * i, b * f - c * e],
        [f * g - d * i, a * i - c * g, c * d - a * f],
        [d * h - e * g, b * g - a * h, a * e - b * d],
    ];
    let inverse = cofactors.map(|row| row.map(|cofactor| cofactor / determinant));
    (determinant.abs() > f64::EPSILON).then_some(inverse)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AP1, the primaries of S-2014-004 of the Academy, whose white is about D60.
    const ACES_AP1: [f32; 8] = [0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767];
    const BT_2020: [f32; 8] = [0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290];

    #[track_caller]
    fn assert_near(found: [f64; 3], expected: [f64; 3], within: f64) {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < within, "{found} {expected}");
        }
    }

    #[test]
    fn aces_is_converted_as_the_aces_project_does() {
        // AP1_to_LinearRec709 of OpenColorIO's ACES configuration, which uses Bradford.
        let matrix = to_bt_709(ACES_AP1).unwrap();
        for (row, expected) in matrix.into_iter().zip([
            [1.705_050_99, -0.621_792_12, -0.083_258_87],
            [-0.130_256_42, 1.140_804_74, -0.010_548_32],
            [-0.024_003_36, -0.128_968_98, 1.152_972_34],
        ]) {
            assert_near(row, expected, 2e-5);
        }
    }

    #[test]
    fn bt_2020_is_converted_as_bt_2087_says() {
        let matrix = to_bt_709(BT_2020).unwrap();
        // ITU-R BT.2087-0, the inverse of M2.
        for (row, expected) in matrix.into_iter().zip([
            [1.6605, -0.5876, -0.0728],
            [-0.1246, 1.1329, -0.0083],
            [-0.0182, -0.1006, 1.1187],
        ]) {
            assert_near(row, expected, 1e-4);
        }
    }

    #[test]
    fn white_stays_white() {
        let xyz = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0 / 3.0, 1.0 / 3.0];
        for chromaticities in [ACES_AP1, BT_2020, xyz] {
            let matrix = to_bt_709(chromaticities).unwrap();
            assert_near(apply(&matrix, [1.0; 3]), [1.0; 3], 1e-6);
        }
    }

    #[test]
    fn impossible_or_equal_chromaticities_change_nothing() {
        let bt_709 = [0.64_f32, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.3290];
        let mut rounded = bt_709;
        assert_eq!(to_bt_709(rounded), None);
        rounded[0] += 0.0005;
        assert_eq!(to_bt_709(rounded), None);
        for chromaticities in [[0.0; 8], [f32::NAN; 8], [f32::INFINITY; 8], [0.3; 8]] {
            assert_eq!(to_bt_709(chromaticities), None);
        }
        let mut no_white = bt_709;
        no_white[7] = 0.0;
        assert_eq!(to_bt_709(no_white), None);
    }
}

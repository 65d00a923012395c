//! Chroma of 4:2:0 and 4:2:2, where two columns share a sample, and in 4:2:0 two rows as well.
//!
//! A sample lies on the left one of its two columns, and between its two rows. Players assume that
//! of a video that does not say otherwise (Rec. ITU-T H.264 and H.265, Annex E: a
//! `chroma_sample_loc_type` of 0). An average of the four pixels would lie half a pixel beside.
//!
//! Along a row, the filter is that of bicubic interpolation (Catmull-Rom) in half the size, as is usual
//! when pictures become smaller. It reaches further than an average, so that fine patterns turn into
//! less noise, for which an encoder spends bytes. Between two rows, it is their average.

/// The weights of the column of a sample, and of the pairs of columns at a distance of 1 and 3, in
/// 32nds. That at a distance of 2 is 0.
const COLUMNS: [i32; 3] = [16, 9, -1];

/// The sum of the weights, twice for the two rows, as a power of 2.
const SHIFT: u32 = 6;

/// Adds the samples to `kept` that a plane keeps if two columns, and `rows` (1 or 2), share one. The
/// plane has a multiple of as many, in rows of `width` samples. `largest` is the largest possible sample.
pub fn subsample<T>(plane: &[T], width: usize, rows: usize, largest: i32, kept: &mut Vec<T>)
where
    T: Copy + Default + Into<i32> + TryFrom<i32>,
{
    let (mut row, mut even, mut odd) = (Vec::new(), Vec::new(), Vec::new());
    for shared in plane.chunks_exact(width * rows) {
        // The same row twice, if there is only one.
        let (upper, lower) = (shared.iter().take(width), shared.iter().skip(shared.len() - width));
        row.clear();
        row.extend(upper.zip(lower).map(|(&upper, &lower)| upper.into() + lower.into()));
        let (pairs, _) = row.as_chunks::<2>();
        let (Some(&first), Some(&last)) = (row.first(), row.last()) else { return };
        even.clear();
        even.extend(pairs.iter().map(|[left, _]| *left));
        // The first and the last column stand for those beyond.
        odd.clear();
        odd.extend([first; 2]);
        odd.extend(pairs.iter().map(|[_, right]| *right));
        odd.push(last);
        on_left_columns(&even, &odd, largest, kept);
    }
}

/// Filters the sums of two rows to the samples on each left column of two. `odd` begins with the two
/// columns before the first of `even`.
fn on_left_columns<T: Default + TryFrom<i32>>(
    even: &[i32],
    odd: &[i32],
    largest: i32,
    kept: &mut Vec<T>,
) {
    let from = |index: usize| odd.get(index..).unwrap_or_default();
    let (near, far) = (from(1).iter().zip(from(2)), from(0).iter().zip(from(3)));
    let [at, of_near, of_far] = COLUMNS;
    kept.extend(even.iter().zip(near).zip(far).map(|((&even, near), far)| {
        let sum = at * even + of_near * (near.0 + near.1) + of_far * (far.0 + far.1);
        let rounded = (sum + (1 << (SHIFT - 1))) >> SHIFT;
        T::try_from(rounded.clamp(0, largest)).unwrap_or_default()
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subsampled<T>(plane: &[T], width: usize, rows: usize, largest: i32) -> Vec<T>
    where
        T: Copy + Default + Into<i32> + TryFrom<i32>,
    {
        let mut kept = Vec::new();
        subsample(plane, width, rows, largest, &mut kept);
        kept
    }

    fn plane(width: u8, height: u8, value: impl Fn(u8, u8) -> u8) -> Vec<u8> {
        (0..height)
            .flat_map(|y| (0..width).map(move |x| (x, y)))
            .map(|(x, y)| value(x, y))
            .collect()
    }

    #[test]
    fn an_even_colour_stays_as_it_is() {
        for value in 0..=255 {
            let plane = plane(6, 4, |_, _| value);
            assert_eq!(subsampled(&plane, 6, 2, 255), [value; 6]);
            assert_eq!(subsampled(&plane, 6, 1, 255), [value; 12]);
        }
    }

    #[test]
    fn a_sample_lies_on_the_left_column_and_between_the_rows() {
        let ramp = |x, y| 10 * x + 4 * y;
        let kept = subsampled(&plane(16, 16, ramp), 16, 2, 255);
        // Further from the edges than the filter reaches.
        for (column, row) in [(2, 2), (5, 3), (5, 5)] {
            let sample = kept[usize::from(8 * row + column)];
            assert_eq!(sample, ramp(2 * column, 2 * row) + 2, "{column} {row}");
        }
        let kept = subsampled(&plane(16, 16, ramp), 16, 1, 255);
        assert_eq!(kept[8 * 7 + 3], ramp(6, 7));
    }

    #[test]
    fn a_pattern_of_single_pixels_becomes_even() {
        let columns = subsampled(&plane(16, 16, |x, _| x % 2 * 200), 16, 2, 255);
        let rows = subsampled(&plane(16, 16, |_, y| y % 2 * 200), 16, 2, 255);
        for kept in [columns, rows] {
            // Further from the edges than the filter reaches.
            let inside = kept.chunks(8).skip(2).take(4).flat_map(|row| &row[2..6]);
            assert!(inside.clone().all(|sample| sample.abs_diff(100) <= 1), "{kept:?}");
            assert_eq!(inside.count(), 16);
        }
    }

    #[test]
    fn an_edge_stays_within_the_range_of_samples() {
        for largest in [255, 1023] {
            let step: Vec<_> = (0..256).map(|at| if at % 16 < 8 { 0 } else { largest }).collect();
            let kept = subsampled(&step, 16, 2, largest.into());
            assert!(kept.iter().all(|&sample: &u16| sample <= largest));
            assert!(kept.contains(&0) && kept.contains(&largest));
        }
    }

    #[test]
    fn the_smallest_frame_has_one_sample() {
        assert_eq!(subsampled(&[10u8, 30, 20, 40], 2, 2, 255).len(), 1);
        assert!(subsampled::<u8>(&[], 2, 2, 255).is_empty());
    }
}

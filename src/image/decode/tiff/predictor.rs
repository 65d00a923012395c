//! Undoes predictors: what compressed rows hold in place of samples.

use super::words::Word;

/// Replaces differences from the sample on the left by samples (TIFF 6.0, section 14). A pixel has
/// `stride` samples.
pub(super) fn undo_horizontal<T: Word>(row: &mut [T], stride: usize) {
    let mut before = vec![T::ZERO; stride];
    for pixel in row.chunks_exact_mut(stride) {
        for (sample, before) in pixel.iter_mut().zip(&mut before) {
            *sample = sample.plus(*before);
            *before = *sample;
        }
    }
}

/// Returns the big-endian bytes of floats of `size` bytes from a row that holds first the most
/// significant byte of each, then the next, ..., and of each the difference from the one `stride`
/// places on the left (Adobe Photoshop TIFF Technical Note 3).
pub(super) fn undo_float(row: &[u8], size: usize, stride: usize) -> Vec<u8> {
    let mut bytes = row.to_vec();
    undo_horizontal(&mut bytes, stride);
    let count = row.len() / size;
    let mut planes: Vec<_> = bytes.chunks_exact(count.max(1)).map(|plane| plane.iter()).collect();
    let mut sorted = Vec::with_capacity(row.len());
    for _ in 0..count {
        sorted.extend(planes.iter_mut().filter_map(Iterator::next));
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_summed_for_each_sample_of_a_pixel() {
        let mut row = [1_u8, 10, 255, 20, 5, 250];
        undo_horizontal(&mut row, 2);
        assert_eq!(row, [1, 10, 0, 30, 5, 24]);
        let mut row = [1_u16, 0xFFFF, 2];
        undo_horizontal(&mut row, 1);
        assert_eq!(row, [1, 0, 2]);
    }

    #[test]
    fn bytes_of_floats_are_put_together() {
        // Two floats of one sample: 0x01020304 and 0x11121314, by significance.
        let planes = [0x01, 0x11, 0x02, 0x12, 0x03, 0x13, 0x04, 0x14_u8];
        let mut before = 0;
        let differences = planes.map(|byte| {
            let difference = byte.wrapping_sub(before);
            before = byte;
            difference
        });
        let sorted = undo_float(&differences, 4, 1);
        assert_eq!(sorted, [0x01, 0x02, 0x03, 0x04, 0x11, 0x12, 0x13, 0x14]);
    }
}

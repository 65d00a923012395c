//! The values for a display, which are samples of 16 bits.

/// The largest sample.
pub(super) const WHITE: f32 = u16::MAX as f32;

/// The nearest sample.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
pub(super) fn rounded(sample: f32) -> u16 {
    (sample + 0.5) as u16
}

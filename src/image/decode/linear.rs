//! Rules for samples of linear light.

/// Returns `value` if it is finite, and whether it is. Infinity becomes `largest`, and what is no
/// number, or below all numbers, 0.
pub(super) fn finite(value: f32, largest: f32) -> (f32, bool) {
    match value {
        _ if value.is_finite() => (value, true),
        f32::INFINITY => (largest, false),
        _ => (0.0, false),
    }
}

/// The nearest finite value.
pub(super) fn bounded(value: f32) -> f32 {
    value.clamp(f32::MIN, f32::MAX)
}

/// Makes colours straight that are multiplied by `alpha`. Where it is 0, colours only shine, like a
/// flame, and stay as they are.
pub(super) fn straight(colours: [f32; 3], alpha: f32) -> [f32; 3] {
    if alpha > 0.0 { colours.map(|value| bounded(value / alpha)) } else { colours }
}

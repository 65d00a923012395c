//! Rectangles of pixels.

/// A rectangle of pixels in the plane of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) left: i32,
    pub(super) top: i32,
    pub(super) width: u32,
    pub(super) height: u32,
}

impl Window {
    /// The window between two corners, both included; `None` if it has no pixels.
    pub(super) fn between(left: i32, top: i32, right: i32, bottom: i32) -> Option<Self> {
        let width = u32::try_from(i64::from(right) - i64::from(left) + 1).ok()?;
        let height = u32::try_from(i64::from(bottom) - i64::from(top) + 1).ok()?;
        (width > 0 && height > 0).then_some(Self { left, top, width, height })
    }

    /// Where this window begins in `other`: columns and rows, negative if left of or above it.
    pub(super) fn offset_in(self, other: Self) -> (i64, i64) {
        (i64::from(self.left) - i64::from(other.left), i64::from(self.top) - i64::from(other.top))
    }
}

/// The pixels of a chunk, from the upper left corner of the data window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) left: u32,
    pub(super) top: u32,
    pub(super) width: u32,
    pub(super) height: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_includes_both_corners() {
        let window = Window::between(-1, 2, 3, 2).unwrap();
        assert_eq!((window.width, window.height), (5, 1));
        assert_eq!(Window::between(0, 0, -1, 0), None);
        assert_eq!(Window::between(0, 0, 0, -1), None);
        assert_eq!(Window::between(i32::MIN, 0, i32::MAX, 0), None);
    }

    #[test]
    fn a_window_begins_inside_or_outside_of_another() {
        let display = Window::between(-4, 10, 5, 19).unwrap();
        let data = Window::between(0, 0, 0, 0).unwrap();
        assert_eq!(data.offset_in(display), (4, -10));
        let far = Window::between(i32::MIN, i32::MAX, i32::MIN, i32::MAX).unwrap();
        assert_eq!(far.offset_in(display), (4 - (1 << 31), (1_i64 << 31) - 11));
    }
}

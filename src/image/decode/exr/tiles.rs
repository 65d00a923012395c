//! The tiles of an OpenEXR part, in the order of its table of offsets.

use super::window::Block;

/// A data window divided into tiles, possibly at several resolutions.
pub(super) struct Tiles {
    window: (u32, u32),
    /// Width and height of a tile.
    pub(super) tile: (u32, u32),
    mode: Mode,
    round_up: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    OneLevel,
    /// Each level has half the size of the one before.
    Mipmap,
    /// Width and height are halved independently.
    Ripmap,
}

/// The place of a tile in the image, as stored in its chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) column: u32,
    pub(super) row: u32,
    pub(super) level: (u32, u32),
}

impl Tiles {
    /// Returns `None` if such tiles are impossible. `mode` is the byte in the file, with the kind
    /// of levels in its lower half and the direction of rounding in its upper half.
    pub(super) fn new(window: (u32, u32), tile: (u32, u32), mode: u8) -> Option<Self> {
        let levels = match mode & 0x0F {
            0 => Mode::OneLevel,
            1 => Mode::Mipmap,
            2 => Mode::Ripmap,
            _ => return None,
        };
        let round_up = match mode >> 4 {
            0 => false,
            1 => true,
            _ => return None,
        };
        (tile.0 > 0 && tile.1 > 0).then_some(Self { window, tile, mode: levels, round_up })
    }

    pub(super) fn count(&self) -> u64 {
        self.levels().fold(0, |count, level| {
            let (across, down) = self.grid(level);
            count.saturating_add(u64::from(across) * u64::from(down))
        })
    }

    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        self.levels().flat_map(|level| {
            let (across, down) = self.grid(level);
            (0..down)
                .flat_map(move |row| (0..across).map(move |column| Place { column, row, level }))
        })
    }

    /// The pixels of a tile, from the upper left corner of its level. The tile must be one of
    /// [`places`](Self::places).
    pub(super) fn block(&self, place: Place) -> Block {
        let left = place.column.saturating_mul(self.tile.0);
        let top = place.row.saturating_mul(self.tile.1);
        let (width, height) = self.size(place.level);
        Block {
            left,
            top,
            width: width.saturating_sub(left).min(self.tile.0),
            height: height.saturating_sub(top).min(self.tile.1),
        }
    }

    fn levels(&self) -> impl Iterator<Item = (u32, u32)> {
        let (width, height) = self.window;
        let (across, down) = match self.mode {
            Mode::OneLevel => (1, 1),
            Mode::Mipmap => {
                let levels = self.halvings(width.max(height)) + 1;
                (levels, levels)
            }
            Mode::Ripmap => (self.halvings(width) + 1, self.halvings(height) + 1),
        };
        let ripmap = self.mode == Mode::Ripmap;
        (0..down)
            .flat_map(move |y| (0..across).filter(move |&x| ripmap || x == y).map(move |x| (x, y)))
    }

    /// Returns the number of tiles of a level across and down.
    fn grid(&self, level: (u32, u32)) -> (u32, u32) {
        let (width, height) = self.size(level);
        (width.div_ceil(self.tile.0), height.div_ceil(self.tile.1))
    }

    /// Returns the size of a level in pixels.
    fn size(&self, (x, y): (u32, u32)) -> (u32, u32) {
        (self.halved(self.window.0, x), self.halved(self.window.1, y))
    }

    /// Returns how many times `size` can be halved until it is 1.
    fn halvings(&self, size: u32) -> u32 {
        let whole = size.checked_ilog2().unwrap_or(0);
        let rest = self.round_up && !size.is_power_of_two();
        whole + u32::from(rest)
    }

    /// Halves `size` as many times as `times`, which is at most 32.
    fn halved(&self, size: u32, times: u32) -> u32 {
        let divisor = 1_u64 << times;
        let size = u64::from(size);
        let halved = if self.round_up { size.div_ceil(divisor) } else { size / divisor };
        // The quotient fits: the dividend was a `u32`.
        u32::try_from(halved).unwrap_or(u32::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_tiles_follows_from_mode_and_size() {
        const ONE: u8 = 0x00;
        const MIPMAP: u8 = 0x01;
        const RIPMAP: u8 = 0x02;
        const ROUND_UP: u8 = 0x10;
        for (window, tile, mode, count) in [
            ((1, 1), (1, 1), ONE, 1),
            ((33, 17), (16, 8), ONE, 3 * 3),
            ((33, 17), (64, 64), ONE, 1),
            // 33x17, 16x8, 8x4, 4x2, 2x1, 1x1
            ((33, 17), (16, 8), MIPMAP, 9 + 5),
            // 33x17, 17x9, 9x5, 5x3, 3x2, 2x1, 1x1
            ((33, 17), (16, 8), MIPMAP | ROUND_UP, 9 + 4 + 5),
            // Widths 4, 2, 1 with heights 2, 1.
            ((4, 2), (1, 1), RIPMAP, (4 + 2 + 1) * (2 + 1)),
            // Widths 5, 3, 2, 1 with heights 3, 2, 1.
            ((5, 3), (1, 1), RIPMAP | ROUND_UP, (5 + 3 + 2 + 1) * (3 + 2 + 1)),
            ((u32::MAX, u32::MAX), (u32::MAX, u32::MAX), RIPMAP, 32 * 32),
            ((u32::MAX, 1), (u32::MAX, 1), MIPMAP | ROUND_UP, 33),
        ] {
            let tiles = Tiles::new(window, tile, mode).unwrap();
            assert_eq!(tiles.count(), count, "{window:?} {tile:?} {mode:#x}");
            assert_eq!(tiles.places().count() as u64, count);
        }
    }

    #[test]
    fn the_last_tiles_end_where_their_level_does() {
        let tiles = Tiles::new((33, 17), (16, 8), 0x01).unwrap();
        let block = |column, row, level| {
            let Block { left, top, width, height } = tiles.block(Place { column, row, level });
            (left, top, width, height)
        };
        assert_eq!(block(0, 0, (0, 0)), (0, 0, 16, 8));
        assert_eq!(block(2, 2, (0, 0)), (32, 16, 1, 1));
        assert_eq!(block(0, 0, (1, 1)), (0, 0, 16, 8));
        assert_eq!(block(0, 0, (2, 2)), (0, 0, 8, 4));
    }

    #[test]
    fn more_tiles_than_can_be_counted_are_still_a_number() {
        let tiles = Tiles::new((u32::MAX, u32::MAX), (1, 1), 0x12).unwrap();
        assert_eq!(tiles.count(), u64::MAX);
    }

    #[test]
    fn tiles_go_across_then_down_then_to_the_next_level() {
        let tiles = Tiles::new((2, 2), (1, 1), 0x02).unwrap();
        let places: Vec<_> =
            tiles.places().map(|place| (place.column, place.row, place.level)).collect();
        assert_eq!(
            places,
            [
                (0, 0, (0, 0)),
                (1, 0, (0, 0)),
                (0, 1, (0, 0)),
                (1, 1, (0, 0)),
                (0, 0, (1, 0)),
                (0, 1, (1, 0)),
                (0, 0, (0, 1)),
                (1, 0, (0, 1)),
                (0, 0, (1, 1)),
            ]
        );
    }
}

//! Numbers as they are stored in rows.

use super::directory::Order;

/// An unsigned number of some bytes.
pub(super) trait Word: Copy {
    const ZERO: Self;

    /// The sum, without what does not fit.
    fn plus(self, other: Self) -> Self;

    /// The numbers in a row.
    fn read(row: &[u8], order: Order) -> Vec<Self>;
}

macro_rules! word {
    ($word:ty) => {
        impl Word for $word {
            const ZERO: Self = 0;

            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }

            fn read(row: &[u8], order: Order) -> Vec<Self> {
                let (words, _) = row.as_chunks();
                let from = match order {
                    Order::Little => Self::from_le_bytes,
                    Order::Big => Self::from_be_bytes,
                };
                words.iter().map(|&word| from(word)).collect()
            }
        }
    };
}

word!(u8);
word!(u16);
word!(u32);
word!(u64);

/// Numbers of 1, 2, 4 or 8 bits, the first in the highest bits of a byte.
pub(super) fn bits(row: &[u8], bits: u32) -> Vec<u8> {
    if bits >= u8::BITS {
        return row.to_vec();
    }
    let mask = !(u8::MAX << bits);
    let shifts = (0..u8::BITS / bits).rev().map(|index| index * bits);
    row.iter().flat_map(|byte| shifts.clone().map(move |shift| byte >> shift & mask)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_hold_several_numbers() {
        let row = [0b1011_0001];
        assert_eq!(bits(&row, 1), [1, 0, 1, 1, 0, 0, 0, 1]);
        assert_eq!(bits(&row, 2), [0b10, 0b11, 0b00, 0b01]);
        assert_eq!(bits(&row, 4), [0b1011, 0b0001]);
        assert_eq!(bits(&row, 8), row);
    }
}

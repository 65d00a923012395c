//! Huffman codes, and the bits that they are read from (ITU-T T.81, annex C and F.2.2).

/// Codes of 1 to 16 bits, each with a value of one byte.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// For each length of codes, from 1 bit on.
    lengths: [Length; 16],
    values: Vec<u8>,
}

/// The codes of one length, which are consecutive numbers.
#[derive(Clone, Copy, Debug, Default)]
struct Length {
    /// The first 16 bits that begin with no code of this length or a shorter one.
    end: u32,
    /// The first code.
    first_code: u32,
    /// The index of its value.
    first_value: usize,
}

impl Table {
    /// The table with so many codes of each length, for these values. Returns `None` if there are
    /// more codes than bits can tell apart, or fewer values than codes.
    pub(super) fn new(counts: &[u8; 16], values: &[u8]) -> Option<Self> {
        let mut lengths = [Length::default(); 16];
        let (mut code, mut value) = (0_u32, 0_usize);
        for ((place, &count), bits) in lengths.iter_mut().zip(counts).zip(1..) {
            *place = Length { end: 0, first_code: code, first_value: value };
            code += u32::from(count);
            value += usize::from(count);
            if code > 1 << bits {
                return None;
            }
            place.end = code << (16 - bits);
            code <<= 1;
        }
        (value <= values.len()).then(|| Self { lengths, values: values.to_vec() })
    }
}

/// Why the bits cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// They end.
    End,
    /// They are no code, or one that cannot be here.
    Code,
}

/// Reads bits from the entropy-coded data of a JPEG file, up to the next marker.
pub(super) struct Bits<'a> {
    file: &'a [u8],
    /// The offset of the first byte that is not in the buffer.
    at: usize,
    /// The next bits, from the highest on. The others are 0.
    buffer: u64,
    /// The number of bits in the buffer.
    count: u32,
}

impl<'a> Bits<'a> {
    /// The bits from the byte at `at` on.
    pub(super) fn new(file: &'a [u8], at: usize) -> Self {
        Self { file, at, buffer: 0, count: 0 }
    }

    /// The value of the code that comes next.
    pub(super) fn code(&mut self, table: &Table) -> Result<u8, Flaw> {
        self.fill();
        let next = u32::try_from(self.buffer >> 48).unwrap_or_default();
        for (length, bits) in table.lengths.iter().zip(1..) {
            if next < length.end {
                self.skip(bits)?;
                let nth = (next >> (16 - bits)) - length.first_code;
                let value = table.values.get(length.first_value + nth as usize);
                return value.copied().ok_or(Flaw::Code);
            }
        }
        Err(if self.count < 16 { Flaw::End } else { Flaw::Code })
    }

    /// The next `count` bits as a number; at most 16.
    pub(super) fn number(&mut self, count: u8) -> Result<u32, Flaw> {
        if count == 0 {
            return Ok(0);
        }
        self.fill();
        let number = u32::try_from(self.buffer >> (64 - u32::from(count))).unwrap_or_default();
        self.skip(count.into())?;
        Ok(number)
    }

    /// Skips the rest of a byte. Returns the offset of the marker that has to follow, or of the end
    /// of the file; `None` if there are more bits.
    pub(super) fn end(mut self) -> Option<usize> {
        self.fill();
        (self.count < 8).then_some(self.at)
    }

    /// The offset of the next byte or of one shortly after it.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    fn skip(&mut self, count: u32) -> Result<(), Flaw> {
        self.count = self.count.checked_sub(count).ok_or(Flaw::End)?;
        self.buffer <<= count;
        Ok(())
    }

    fn fill(&mut self) {
        while self.count <= 56 {
            let byte = match self.file.get(self.at..) {
                // A data byte of FF is followed by 00, a marker is not.
                Some([0xFF, 0x00, ..]) => {
                    self.at += 1;
                    0xFF
                }
                Some([0xFF, ..] | []) | None => return,
                Some(&[byte, ..]) => byte,
            };
            self.at += 1;
            self.buffer |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `0` → 7, `10` → 8, `110` → 9; `111` is no code.
    fn table() -> Table {
        let mut counts = [0; 16];
        counts[..3].fill(1);
        Table::new(&counts, &[7, 8, 9]).unwrap()
    }

    #[test]
    fn codes_are_read_up_to_the_marker() {
        // 0 10 110 01, then a marker.
        let file = [0b0101_1001, 0xFF, 0xD9];
        let mut bits = Bits::new(&file, 0);
        for value in [7, 8, 9, 7] {
            assert_eq!(bits.code(&table()), Ok(value));
        }
        assert_eq!(bits.code(&table()), Err(Flaw::End));
        assert_eq!(bits.end(), Some(1));
    }

    #[test]
    fn bits_that_are_no_code_are_noticed() {
        let file = [0b1110_0000, 0, 0];
        assert_eq!(Bits::new(&file, 0).code(&table()), Err(Flaw::Code));
    }

    #[test]
    fn a_byte_of_ff_is_data_when_0_follows() {
        let file = [0xFF, 0x00, 0xA0, 0xFF, 0xD0];
        let mut bits = Bits::new(&file, 0);
        assert_eq!(bits.number(12), Ok(0xFFA));
        assert_eq!(bits.number(0), Ok(0));
        assert_eq!(bits.number(5), Err(Flaw::End));
        assert_eq!(bits.end(), Some(3));
    }

    #[test]
    fn data_after_the_last_bits_is_noticed() {
        let mut bits = Bits::new(&[0x12, 0x34], 0);
        assert_eq!(bits.number(8), Ok(0x12));
        assert_eq!(bits.end(), None);
    }

    #[test]
    fn a_table_has_no_more_codes_than_bits_can_tell_apart() {
        let mut counts = [0; 16];
        counts[0] = 3;
        assert!(Table::new(&counts, &[1, 2, 3]).is_none());
        counts[0] = 2;
        assert!(Table::new(&counts, &[1]).is_none());
        assert!(Table::new(&counts, &[1, 2]).is_some());
    }
}

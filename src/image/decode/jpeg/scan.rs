//! The entropy-coded data of a scan: reads every code, without the values, and checks that the data
//! holds every block and ends after the last one (ITU-T T.81, annex F for sequential and annex G for
//! progressive images).
//!
//! Decoders fill up missing data with zeros, and so paint grey. After a changed bit, the codes are
//! out of step. They end too early or too late, unless they find back in step by chance.

use super::frame::{Component, Frame};
use super::huffman::{Bits, Flaw, Table};
use crate::image::Damage;

/// Coefficients 1 to 63 are those that are not the average of a block.
const LAST: u8 = 63;

/// The largest categories of the average and of other coefficients in 8-bit images (T.81, tables
/// F.1 and F.2).
const LARGEST_DC: u8 = 11;
const LARGEST_AC: u8 = 10;

/// The header of a scan.
pub(super) struct Scan<'a> {
    /// The components, each with its tables.
    pub(super) components: Vec<Part<'a>>,
    /// The coefficients that the scan holds.
    pub(super) first: u8,
    pub(super) last: u8,
    /// Whether it holds only one more bit of coefficients that came before.
    pub(super) refines: bool,
}

/// One component of a scan.
pub(super) struct Part<'a> {
    /// The index of the component in the frame.
    pub(super) index: usize,
    pub(super) dc: Option<&'a Table>,
    pub(super) ac: Option<&'a Table>,
}

/// Checks the data of `scan`, which begins at `at`, with a restart marker after every `interval`
/// units, or none if that is 0. Returns the offset of the marker after the data.
pub(super) fn check(
    file: &[u8],
    at: usize,
    frame: &mut Frame,
    scan: &Scan,
    interval: usize,
) -> Result<usize, Damage> {
    let (columns, rows) = match scan.components.as_slice() {
        [part] => frame.blocks(part.index),
        _ => frame.units(),
    };
    let mut reader = Reader { file, bits: Bits::new(file, at), run: 0 };
    let mut restarts = (0xD0..=0xD7_u8).cycle();
    let mut unit = 0;
    for row in 0..rows {
        for column in 0..columns {
            if interval > 0 && unit == interval {
                reader.restart(restarts.next())?;
                unit = 0;
            }
            unit += 1;
            for part in &scan.components {
                let alone = scan.components.len() == 1;
                let Some(component) = frame.components.get_mut(part.index) else { continue };
                let (across, down) = if alone { (1, 1) } else { component.sampling };
                for y in row * down..(row + 1) * down {
                    for x in column * across..(column + 1) * across {
                        let block = if frame.progressive {
                            reader.progressive(scan, part, component, (x, y))
                        } else {
                            reader.sequential(part)
                        };
                        block.map_err(|flaw| reader.damage(flaw))?;
                    }
                }
            }
        }
    }
    reader.finish()
}

struct Reader<'a> {
    file: &'a [u8],
    bits: Bits<'a>,
    /// The number of blocks that follow with only zeros.
    run: u32,
}

impl Reader<'_> {
    fn damage(&self, flaw: Flaw) -> Damage {
        let offset = self.bits.position();
        match flaw {
            // The last byte may be half a marker.
            Flaw::End if offset + 1 >= self.file.len() => {
                Damage::truncated(self.file, "the image data")
            }
            Flaw::End => corrupt("the image data ends before the image does", offset),
            Flaw::Code => corrupt("the image data makes no sense", offset),
        }
    }

    /// Ends the data. Returns the offset of the marker after it.
    fn finish(self) -> Result<usize, Damage> {
        let position = self.bits.position();
        match self.bits.end() {
            Some(at) if self.run == 0 => Ok(at),
            _ => Err(corrupt("the image data goes on after the end of the image", position)),
        }
    }

    /// Ends the data before a restart marker, and begins after it.
    fn restart(&mut self, marker: Option<u8>) -> Result<(), Damage> {
        let file = self.file;
        let bits = std::mem::replace(&mut self.bits, Bits::new(file, 0));
        let run = std::mem::take(&mut self.run);
        let mut at = Reader { file, bits, run }.finish()?;
        let wrong = corrupt("a restart marker is missing", at);
        // Any number of fill bytes of FF can come before a marker.
        while let Some([0xFF, 0xFF, ..]) = file.get(at..) {
            at += 1;
        }
        match file.get(at..) {
            Some(&[0xFF, found, ..]) if Some(found) == marker => {
                self.bits = Bits::new(file, at + 2);
                Ok(())
            }
            Some([] | [_]) | None => Err(Damage::truncated(file, "the image data")),
            _ => Err(wrong),
        }
    }

    /// Reads a block of a sequential image.
    fn sequential(&mut self, part: &Part) -> Result<(), Flaw> {
        let (dc, ac) = (part.dc.ok_or(Flaw::Code)?, part.ac.ok_or(Flaw::Code)?);
        self.average(dc)?;
        let mut next = 1;
        while next <= LAST {
            let (zeros, category) = self.pair(ac)?;
            match (zeros, category) {
                (15, 0) => next += 16,
                (_, 0) => return Ok(()),
                _ => {
                    next += zeros + 1;
                    self.bits.number(category)?;
                }
            }
        }
        if next == LAST + 1 { Ok(()) } else { Err(Flaw::Code) }
    }

    /// Reads the difference of an average.
    fn average(&mut self, dc: &Table) -> Result<(), Flaw> {
        let category = self.bits.code(dc)?;
        if category > LARGEST_DC {
            return Err(Flaw::Code);
        }
        self.bits.number(category).map(drop)
    }

    /// Reads how many zeros come before a coefficient, and its category.
    fn pair(&mut self, ac: &Table) -> Result<(u8, u8), Flaw> {
        let pair = self.bits.code(ac)?;
        let (zeros, category) = (pair >> 4, pair & 15);
        if category > LARGEST_AC { Err(Flaw::Code) } else { Ok((zeros, category)) }
    }

    /// Reads a block's part of a progressive scan.
    fn progressive(
        &mut self,
        scan: &Scan,
        part: &Part,
        component: &mut Component,
        place: (usize, usize),
    ) -> Result<(), Flaw> {
        match (scan.first, scan.refines) {
            (0, false) => self.average(part.dc.ok_or(Flaw::Code)?),
            (0, true) => self.bits.number(1).map(drop),
            (_, refines) => {
                let ac = part.ac.ok_or(Flaw::Code)?;
                let nonzero = component.nonzero(place).ok_or(Flaw::Code)?;
                if refines {
                    self.refinement(scan, ac, nonzero)
                } else {
                    self.first_bits(scan, ac, nonzero)
                }
            }
        }
    }

    /// Reads the first bits of coefficients (T.81, G.1.2.2).
    fn first_bits(&mut self, scan: &Scan, ac: &Table, nonzero: &mut u64) -> Result<(), Flaw> {
        if self.run > 0 {
            self.run -= 1;
            return Ok(());
        }
        let mut next = scan.first;
        while next <= scan.last {
            let (zeros, category) = self.pair(ac)?;
            match (zeros, category) {
                (15, 0) => next += 16,
                (_, 0) => {
                    self.run = self.run_length(zeros)? - 1;
                    return Ok(());
                }
                _ => {
                    next += zeros;
                    self.bits.number(category)?;
                    *nonzero |= 1_u64.checked_shl(next.into()).ok_or(Flaw::Code)?;
                    next += 1;
                }
            }
        }
        if next == scan.last + 1 { Ok(()) } else { Err(Flaw::Code) }
    }

    /// Reads one more bit of coefficients (T.81, G.1.2.3).
    fn refinement(&mut self, scan: &Scan, ac: &Table, nonzero: &mut u64) -> Result<(), Flaw> {
        let before = *nonzero;
        let had = |coefficient: u8| before >> coefficient & 1 == 1;
        let mut next = scan.first;
        while self.run == 0 && next <= scan.last {
            let (mut zeros, category) = self.pair(ac)?;
            match category {
                0 if zeros < 15 => {
                    self.run = self.run_length(zeros)?;
                    break;
                }
                0 => {}
                1 => drop(self.bits.number(1)?),
                _ => return Err(Flaw::Code),
            }
            while next <= scan.last && (had(next) || zeros > 0) {
                if had(next) {
                    self.bits.number(1)?;
                } else {
                    zeros -= 1;
                }
                next += 1;
            }
            if next > scan.last {
                return Err(Flaw::Code);
            }
            if category == 1 {
                *nonzero |= 1 << next;
            }
            next += 1;
        }
        if self.run > 0 {
            for _ in (next..=scan.last).filter(|&coefficient| had(coefficient)) {
                self.bits.number(1)?;
            }
            self.run -= 1;
        }
        Ok(())
    }

    /// The number of blocks in a run of zeros.
    fn run_length(&mut self, digits: u8) -> Result<u32, Flaw> {
        Ok((1 << digits) + self.bits.number(digits)?)
    }
}

fn corrupt(what: &'static str, offset: usize) -> Damage {
    Damage::Corrupt { what, offset: offset as u64 }
}

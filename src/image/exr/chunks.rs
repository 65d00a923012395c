//! The tables of chunk offsets and the chunks they point to.
//!
//! One table for each part follows the headers. It holds an eight-byte offset
//! for each chunk, in the order of rows or tiles, even if the chunks themselves
//! are in another order.
//!
//! In a file of several parts, the header of each part gives its number of
//! chunks. In a tiled part, the number follows from the size of the tiles.
//! Otherwise it depends on the compression, but the table itself reveals it:
//! the chunks begin where the table ends, so the lowest offset marks that end.

use std::io::{BufRead, Seek};

use super::header::{Header, Layout, Part};
use super::tiles::Place;
use crate::image::Damage;
use crate::image::reader::Source;

/// Number of offsets to read before visiting their chunks.
const BATCH: usize = 512;

const OFFSET: u64 = size_of::<u64>() as u64;
const TABLE: &str = "the table of chunks";
const CHUNK: &str = "a chunk";

const UNFINISHED: &str = "the table of chunks was never completed: writing stopped early";
const MISPLACED: &str = "a chunk does not hold what its place in the table says";

/// The table of offsets of one part.
struct Table<'a> {
    part: &'a Part,
    /// Number of the part in a multipart file, where each chunk begins with it.
    number: Option<u32>,
    start: u64,
    count: u64,
    /// Offset where the last table ends and the first chunk may begin.
    chunks: u64,
}

/// Checks the tables, which begin at the position of `source`, and all chunks.
pub(super) fn check<R: BufRead + Seek>(
    source: &mut Source<R>,
    header: &Header,
) -> Result<(), Damage> {
    let tables = source.position();
    let mut counts = Vec::new();
    for part in &header.parts {
        counts.push(count(source, part, header.multipart)?);
    }
    let total = counts.iter().copied().fold(0, u64::saturating_add);
    let length = total.saturating_mul(OFFSET);
    source.require(tables, length, TABLE)?;

    let mut start = tables;
    for ((number, part), count) in (0..).zip(&header.parts).zip(counts) {
        let table = Table {
            part,
            number: header.multipart.then_some(number),
            start,
            count,
            chunks: tables + length,
        };
        table.check(source)?;
        start += count * OFFSET;
    }
    Ok(())
}

/// Returns the number of chunks of a part. For a single part, `source` must be at its table.
fn count<R: BufRead + Seek>(
    source: &mut Source<R>,
    part: &Part,
    multipart: bool,
) -> Result<u64, Damage> {
    match (&part.layout, part.chunk_count) {
        (Layout::Tiles(tiles), given) => {
            let count = tiles.count();
            if given.is_some_and(|given| given != count) {
                return Err(Damage::Corrupt {
                    what: "the header tells a wrong number of chunks",
                    offset: source.position(),
                });
            }
            Ok(count)
        }
        (Layout::Rows { .. }, Some(given)) => Ok(given),
        (Layout::Rows { .. }, None) if multipart => Err(Damage::Corrupt {
            what: "the header does not tell the number of chunks",
            offset: source.position(),
        }),
        (Layout::Rows { .. }, None) => offsets_before_nearest_chunk(source),
    }
}

fn offsets_before_nearest_chunk<R: BufRead + Seek>(source: &mut Source<R>) -> Result<u64, Damage> {
    let mut nearest = u64::MAX;
    let mut count = 0;
    while source.position() < nearest {
        nearest = nearest.min(offset(source)?);
        count += 1;
    }
    Ok(count)
}

/// Reads the next entry of a table.
fn offset<R: BufRead + Seek>(source: &mut Source<R>) -> Result<u64, Damage> {
    let position = source.position();
    match u64::from_le_bytes(source.bytes(TABLE)?) {
        0 => Err(Damage::Corrupt { what: UNFINISHED, offset: position }),
        offset => Ok(offset),
    }
}

impl Table<'_> {
    fn check<R: BufRead + Seek>(&self, source: &mut Source<R>) -> Result<(), Damage> {
        match &self.part.layout {
            Layout::Rows { first, last } => {
                let mut rows = Rows::new(*first, *last);
                self.visit(source, |source| {
                    let row = i32::from_le_bytes(source.bytes(CHUNK)?);
                    Ok(rows.go_on_at(row.into()))
                })?;
                if rows.complete() {
                    Ok(())
                } else {
                    Err(Damage::Corrupt {
                        what: "the chunks do not cover the image",
                        offset: self.start,
                    })
                }
            }
            Layout::Tiles(tiles) => {
                let mut places = tiles.places();
                self.visit(source, |source| {
                    let [column, row, x, y] = [
                        u32::from_le_bytes(source.bytes(CHUNK)?),
                        u32::from_le_bytes(source.bytes(CHUNK)?),
                        u32::from_le_bytes(source.bytes(CHUNK)?),
                        u32::from_le_bytes(source.bytes(CHUNK)?),
                    ];
                    let level = (x, y);
                    Ok(places.next() == Some(Place { column, row, level }))
                })
            }
        }
    }

    /// Checks each chunk in the order of the table. `expected` reads the chunk's place in the
    /// image and returns whether it is the next one.
    fn visit<R: BufRead + Seek>(
        &self,
        source: &mut Source<R>,
        mut expected: impl FnMut(&mut Source<R>) -> Result<bool, Damage>,
    ) -> Result<(), Damage> {
        let mut offsets = [0; BATCH];
        for first in (0..self.count).step_by(BATCH) {
            source.seek(self.start + first * OFFSET, TABLE)?;
            let batch = first..self.count;
            for (entry, _) in offsets.iter_mut().zip(batch.clone()) {
                *entry = offset(source)?;
            }
            for (start, _) in offsets.into_iter().zip(batch) {
                let corrupt = |what| Damage::Corrupt { what, offset: start };
                if start < self.chunks {
                    return Err(corrupt("the table of chunks points into itself"));
                }
                source.seek(start, CHUNK)?;
                if let Some(number) = self.number
                    && u32::from_le_bytes(source.bytes(CHUNK)?) != number
                {
                    return Err(corrupt(MISPLACED));
                }
                if !expected(source)? {
                    return Err(corrupt(MISPLACED));
                }
                let size = self.data_size(source)?;
                if size == 0 {
                    return Err(corrupt("a chunk holds no pixels"));
                }
                source.require(source.position(), size, CHUNK)?;
            }
        }
        Ok(())
    }

    /// Reads the size of the pixel data that follows in a chunk.
    fn data_size<R: BufRead + Seek>(&self, source: &mut Source<R>) -> Result<u64, Damage> {
        if self.part.deep {
            // The sizes of the table of sample counts, of the samples, and of the samples when
            // unpacked.
            let counts = u64::from_le_bytes(source.bytes(CHUNK)?);
            let samples = u64::from_le_bytes(source.bytes(CHUNK)?);
            source.skip(OFFSET, CHUNK)?;
            return Ok(counts.saturating_add(samples));
        }
        // The file stores a signed size. A negative one becomes larger than any file, so the
        // chunk counts as truncated.
        let size = i32::from_le_bytes(source.bytes(CHUNK)?);
        Ok(u64::try_from(size).unwrap_or(u64::MAX))
    }
}

/// Follows chunks of rows down the image. All chunks have the same number of
/// rows, except the last, which may have fewer. The first two chunks determine
/// that number.
struct Rows {
    first: i64,
    last: i64,
    previous: Option<i64>,
    step: Option<i64>,
}

impl Rows {
    fn new(first: i32, last: i32) -> Self {
        Self { first: first.into(), last: last.into(), previous: None, step: None }
    }

    /// Advances to a chunk at `row` and returns whether it can begin there.
    fn go_on_at(&mut self, row: i64) -> bool {
        let fits = match self.previous.replace(row) {
            None => row == self.first,
            Some(previous) => row - previous == *self.step.get_or_insert(row - previous),
        };
        fits && row <= self.last && self.step.is_none_or(|step| step > 0)
    }

    /// Returns whether the chunks so far reach the last row.
    fn complete(&self) -> bool {
        match (self.previous, self.step) {
            (None, _) => false,
            // A single chunk holds all rows.
            (Some(_), None) => true,
            (Some(previous), Some(step)) => previous + step > self.last,
        }
    }
}

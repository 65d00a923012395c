//! The tables of chunk offsets and the chunks they point to.
//!
//! After all headers comes one table for each part, an eight-byte offset for
//! each chunk, in the order of rows or tiles whatever the order of the chunks
//! is. How many chunks a part has is in its header if there is more than one
//! part. It follows from the size of the tiles if there are tiles. Otherwise it
//! depends on the compression, but can be seen without knowing it: the chunks
//! begin where the table ends, so the nearest chunk is the end of the table.

use std::io::{BufRead, Seek};

use super::header::{Header, Layout, Part};
use super::tiles::Place;
use crate::image::Damage;
use crate::image::reader::Source;

/// How many offsets are read between two visits to their chunks.
const BATCH: usize = 512;

const OFFSET: u64 = size_of::<u64>() as u64;
const TABLE: &str = "the table of chunks";
const CHUNK: &str = "a chunk";

const UNFINISHED: &str = "the table of chunks was never completed: writing stopped early";
const MISPLACED: &str = "a chunk does not hold what its place in the table says";

/// One table of offsets.
struct Table<'a> {
    part: &'a Part,
    /// In a multipart file, each chunk begins with the number of its part.
    number: Option<u32>,
    start: u64,
    count: u64,
    /// Where the last table ends and the first chunk may begin.
    chunks: u64,
}

/// Checks the tables, which begin where `source` is, and all chunks.
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

/// How many chunks a part has. `source` is at its table if it is the only one.
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

/// The next entry of a table.
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

    /// Goes to each chunk in the order of the table. `expected` reads where
    /// the chunk belongs in the image and says whether that is its turn.
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
            // The table of sample counts, the samples, and their size when
            // unpacked.
            let counts = u64::from_le_bytes(source.bytes(CHUNK)?);
            let samples = u64::from_le_bytes(source.bytes(CHUNK)?);
            source.skip(OFFSET, CHUNK)?;
            return Ok(counts.saturating_add(samples));
        }
        // The size is signed in the file. A negative one is larger than any
        // file and will be missed at its end.
        let size = i32::from_le_bytes(source.bytes(CHUNK)?);
        Ok(u64::try_from(size).unwrap_or(u64::MAX))
    }
}

/// Follows chunks of rows down the image. All chunks have the same number of
/// rows but the last, which may have fewer; what that number is follows from
/// the first two.
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

    /// Whether the next chunk can begin at `row`.
    fn go_on_at(&mut self, row: i64) -> bool {
        let fits = match self.previous.replace(row) {
            None => row == self.first,
            Some(previous) => row - previous == *self.step.get_or_insert(row - previous),
        };
        fits && row <= self.last && self.step.is_none_or(|step| step > 0)
    }

    /// Whether the chunks so far reach the last row.
    fn complete(&self) -> bool {
        match (self.previous, self.step) {
            (None, _) => false,
            // One chunk is all there is, so it holds all rows.
            (Some(_), None) => true,
            (Some(previous), Some(step)) => previous + step > self.last,
        }
    }
}

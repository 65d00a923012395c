//! The tables of chunk offsets and the chunks they point to.
//!
//! One table for each part follows the headers. It holds an eight-byte offset for each chunk, in
//! the order of rows or tiles, even if the chunks themselves are in another order.

use exr::math::{RoundingMode, Vec2};
use exr::meta::BlockDescription;
use exr::meta::attribute::{
    ChannelDescription, IntegerBounds, LevelMode, LineOrder, Text, TileDescription,
};
use exr::meta::header::Header;
use exr::prelude::SmallVec;

use super::dwa;
use super::header::Headers;
use super::part::{Layout, Part};
use super::tiles::Place;
use super::window::Block;
use crate::image::decode::bytes::Bytes;
use crate::image::{Damage, MAX_DECODED};

const OFFSET: u64 = size_of::<u64>() as u64;
const TABLE: &str = "the table of chunks";
const CHUNK: &str = "a chunk";

const UNFINISHED: &str = "the table of chunks was never completed: writing stopped early";
const MISPLACED: &str = "a chunk does not hold what its place in the table says";

/// The place of a chunk, as stored in front of its pixels.
#[derive(PartialEq, Eq)]
enum At {
    Row(i32),
    Tile(Place),
}

/// Decompresses every chunk of every part, each once. Passes those at full size to `draw`, with the
/// number of their part: rows of pixels, in each the samples of each channel, in the byte order
/// of this machine.
pub(super) fn decode(
    file: &[u8],
    headers: &Headers,
    mut draw: impl FnMut(usize, Block, &[u8]),
) -> Result<(), Damage> {
    let total = headers.parts.iter().map(count).fold(0, u64::saturating_add);
    let length = total.saturating_mul(OFFSET);
    Bytes::at(file, headers.end).take(length, TABLE)?;

    let mut table = Bytes::at(file, headers.end);
    for (number, part) in headers.parts.iter().enumerate() {
        if part.chunk_count.is_some_and(|given| given != count(part)) {
            return Err(Damage::Corrupt {
                what: "the header tells a wrong number of chunks",
                offset: table.position(),
            });
        }
        let reader = Reader {
            file,
            part,
            number: headers.multipart.then_some(number),
            first: headers.end.saturating_add(length),
            decoder: decoder(part),
        };
        match &part.layout {
            Layout::Rows(rows) => {
                let height = part.data.height;
                let mut nearest = u64::MAX;
                for top in (0..height).step_by(usize::try_from(*rows).unwrap_or(usize::MAX)) {
                    let height = (*rows).min(height - top);
                    let block = Block { left: 0, top, width: part.data.width, height };
                    // The window ends at a row that fits, so this one does.
                    let at = At::Row(part.data.top.saturating_add_unsigned(top));
                    let (offset, pixels) = reader.chunk(&mut table, &at, block)?;
                    nearest = nearest.min(offset);
                    draw(number, block, &pixels);
                }
                // Only a longer table reveals that the file has more rows than the header says.
                if !headers.multipart && nearest != reader.first {
                    let offset = table.position();
                    return Err(Damage::Corrupt {
                        what: "the table of chunks is too long",
                        offset,
                    });
                }
            }
            Layout::Tiles(tiles) => {
                for place in tiles.places() {
                    let block = tiles.block(place);
                    let (_, pixels) = reader.chunk(&mut table, &At::Tile(place), block)?;
                    if place.level == (0, 0) {
                        draw(number, block, &pixels);
                    }
                }
            }
        }
    }
    Ok(())
}

/// The number of chunks of a part.
fn count(part: &Part) -> u64 {
    match &part.layout {
        Layout::Rows(rows) => part.data.height.div_ceil(*rows).into(),
        Layout::Tiles(tiles) => tiles.count(),
    }
}

/// Reads the chunks of one part.
struct Reader<'a> {
    file: &'a [u8],
    part: &'a Part,
    /// The number of the part in a file of several, where each chunk begins with it.
    number: Option<usize>,
    /// The lowest offset of a chunk.
    first: u64,
    decoder: Header,
}

impl Reader<'_> {
    /// Returns the offset and the pixels of the chunk that the next entry of `table` points to,
    /// which must be the one `at` this place.
    fn chunk(&self, table: &mut Bytes, at: &At, block: Block) -> Result<(u64, Vec<u8>), Damage> {
        let entry = table.position();
        let offset = u64::from_le_bytes(table.array(TABLE)?);
        let corrupt = |what| Damage::Corrupt { what, offset };
        if offset == 0 {
            return Err(Damage::Corrupt { what: UNFINISHED, offset: entry });
        }
        if offset < self.first {
            return Err(corrupt("the table of chunks points into itself"));
        }
        let mut bytes = Bytes::at(self.file, offset);
        if let Some(number) = self.number
            && usize::try_from(u32::from_le_bytes(bytes.array(CHUNK)?)) != Ok(number)
        {
            return Err(corrupt(MISPLACED));
        }
        if place(&mut bytes, at)? != *at {
            return Err(corrupt(MISPLACED));
        }
        // The file stores a signed size. A negative one becomes larger than any file.
        let size = i32::from_le_bytes(bytes.array(CHUNK)?);
        let packed = bytes.take(u64::try_from(size).unwrap_or(u64::MAX), CHUNK)?;
        if packed.is_empty() {
            return Err(corrupt("a chunk holds no pixels"));
        }
        let area = u64::from(block.width) * u64::from(block.height);
        if area.saturating_mul(self.part.pixel_width() as u64) > MAX_DECODED {
            return Err(corrupt("a chunk is too large"));
        }
        if !dwa::has_possible_sizes(self.part, block, packed) {
            return Err(corrupt("the sizes in a compressed chunk are impossible"));
        }
        let pixels = self.part.compression.decompress_image_section_from_le(
            &self.decoder,
            packed.to_vec(),
            bounds(block),
            true,
        );
        let pixels = pixels.map_err(|_| corrupt("the compressed pixels of a chunk are damaged"))?;
        Ok((offset, pixels))
    }
}

/// Reads the place of a chunk of the same kind as `expected`.
fn place(bytes: &mut Bytes, expected: &At) -> Result<At, Damage> {
    Ok(match expected {
        At::Row(_) => At::Row(i32::from_le_bytes(bytes.array(CHUNK)?)),
        At::Tile(_) => At::Tile(Place {
            column: u32::from_le_bytes(bytes.array(CHUNK)?),
            row: u32::from_le_bytes(bytes.array(CHUNK)?),
            level: (
                u32::from_le_bytes(bytes.array(CHUNK)?),
                u32::from_le_bytes(bytes.array(CHUNK)?),
            ),
        }),
    })
}

/// The header as the crate `exr` needs it to decompress chunks.
fn decoder(part: &Part) -> Header {
    let channels: SmallVec<[ChannelDescription; 5]> = part
        .channels
        .iter()
        .map(|channel| ChannelDescription {
            name: Text::from_slice_unchecked(channel.name.as_bytes()),
            sample_type: channel.kind,
            quantize_linearly: channel.linear,
            sampling: Vec2(1, 1),
        })
        .collect();
    let blocks = match &part.layout {
        Layout::Rows(_) => BlockDescription::ScanLines,
        Layout::Tiles(tiles) => BlockDescription::Tiles(TileDescription {
            tile_size: Vec2(tiles.tile.0 as usize, tiles.tile.1 as usize),
            // Levels are told apart here.
            level_mode: LevelMode::Singular,
            rounding_mode: RoundingMode::Down,
        }),
    };
    let size = Vec2(part.data.width as usize, part.data.height as usize);
    Header::new(Text::from_slice_unchecked(b""), size, channels).with_encoding(
        part.compression,
        blocks,
        LineOrder::Unspecified,
    )
}

fn bounds(block: Block) -> IntegerBounds {
    // Sides of at most `MAX_SIDE` fit.
    let fit = |side: u32| i32::try_from(side).unwrap_or(i32::MAX);
    IntegerBounds::new(
        Vec2(fit(block.left), fit(block.top)),
        Vec2(block.width as usize, block.height as usize),
    )
}

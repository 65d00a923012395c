//! The strips or tiles of an image: rectangles of pixels, each compressed for itself.

use super::canvas::{Canvas, Place};
use super::decompress::Packed;
use super::directory::Directory;
use super::header::{Compression, Header};
use crate::image::decode::bytes::Bytes;
use crate::image::{Damage, MAX_DECODED, MAX_SIDE};

const STRIP_OFFSETS: u16 = 273;
const ROWS_PER_STRIP: u16 = 278;
const STRIP_SIZES: u16 = 279;
const TILE_WIDTH: u16 = 322;
const TILE_HEIGHT: u16 = 323;
const TILE_OFFSETS: u16 = 324;
const TILE_SIZES: u16 = 325;
const JPEG_TABLES: u16 = 347;

const CHUNK: &str = "a strip or tile";

/// How strips or tiles divide the image.
struct Grid {
    /// Columns and rows of one that is whole.
    width: u32,
    height: u32,
    /// Whether the last ones, too, have these rows, of which some are below the image.
    padded: bool,
    /// Where they are in the file, plane by plane, row by row.
    offsets: Vec<u64>,
    sizes: Vec<u64>,
}

/// Decompresses every strip or tile, and returns the samples of the image.
pub(super) fn decode(
    file: &[u8],
    directory: &Directory,
    header: &Header,
) -> Result<Canvas, Damage> {
    let grid = Grid::read(directory, header)?;
    let mut canvas = Canvas::new(header);
    let mut located = grid.offsets.iter().zip(&grid.sizes);
    let planes = if header.planar { header.samples } else { 1 };
    let jpeg_tables = directory.bytes(JPEG_TABLES);
    for plane in (0..planes).map(usize::from) {
        for top in (0..header.height).step_by(grid.height as usize) {
            for left in (0..header.width).step_by(grid.width as usize) {
                let (&offset, &size) = located.next().ok_or(Damage::Corrupt {
                    what: "the image has fewer strips or tiles than its size asks for",
                    offset: directory.offset,
                })?;
                if offset == 0 || size == 0 {
                    return Err(Damage::Corrupt {
                        what: "a strip or tile was never written",
                        offset: directory.offset,
                    });
                }
                let data = Bytes::at(file, offset).take(size, CHUNK)?;
                let corrupt = |what| Damage::Corrupt { what, offset };
                let rows = if grid.padded { grid.height } else { header.height - top };
                let height = grid.height.min(rows);
                let (stride, size) = rows_size(header, (grid.width, height))
                    .ok_or_else(|| corrupt("a strip or tile is too large"))?;
                let packed = Packed { header, data, jpeg_tables, width: grid.width, height, size };
                let rows = packed.unpack()?.ok_or_else(|| {
                    corrupt(match header.compression {
                        Compression::None => "a strip or tile is too short",
                        _ => "the compressed pixels of a strip or tile are damaged",
                    })
                })?;
                if plane < header.kept() {
                    let plane = header.planar.then_some(plane);
                    canvas.draw(header, &Place { left, top, plane, stride }, &rows);
                }
            }
        }
    }
    Ok(canvas)
}

/// The length of a row and of all rows in a strip or tile of this width and height, in bytes; `None`
/// if it is larger than a picture can be.
fn rows_size(header: &Header, (width, height): (u32, u32)) -> Option<(usize, usize)> {
    let stored = if header.planar { 1 } else { header.samples };
    let bits = u64::from(width) * u64::from(stored) * u64::from(header.bits);
    let stride = bits.div_ceil(8);
    let size = stride.saturating_mul(height.into());
    let possible = size <= MAX_DECODED;
    possible.then_some((usize::try_from(stride).ok()?, usize::try_from(size).ok()?))
}

impl Grid {
    fn read(directory: &Directory, header: &Header) -> Result<Self, Damage> {
        let corrupt = |what| Damage::Corrupt { what, offset: directory.offset };
        let side = |number: u64| u32::try_from(number).ok().filter(|side| *side > 0);
        let none = || corrupt("the image has no strips or tiles");
        if let Some(offsets) = directory.numbers(TILE_OFFSETS)? {
            let width = directory.number(TILE_WIDTH)?.and_then(side);
            let height = directory.number(TILE_HEIGHT)?.and_then(side);
            let (Some(width @ ..=MAX_SIDE), Some(height @ ..=MAX_SIDE)) = (width, height) else {
                return Err(corrupt("the tiles have no size, or an impossible one"));
            };
            let sizes = directory.numbers(TILE_SIZES)?.ok_or_else(none)?;
            return Ok(Self { width, height, padded: true, offsets, sizes });
        }
        let rows = directory.number(ROWS_PER_STRIP)?.unwrap_or(header.height.into());
        let rows = rows.min(header.height.into());
        let height = side(rows).ok_or_else(|| corrupt("the strips have no rows"))?;
        let offsets = directory.numbers(STRIP_OFFSETS)?.ok_or_else(none)?;
        let sizes = directory.numbers(STRIP_SIZES)?.ok_or_else(none)?;
        Ok(Self { width: header.width, height, padded: false, offsets, sizes })
    }
}

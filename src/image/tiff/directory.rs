//! The first directory of a TIFF file and the numbers in its fields.

use std::io::{BufRead, Seek};

use crate::image::Damage;
use crate::image::reader::Source;

const HEADER: &str = "the header";
const DIRECTORY: &str = "the image directory";

/// The location and type of the numbers of a field.
#[derive(Clone, Copy)]
pub(super) struct Field {
    pub(super) count: u64,
    at: u64,
    kind: u16,
    encoding: Encoding,
}

/// The fields that locate the pixels. For other fields, the reader only checks that they lie in
/// the file.
pub(super) struct Directory {
    pub(super) offset: u64,
    pub(super) width: Option<Field>,
    pub(super) height: Option<Field>,
    pub(super) samples_per_pixel: Option<Field>,
    pub(super) planar_configuration: Option<Field>,
    pub(super) strip_offsets: Option<Field>,
    pub(super) strip_sizes: Option<Field>,
    pub(super) rows_per_strip: Option<Field>,
    pub(super) tile_width: Option<Field>,
    pub(super) tile_height: Option<Field>,
    pub(super) tile_offsets: Option<Field>,
    pub(super) tile_sizes: Option<Field>,
}

#[derive(Clone, Copy)]
struct Encoding {
    order: Order,
    /// Whether the file is BigTIFF, with offsets and counts twice as wide.
    big: bool,
}

#[derive(Clone, Copy)]
enum Order {
    Little,
    Big,
}

impl Directory {
    pub(super) fn read<R: BufRead + Seek>(source: &mut Source<R>) -> Result<Self, Damage> {
        let encoding = Encoding::read(source)?;
        let offset = encoding.word(source, HEADER)?;
        let mut directory = Self::empty(offset);

        source.seek(offset, DIRECTORY)?;
        let fields = if encoding.big {
            encoding.u64(source, DIRECTORY)?
        } else {
            encoding.u16(source, DIRECTORY)?.into()
        };
        for _ in 0..fields {
            let tag = encoding.u16(source, DIRECTORY)?;
            if let Some(field) = Field::read(source, encoding)? {
                directory.keep(tag, field);
            }
        }
        let next = encoding.word(source, DIRECTORY)?;
        source.require(next, 0, "the list of further images")?;
        Ok(directory)
    }

    fn empty(offset: u64) -> Self {
        Self {
            offset,
            width: None,
            height: None,
            samples_per_pixel: None,
            planar_configuration: None,
            strip_offsets: None,
            strip_sizes: None,
            rows_per_strip: None,
            tile_width: None,
            tile_height: None,
            tile_offsets: None,
            tile_sizes: None,
        }
    }

    fn keep(&mut self, tag: u16, field: Field) {
        let place = match tag {
            256 => &mut self.width,
            257 => &mut self.height,
            273 => &mut self.strip_offsets,
            277 => &mut self.samples_per_pixel,
            278 => &mut self.rows_per_strip,
            279 => &mut self.strip_sizes,
            284 => &mut self.planar_configuration,
            322 => &mut self.tile_width,
            323 => &mut self.tile_height,
            324 => &mut self.tile_offsets,
            325 => &mut self.tile_sizes,
            _ => return,
        };
        *place = Some(field);
    }
}

impl Field {
    /// Reads a field after its tag and checks that its values lie in the file.
    /// Skips a field of an unknown type, as TIFF 6.0 requires of readers.
    fn read<R: BufRead + Seek>(
        source: &mut Source<R>,
        encoding: Encoding,
    ) -> Result<Option<Self>, Damage> {
        let kind = encoding.u16(source, DIRECTORY)?;
        let count = encoding.word(source, DIRECTORY)?;
        // Values that fit into the offset are stored in its place.
        let place = source.position();
        let offset = encoding.word(source, DIRECTORY)?;
        let Some(width) = width(kind) else {
            return Ok(None);
        };
        let size = count.saturating_mul(width);
        let inline = size <= encoding.word_width();
        let at = if inline { place } else { offset };
        source.require(at, size, "a value of the image directory")?;
        Ok(Some(Self { count, at, kind, encoding }))
    }

    /// Reads the first number of this field.
    pub(super) fn first<R: BufRead + Seek>(self, source: &mut Source<R>) -> Result<u64, Damage> {
        if self.count == 0 {
            return Err(Damage::Corrupt {
                what: "a field of the image directory has no value",
                offset: self.at,
            });
        }
        self.seek(source, 0)?;
        self.read_next(source)
    }

    /// Moves `source` to the number at `index`, which must be less than `count`.
    pub(super) fn seek<R: BufRead + Seek>(
        self,
        source: &mut Source<R>,
        index: u64,
    ) -> Result<(), Damage> {
        let width = width(self.kind).unwrap_or(0);
        let at = self.at.saturating_add(index.saturating_mul(width));
        source.seek(at, DIRECTORY)
    }

    /// Reads the number at the position of `source`, which must be in this field.
    pub(super) fn read_next<R: BufRead + Seek>(
        self,
        source: &mut Source<R>,
    ) -> Result<u64, Damage> {
        match self.kind {
            SHORT => Ok(self.encoding.u16(source, DIRECTORY)?.into()),
            LONG => Ok(self.encoding.u32(source, DIRECTORY)?.into()),
            LONG8 => self.encoding.u64(source, DIRECTORY),
            _ => Err(Damage::Corrupt {
                what: "a field of the image directory is not a number",
                offset: self.at,
            }),
        }
    }
}

const SHORT: u16 = 3;
const LONG: u16 = 4;
const LONG8: u16 = 16;

/// Returns the size of a value of this type, in bytes.
fn width(kind: u16) -> Option<u64> {
    match kind {
        // BYTE, ASCII, SBYTE, UNDEFINED
        1 | 2 | 6 | 7 => Some(1),
        // SHORT, SSHORT
        SHORT | 8 => Some(2),
        // LONG, SLONG, FLOAT, IFD
        LONG | 9 | 11 | 13 => Some(4),
        // RATIONAL, SRATIONAL, DOUBLE, LONG8, SLONG8, IFD8
        5 | 10 | 12 | LONG8 | 17 | 18 => Some(8),
        _ => None,
    }
}

impl Encoding {
    /// Reads the header up to the offset of the first directory.
    fn read<R: BufRead + Seek>(source: &mut Source<R>) -> Result<Self, Damage> {
        let order = match source.bytes(HEADER)? {
            [b'M', b'M'] => Order::Big,
            _ => Order::Little,
        };
        let big = Self { order, big: false }.u16(source, HEADER)? == 43;
        let encoding = Self { order, big };
        if big {
            let width = encoding.u16(source, HEADER)?;
            let reserved = encoding.u16(source, HEADER)?;
            if (width, reserved) != (8, 0) {
                return Err(Damage::Corrupt {
                    what: "the BigTIFF header asks for offsets of another width",
                    offset: 4,
                });
            }
        }
        Ok(encoding)
    }

    fn word_width(self) -> u64 {
        if self.big { 8 } else { 4 }
    }

    /// Reads an offset or a count.
    fn word<R: BufRead + Seek>(
        self,
        source: &mut Source<R>,
        inside: &'static str,
    ) -> Result<u64, Damage> {
        if self.big { self.u64(source, inside) } else { self.u32(source, inside).map(u64::from) }
    }

    fn u16<R: BufRead + Seek>(
        self,
        source: &mut Source<R>,
        inside: &'static str,
    ) -> Result<u16, Damage> {
        let bytes = source.bytes(inside)?;
        Ok(match self.order {
            Order::Little => u16::from_le_bytes(bytes),
            Order::Big => u16::from_be_bytes(bytes),
        })
    }

    fn u32<R: BufRead + Seek>(
        self,
        source: &mut Source<R>,
        inside: &'static str,
    ) -> Result<u32, Damage> {
        let bytes = source.bytes(inside)?;
        Ok(match self.order {
            Order::Little => u32::from_le_bytes(bytes),
            Order::Big => u32::from_be_bytes(bytes),
        })
    }

    fn u64<R: BufRead + Seek>(
        self,
        source: &mut Source<R>,
        inside: &'static str,
    ) -> Result<u64, Damage> {
        let bytes = source.bytes(inside)?;
        Ok(match self.order {
            Order::Little => u64::from_le_bytes(bytes),
            Order::Big => u64::from_be_bytes(bytes),
        })
    }
}

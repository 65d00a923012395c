//! The first directory of a TIFF file and the values of its fields.

use std::collections::BTreeMap;

use crate::image::Damage;
use crate::image::decode::bytes::Bytes;

const HEADER: &str = "the header";
const DIRECTORY: &str = "the image directory";

/// TIFF 6.0, section 8: a set of bits that say what an image is to the others in the file.
const NEW_SUBFILE_TYPE: u16 = 254;
const REDUCED: u64 = 1;
const MASK: u64 = 4;

/// How many smaller versions and masks are looked at.
const MOST_SIDE_IMAGES: usize = 32;

/// A directory.
pub(super) struct Directory<'a> {
    file: &'a [u8],
    encoding: Encoding,
    /// The offset of the directory in the file.
    pub(super) offset: u64,
    /// The offset of the directory of the next image, or 0.
    next: u64,
    /// The fields by their tags.
    fields: BTreeMap<u16, Field>,
}

/// The location and type of the values of a field.
struct Field {
    count: u64,
    at: u64,
    kind: u16,
}

#[derive(Clone, Copy)]
struct Encoding {
    order: Order,
    /// Whether the file is BigTIFF, with offsets and counts twice as wide.
    big: bool,
}

/// The order of the bytes of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl<'a> Directory<'a> {
    pub(super) fn read(file: &'a [u8]) -> Result<Self, Damage> {
        let mut bytes = Bytes::at(file, 0);
        let encoding = Encoding::read(&mut bytes)?;
        let offset = encoding.word(&mut bytes, HEADER)?;
        let directory = Self::at(file, encoding, offset)?;
        // Further images follow in a list, which can be a circle. They are no part of the picture.
        Bytes::at(file, directory.next).take(0, "the list of further images")?;
        Ok(directory)
    }

    fn at(file: &'a [u8], encoding: Encoding, offset: u64) -> Result<Self, Damage> {
        let mut bytes = Bytes::at(file, offset);
        let count = if encoding.big {
            encoding.u64(&mut bytes, DIRECTORY)?
        } else {
            encoding.order.u16(bytes.array(DIRECTORY)?).into()
        };
        let mut fields = BTreeMap::new();
        for _ in 0..count {
            let tag = encoding.order.u16(bytes.array(DIRECTORY)?);
            if let Some(field) = Field::read(file, &mut bytes, encoding)? {
                fields.entry(tag).or_insert(field);
            }
        }
        let next = encoding.word(&mut bytes, DIRECTORY)?;
        Ok(Self { file, encoding, offset, next, fields })
    }

    /// Whether another image follows that is neither a smaller version of the first one nor a mask.
    pub(super) fn is_first_of_several(&self) -> bool {
        let mut next = self.next;
        for _ in 0..MOST_SIDE_IMAGES {
            let directory = (next > 0).then(|| Self::at(self.file, self.encoding, next));
            let Some(Ok(directory)) = directory else { return false };
            let kind = directory.number(NEW_SUBFILE_TYPE).ok().flatten().unwrap_or_default();
            if kind & (REDUCED | MASK) == 0 {
                return true;
            }
            next = directory.next;
        }
        false
    }

    /// The order of the bytes of the numbers in the file, also of its samples.
    pub(super) fn order(&self) -> Order {
        self.encoding.order
    }

    /// The numbers of the field with this tag; `None` if there is no such field.
    pub(super) fn numbers(&self, tag: u16) -> Result<Option<Vec<u64>>, Damage> {
        let Some(field) = self.fields.get(&tag) else { return Ok(None) };
        let mut bytes = Bytes::at(self.file, field.at);
        let order = self.encoding.order;
        let numbers = (0..field.count).map(|_| match field.kind {
            BYTE => bytes.array::<1>(DIRECTORY).map(|[byte]| byte.into()),
            SHORT => bytes.array(DIRECTORY).map(|value| order.u16(value).into()),
            LONG => bytes.array(DIRECTORY).map(|value| order.u32(value).into()),
            LONG8 => self.encoding.u64(&mut bytes, DIRECTORY),
            _ => Err(Damage::Corrupt {
                what: "a field of the image directory is not a number",
                offset: field.at,
            }),
        });
        numbers.collect::<Result<_, _>>().map(Some)
    }

    /// The first number of the field with this tag; `None` if there is no such field.
    pub(super) fn number(&self, tag: u16) -> Result<Option<u64>, Damage> {
        let Some(numbers) = self.numbers(tag)? else { return Ok(None) };
        numbers.first().copied().map(Some).ok_or(Damage::Corrupt {
            what: "a field of the image directory has no value",
            offset: self.offset,
        })
    }

    /// The fraction in the field with this tag: numerator and denominator.
    pub(super) fn fraction(&self, tag: u16) -> Option<(u32, u32)> {
        let field = self.fields.get(&tag).filter(|field| field.kind == RATIONAL)?;
        let mut bytes = Bytes::at(self.file, field.at);
        let mut number = || bytes.array(DIRECTORY).ok().map(|value| self.encoding.order.u32(value));
        number().zip(number())
    }

    /// The bytes of the field with this tag.
    pub(super) fn bytes(&self, tag: u16) -> Option<&'a [u8]> {
        let field = self.fields.get(&tag).filter(|field| width(field.kind) == Some(1))?;
        Bytes::at(self.file, field.at).take(field.count, DIRECTORY).ok()
    }
}

impl Field {
    /// Reads a field after its tag and checks that its values lie in the file. Skips a field of an
    /// unknown type, as TIFF 6.0 requires of readers.
    fn read(file: &[u8], bytes: &mut Bytes, encoding: Encoding) -> Result<Option<Self>, Damage> {
        let kind = encoding.order.u16(bytes.array(DIRECTORY)?);
        let count = encoding.word(bytes, DIRECTORY)?;
        // Values that fit into the offset are stored in its place.
        let place = bytes.position();
        let offset = encoding.word(bytes, DIRECTORY)?;
        let Some(width) = width(kind) else {
            return Ok(None);
        };
        let size = count.saturating_mul(width);
        let at = if size <= encoding.word_width() { place } else { offset };
        Bytes::at(file, at).take(size, "a value of the image directory")?;
        Ok(Some(Self { count, at, kind }))
    }
}

const BYTE: u16 = 1;
const SHORT: u16 = 3;
const LONG: u16 = 4;
const RATIONAL: u16 = 5;
const LONG8: u16 = 16;

/// Returns the size of a value of this type, in bytes.
fn width(kind: u16) -> Option<u64> {
    match kind {
        // BYTE, ASCII, SBYTE, UNDEFINED
        BYTE | 2 | 6 | 7 => Some(1),
        // SHORT, SSHORT
        SHORT | 8 => Some(2),
        // LONG, SLONG, FLOAT, IFD
        LONG | 9 | 11 | 13 => Some(4),
        // RATIONAL, SRATIONAL, DOUBLE, LONG8, SLONG8, IFD8
        RATIONAL | 10 | 12 | LONG8 | 17 | 18 => Some(8),
        _ => None,
    }
}

impl Encoding {
    /// Reads the header up to the offset of the first directory.
    fn read(bytes: &mut Bytes) -> Result<Self, Damage> {
        let order = match bytes.array(HEADER)? {
            [b'M', b'M'] => Order::Big,
            _ => Order::Little,
        };
        let big = order.u16(bytes.array(HEADER)?) == 43;
        if big {
            let width = order.u16(bytes.array(HEADER)?);
            let reserved = order.u16(bytes.array(HEADER)?);
            if (width, reserved) != (8, 0) {
                return Err(Damage::Corrupt {
                    what: "the BigTIFF header asks for offsets of another width",
                    offset: 4,
                });
            }
        }
        Ok(Self { order, big })
    }

    fn word_width(self) -> u64 {
        if self.big { 8 } else { 4 }
    }

    /// Reads an offset or a count.
    fn word(self, bytes: &mut Bytes, inside: &'static str) -> Result<u64, Damage> {
        if self.big {
            self.u64(bytes, inside)
        } else {
            bytes.array(inside).map(|value| self.order.u32(value).into())
        }
    }

    fn u64(self, bytes: &mut Bytes, inside: &'static str) -> Result<u64, Damage> {
        let value = bytes.array(inside)?;
        Ok(match self.order {
            Order::Little => u64::from_le_bytes(value),
            Order::Big => u64::from_be_bytes(value),
        })
    }
}

impl Order {
    pub(super) fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    pub(super) fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }
}

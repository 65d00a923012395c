//! The attributes of a header, each a name, a type, a size and a value.

use exr::meta::attribute::{Compression, SampleType};

use super::part::{Channel, DEEP, Layout, MULTIPART, Part, TILED};
use super::tiles::Tiles;
use super::window::Window;
use crate::image::Damage;
use crate::image::decode::bytes::Bytes;

const HEADER: &str = "the header";

/// The longest name or type of an attribute, and the longest channel name.
const LONGEST_NAME: usize = 255;

/// The attributes of one part that matter here.
#[derive(Default)]
pub(super) struct Attributes {
    data_window: Option<[i32; 4]>,
    display_window: Option<[i32; 4]>,
    channels: Vec<Channel>,
    compression: Option<u8>,
    /// Width and height of a tile, and the mode of the levels.
    tiles: Option<((u32, u32), u8)>,
    chunk_count: Option<i32>,
    kind: Option<Vec<u8>>,
    name: Option<String>,
    view: Option<String>,
    views: Vec<String>,
    pixel_aspect: Option<f32>,
    chromaticities: Option<[f32; 8]>,
}

impl Attributes {
    /// Reads one header. Returns `None` at the end of the list of headers.
    pub(super) fn read(bytes: &mut Bytes) -> Result<Option<Self>, Damage> {
        let mut attributes = None;
        loop {
            let offset = bytes.position();
            let name = name(bytes)?;
            if name.is_empty() {
                return Ok(attributes);
            }
            let _type = self::name(bytes)?;
            let Ok(size) = u64::try_from(i32::from_le_bytes(bytes.array(HEADER)?)) else {
                return Err(Damage::Corrupt { what: "an attribute has a negative size", offset });
            };
            let value = bytes.take(size, HEADER)?;
            attributes.get_or_insert_with(Self::default).set(name, value).map_err(|damage| {
                // The value ended, not the file.
                match damage {
                    Damage::Truncated { .. } => {
                        Damage::Corrupt { what: "an attribute is too short for its value", offset }
                    }
                    Damage::Corrupt { what, .. } => Damage::Corrupt { what, offset },
                    other => other,
                }
            })?;
        }
    }

    fn set(&mut self, name: &[u8], value: &[u8]) -> Result<(), Damage> {
        let mut bytes = Bytes::at(value, 0);
        match name {
            b"dataWindow" => self.data_window = Some(numbers(&mut bytes, i32::from_le_bytes)?),
            b"displayWindow" => {
                self.display_window = Some(numbers(&mut bytes, i32::from_le_bytes)?);
            }
            b"channels" => self.channels = channels(&mut bytes)?,
            b"compression" => self.compression = Some(byte(&mut bytes)?),
            b"tiles" => {
                let [across, down] = numbers(&mut bytes, u32::from_le_bytes)?;
                self.tiles = Some(((across, down), byte(&mut bytes)?));
            }
            b"chunkCount" => self.chunk_count = Some(number(&mut bytes, i32::from_le_bytes)?),
            b"type" => self.kind = Some(value.to_vec()),
            b"name" => self.name = Some(text(value)),
            b"view" => self.view = Some(text(value)),
            b"multiView" => self.views = texts(&mut bytes, value.len() as u64)?,
            b"pixelAspectRatio" => {
                self.pixel_aspect = Some(number(&mut bytes, f32::from_le_bytes)?);
            }
            b"chromaticities" => {
                self.chromaticities = Some(numbers(&mut bytes, f32::from_le_bytes)?);
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes the names of the views of the file, which only one part lists.
    pub(super) fn take_views(&mut self) -> Vec<String> {
        std::mem::take(&mut self.views)
    }

    /// The part that these attributes describe, which begin at `offset` in a file with these flags.
    pub(super) fn part(self, flags: u32, offset: u64) -> Result<Part, Damage> {
        let corrupt = |what| Damage::Corrupt { what, offset };
        let data = self.data_window.ok_or_else(|| corrupt("the header has no data window"))?;
        let data = window(data).ok_or_else(|| corrupt("the data window is empty"))?;
        let display = self.display_window.and_then(window);
        let display =
            display.ok_or_else(|| corrupt("the header has no display window, or an empty one"))?;
        let in_tiles = match self.kind.as_deref() {
            _ if flags & (DEEP | MULTIPART) == DEEP => return Err(deep()),
            None => flags & TILED != 0,
            Some(b"scanlineimage") => false,
            Some(b"tiledimage") => true,
            Some(b"deepscanline" | b"deeptile") => return Err(deep()),
            Some(_) => return Err(corrupt("the type of a part is not known")),
        };
        let compression =
            self.compression.ok_or_else(|| corrupt("the header has no compression"))?;
        let compression = self::compression(compression, offset)?;
        let layout = if in_tiles {
            let size = (data.width, data.height);
            let tiles = self.tiles.and_then(|(tile, mode)| Tiles::new(size, tile, mode));
            Layout::Tiles(
                tiles.ok_or_else(|| corrupt("the part has no tiles, or impossible ones"))?,
            )
        } else {
            let rows = compression.scan_lines_per_block();
            Layout::Rows(u32::try_from(rows).unwrap_or(u32::MAX))
        };
        let chunk_count = match (self.chunk_count.map(u64::try_from), flags & MULTIPART) {
            (None, MULTIPART) => {
                return Err(corrupt("the header does not tell the number of chunks"));
            }
            (None, _) => None,
            (Some(Ok(count)), _) => Some(count),
            (Some(Err(_)), _) => return Err(corrupt("the number of chunks is negative")),
        };
        Ok(Part {
            name: self.name,
            view: self.view,
            data,
            display,
            channels: self.channels,
            compression,
            layout,
            chunk_count,
            pixel_aspect: self.pixel_aspect.unwrap_or(1.0),
            chromaticities: self.chromaticities,
        })
    }
}

fn deep() -> Damage {
    Damage::Unsupported("a deep OpenEXR image".to_owned())
}

fn window([left, top, right, bottom]: [i32; 4]) -> Option<Window> {
    Window::between(left, top, right, bottom)
}

/// The compression of this number in the file, after `ImfCompression.h` of OpenEXR 3.4.
fn compression(number: u8, offset: u64) -> Result<Compression, Damage> {
    match number {
        0 => Ok(Compression::Uncompressed),
        1 => Ok(Compression::RLE),
        2 => Ok(Compression::ZIP1),
        3 => Ok(Compression::ZIP16),
        4 => Ok(Compression::PIZ),
        5 => Ok(Compression::PXR24),
        6 => Ok(Compression::B44),
        7 => Ok(Compression::B44A),
        8 => Ok(Compression::DWAA(None)),
        9 => Ok(Compression::DWAB(None)),
        10 | 11 => Err(Damage::Unsupported("an OpenEXR image compressed with HTJ2K".to_owned())),
        _ => Err(Damage::Corrupt { what: "the compression is not known", offset }),
    }
}

fn channels(bytes: &mut Bytes) -> Result<Vec<Channel>, Damage> {
    let mut channels = Vec::new();
    loop {
        let name = name(bytes)?;
        if name.is_empty() {
            return Ok(channels);
        }
        let kind = match number(bytes, u32::from_le_bytes)? {
            0 => SampleType::U32,
            1 => SampleType::F16,
            2 => SampleType::F32,
            _ => {
                return Err(Damage::Corrupt {
                    what: "the type of a channel is not known",
                    offset: bytes.position(),
                });
            }
        };
        let [linear, _, _, _] = bytes.array(HEADER)?;
        let [across, down] = numbers(bytes, i32::from_le_bytes)?;
        let name = String::from_utf8_lossy(name).into_owned();
        channels.push(Channel { name, kind, linear: linear != 0, sampling: (across, down) });
    }
}

fn name<'a>(bytes: &mut Bytes<'a>) -> Result<&'a [u8], Damage> {
    let offset = bytes.position();
    bytes
        .text(LONGEST_NAME, HEADER)?
        .ok_or(Damage::Corrupt { what: "a name in the header is too long", offset })
}

fn byte(bytes: &mut Bytes) -> Result<u8, Damage> {
    bytes.array(HEADER).map(|[byte]| byte)
}

fn number<T>(bytes: &mut Bytes, from: fn([u8; 4]) -> T) -> Result<T, Damage> {
    bytes.array(HEADER).map(from)
}

fn numbers<T: Copy + Default, const N: usize>(
    bytes: &mut Bytes,
    from: fn([u8; 4]) -> T,
) -> Result<[T; N], Damage> {
    let mut numbers = [T::default(); N];
    for place in &mut numbers {
        *place = number(bytes, from)?;
    }
    Ok(numbers)
}

/// A string that fills the value of an attribute.
fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

/// Strings that fill the `length` bytes of the value of an attribute, each after its size.
fn texts(bytes: &mut Bytes, length: u64) -> Result<Vec<String>, Damage> {
    let mut texts = Vec::new();
    while bytes.position() < length {
        let size = u32::from_le_bytes(bytes.array(HEADER)?);
        texts.push(text(bytes.take(size.into(), HEADER)?));
    }
    Ok(texts)
}

//! The headers of an OpenEXR file: one for each part, each a list of
//! attributes.

use std::io::{BufRead, Seek};

use super::picture::{Channels, Picture};
use super::tiles::Tiles;
use crate::image::reader::Source;
use crate::image::{Damage, Frame};

const HEADER: &str = "the header";

/// The longest name or type of an attribute, and the longest channel name.
const LONGEST_NAME: u64 = 255;

/// Limit on the memory for one file, far above the number of parts in any real one.
const MOST_PARTS: u32 = 2048;

const MAGIC: u64 = 4;
const VERSION: u32 = 2;
const TILED: u32 = 0x200;
const LONG_NAMES: u32 = 0x400;
const DEEP: u32 = 0x800;
const MULTIPART: u32 = 0x1000;

pub(super) struct Header {
    pub(super) frame: Frame,
    pub(super) multipart: bool,
    /// At least one part, in the order of the file.
    pub(super) parts: Vec<Part>,
}

pub(super) struct Part {
    pub(super) layout: Layout,
    /// Whether each pixel can hold any number of samples.
    pub(super) deep: bool,
    /// Present in multipart and deep files.
    pub(super) chunk_count: Option<u64>,
}

/// How the chunks of a part divide its data window.
pub(super) enum Layout {
    /// Groups of rows, from the first row to the last.
    Rows {
        first: i32,
        last: i32,
    },
    Tiles(Tiles),
}

impl Header {
    /// Reads from the beginning of the file to the end of the last header.
    pub(super) fn read<R: BufRead + Seek>(source: &mut Source<R>) -> Result<Self, Damage> {
        source.skip(MAGIC, HEADER)?;
        let flags = u32::from_le_bytes(source.bytes(HEADER)?);
        if flags & !(TILED | LONG_NAMES | DEEP | MULTIPART) != VERSION {
            return Err(Damage::Corrupt {
                what: "this version of OpenEXR is not known",
                offset: 4,
            });
        }
        let multipart = flags & MULTIPART != 0;

        let mut frame = None;
        let mut picture: Option<Picture> = None;
        let mut parts = Vec::new();
        for number in 0.. {
            let offset = source.position();
            let Some(attributes) = Attributes::read(source)? else {
                break;
            };
            if number == MOST_PARTS {
                return Err(Damage::Corrupt { what: "there are too many parts", offset });
            }
            if frame.is_none() {
                frame = Some(attributes.frame(offset)?);
            }
            parts.push(attributes.part(flags, offset)?);
            if let Some(found) = attributes.channels.picture(number)
                && picture.as_ref().is_none_or(|best| found.rank > best.rank)
            {
                picture = Some(found);
            }
            if !multipart {
                break;
            }
        }
        let Some(mut frame) = frame else {
            return Err(Damage::Corrupt { what: "the header is empty", offset: 8 });
        };
        if let Some(picture) = picture {
            frame.layer = picture.layer;
            frame.part = picture.part;
        }
        Ok(Self { frame, multipart, parts })
    }
}

/// A rectangle of columns and rows, both ends included.
struct Window {
    left: i32,
    top: i32,
    right: i32,
    bottom: i32,
}

impl Window {
    /// Returns width and height if both are at least 1.
    fn size(&self) -> Option<(u32, u32)> {
        let width = i64::from(self.right) - i64::from(self.left) + 1;
        let height = i64::from(self.bottom) - i64::from(self.top) + 1;
        match (u32::try_from(width), u32::try_from(height)) {
            (Ok(width @ 1..), Ok(height @ 1..)) => Some((width, height)),
            _ => None,
        }
    }
}

/// The attributes of one part that matter here.
#[derive(Default)]
struct Attributes {
    data_window: Option<Window>,
    display_window: Option<Window>,
    /// Width and height of a tile, and the mode of the levels.
    tiles: Option<((u32, u32), u8)>,
    chunk_count: Option<i32>,
    kind: Option<Vec<u8>>,
    channels: Channels,
}

impl Attributes {
    /// Reads one header. Returns `None` at the end of the list of headers.
    fn read<R: BufRead + Seek>(source: &mut Source<R>) -> Result<Option<Self>, Damage> {
        let mut attributes = None;
        loop {
            let offset = source.position();
            let name = name(source)?;
            if name.is_empty() {
                return Ok(attributes);
            }
            let _type = self::name(source)?;
            let size = i32::from_le_bytes(source.bytes(HEADER)?);
            let Ok(size) = u64::try_from(size) else {
                return Err(Damage::Corrupt { what: "an attribute has a negative size", offset });
            };
            source.require(source.position(), size, HEADER)?;
            let end = source.position() + size;
            attributes.get_or_insert_with(Self::default).value(source, &name, end)?;
            if source.position() > end {
                return Err(Damage::Corrupt {
                    what: "an attribute is too short for its value",
                    offset,
                });
            }
            source.seek(end, HEADER)?;
        }
    }

    fn value<R: BufRead + Seek>(
        &mut self,
        source: &mut Source<R>,
        name: &[u8],
        end: u64,
    ) -> Result<(), Damage> {
        match name {
            b"dataWindow" => self.data_window = Some(window(source)?),
            b"displayWindow" => self.display_window = Some(window(source)?),
            b"chunkCount" => {
                self.chunk_count = Some(i32::from_le_bytes(source.bytes(HEADER)?));
            }
            b"tiles" => {
                let across = u32::from_le_bytes(source.bytes(HEADER)?);
                let down = u32::from_le_bytes(source.bytes(HEADER)?);
                self.tiles = Some(((across, down), source.byte(HEADER)?));
            }
            b"type" => {
                let mut kind = Vec::new();
                // The longest type in use has 13 letters.
                let length = (end - source.position()).min(32);
                source.feed(length, HEADER, |block| kind.extend_from_slice(block))?;
                self.kind = Some(kind);
            }
            b"channels" => {
                while source.position() < end {
                    let channel = self::name(source)?;
                    if channel.is_empty() {
                        break;
                    }
                    self.channels.add(&channel);
                    // Pixel type, linearity and sampling.
                    source.skip(16, HEADER)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Returns a frame of the size of the display window: FFmpeg decodes to this
    /// size, and OpenEXR requires the same display window in all parts.
    fn frame(&self, offset: u64) -> Result<Frame, Damage> {
        match self.display_window.as_ref().and_then(Window::size) {
            Some((width, height)) => Frame::plain(width, height, offset),
            None => Err(Damage::Corrupt {
                what: "the header has no display window, or an empty one",
                offset,
            }),
        }
    }

    fn part(&self, flags: u32, offset: u64) -> Result<Part, Damage> {
        let corrupt = |what| Damage::Corrupt { what, offset };
        let Some(window) = &self.data_window else {
            return Err(corrupt("the header has no data window"));
        };
        let Some(size) = window.size() else {
            return Err(corrupt("the data window is empty"));
        };
        let (in_tiles, deep) = match self.kind.as_deref() {
            None => (flags & TILED != 0, false),
            Some(b"scanlineimage") => (false, false),
            Some(b"tiledimage") => (true, false),
            Some(b"deepscanline") => (false, true),
            Some(b"deeptile") => (true, true),
            Some(_) => return Err(corrupt("the type of a part is not known")),
        };
        let layout = if in_tiles {
            let Some(tiles) = self.tiles.and_then(|(tile, mode)| Tiles::new(size, tile, mode))
            else {
                return Err(corrupt("the part has no tiles, or impossible ones"));
            };
            Layout::Tiles(tiles)
        } else {
            Layout::Rows { first: window.top, last: window.bottom }
        };
        let chunk_count = match self.chunk_count.map(u64::try_from) {
            None => None,
            Some(Ok(count)) => Some(count),
            Some(Err(_)) => return Err(corrupt("the number of chunks is negative")),
        };
        Ok(Part { layout, deep, chunk_count })
    }
}

fn window<R: BufRead + Seek>(source: &mut Source<R>) -> Result<Window, Damage> {
    Ok(Window {
        left: i32::from_le_bytes(source.bytes(HEADER)?),
        top: i32::from_le_bytes(source.bytes(HEADER)?),
        right: i32::from_le_bytes(source.bytes(HEADER)?),
        bottom: i32::from_le_bytes(source.bytes(HEADER)?),
    })
}

fn name<R: BufRead + Seek>(source: &mut Source<R>) -> Result<Vec<u8>, Damage> {
    let offset = source.position();
    source
        .text(LONGEST_NAME, HEADER)?
        .ok_or(Damage::Corrupt { what: "a name in the header is too long", offset })
}

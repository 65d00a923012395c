//! The headers of an OpenEXR file: one for each part, each a list of attributes.

use exr::meta::attribute::{Compression, SampleType};

use super::attributes::Attributes;
use super::tiles::Tiles;
use super::window::Window;
use crate::image::Damage;
use crate::image::decode::bytes::Bytes;
use crate::image::decode::size::check_size;

/// Limit on the work for one file, far above the number of parts in any real one.
const MOST_PARTS: usize = 2048;

const MAGIC: u64 = 4;
const VERSION: u32 = 2;
pub(super) const TILED: u32 = 0x200;
const LONG_NAMES: u32 = 0x400;
pub(super) const DEEP: u32 = 0x800;
pub(super) const MULTIPART: u32 = 0x1000;

pub(super) struct Headers {
    pub(super) multipart: bool,
    /// At least one part, in the order of the file.
    pub(super) parts: Vec<Part>,
    /// The names of the views, of which the first is shown by default. Empty in most files.
    pub(super) views: Vec<String>,
    /// The offset at which the headers end and the tables begin.
    pub(super) end: u64,
}

pub(super) struct Part {
    pub(super) name: Option<String>,
    /// The view that all channels of the part belong to.
    pub(super) view: Option<String>,
    /// The window that has pixels.
    pub(super) data: Window,
    /// The window that is the picture. Pixels outside of the data window are transparent black.
    pub(super) display: Window,
    pub(super) channels: Vec<Channel>,
    pub(super) compression: Compression,
    pub(super) layout: Layout,
    /// Given in files of several parts.
    pub(super) chunk_count: Option<u64>,
    /// The width of a pixel divided by its height.
    pub(super) pixel_aspect: f32,
    /// Where the red, green and blue primaries and white are in the CIE diagram: `x` and `y` each.
    pub(super) chromaticities: Option<[f32; 8]>,
}

pub(super) struct Channel {
    pub(super) name: String,
    pub(super) kind: SampleType,
    /// Whether lossy compression may take the samples for perceptually linear.
    pub(super) linear: bool,
    /// Every how many columns and rows the channel has a sample.
    pub(super) sampling: (i32, i32),
}

impl Channel {
    /// The size of a sample in bytes.
    pub(super) fn width(&self) -> usize {
        self.kind.bytes_per_sample()
    }
}

/// How the chunks of a part divide its data window.
pub(super) enum Layout {
    /// Groups of this many rows.
    Rows(u32),
    Tiles(Tiles),
}

impl Headers {
    /// Reads from the beginning of the file to the end of the last header.
    pub(super) fn read(file: &[u8]) -> Result<Self, Damage> {
        let mut bytes = Bytes::at(file, MAGIC);
        let flags = u32::from_le_bytes(bytes.array("the header")?);
        if flags & !(TILED | LONG_NAMES | DEEP | MULTIPART) != VERSION {
            return Err(Damage::Corrupt {
                what: "this version of OpenEXR is not known",
                offset: MAGIC,
            });
        }
        let multipart = flags & MULTIPART != 0;

        let mut parts = Vec::new();
        let mut views = Vec::new();
        loop {
            let offset = bytes.position();
            let Some(mut attributes) = Attributes::read(&mut bytes)? else {
                break;
            };
            if parts.len() == MOST_PARTS {
                return Err(Damage::Corrupt { what: "there are too many parts", offset });
            }
            if views.is_empty() {
                views = attributes.take_views();
            }
            let part = attributes.part(flags, offset)?;
            part.check(offset)?;
            parts.push(part);
            if !multipart {
                break;
            }
        }
        if parts.is_empty() {
            return Err(Damage::Corrupt { what: "the header is empty", offset: 8 });
        }
        Ok(Self { multipart, parts, views, end: bytes.position() })
    }
}

impl Part {
    /// The size of all samples of a pixel in bytes.
    pub(super) fn pixel_width(&self) -> usize {
        self.channels.iter().map(Channel::width).sum()
    }

    /// Checks the properties that reading the chunks relies on. The header is at `offset`.
    fn check(&self, offset: u64) -> Result<(), Damage> {
        if self.channels.is_empty() {
            return Err(Damage::Corrupt { what: "the header lists no channels", offset });
        }
        if self.channels.iter().any(|channel| channel.sampling != (1, 1)) {
            return Err(Damage::Unsupported("an OpenEXR image of subsampled channels".to_owned()));
        }
        check_size(self.data.width, self.data.height, 1)?;
        check_size(self.display.width, self.display.height, 1)
    }
}

//! The headers of an OpenEXR file: one for each part, each a list of attributes.

use super::attributes::Attributes;
use super::part::{DEEP, MULTIPART, Part, TILED};
use crate::image::Damage;
use crate::image::decode::bytes::Bytes;

/// Limit on the work for one file, far above the number of parts in any real one.
const MOST_PARTS: usize = 2048;

const MAGIC: u64 = 4;
const VERSION: u32 = 2;
const LONG_NAMES: u32 = 0x400;

pub(super) struct Headers {
    pub(super) multipart: bool,
    /// At least one part, in the order of the file.
    pub(super) parts: Vec<Part>,
    /// The names of the views, of which the first is shown by default. Empty in most files.
    pub(super) views: Vec<String>,
    /// The offset at which the headers end and the tables begin.
    pub(super) end: u64,
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

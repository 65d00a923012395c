//! A part of an OpenEXR file: an image of its own.

use exr::meta::attribute::{Compression, SampleType};

use super::tiles::Tiles;
use super::window::Window;
use crate::image::Damage;
use crate::image::decode::size::check_size;

/// Flags of a file: its only part is tiled; it has deep parts; it has several parts.
pub(super) const TILED: u32 = 0x200;
pub(super) const DEEP: u32 = 0x800;
pub(super) const MULTIPART: u32 = 0x1000;

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

impl Part {
    /// The size of all samples of a pixel in bytes.
    pub(super) fn pixel_width(&self) -> usize {
        self.channels.iter().map(Channel::width).sum()
    }

    /// Checks the properties that reading the chunks relies on. The header is at `offset`.
    pub(super) fn check(&self, offset: u64) -> Result<(), Damage> {
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

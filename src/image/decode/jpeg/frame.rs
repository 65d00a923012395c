//! The frame header: the size of the image, and its components (ITU-T T.81, B.2.2 and A.2).

use super::super::size::check_size;
use crate::image::Damage;

/// The length of a block's side in samples.
const BLOCK: usize = 8;

/// The frame of an image.
#[derive(Debug)]
pub(super) struct Frame {
    /// Whether the coefficients come in several scans.
    pub(super) progressive: bool,
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) components: Vec<Component>,
    /// The largest sampling factors.
    sampling: (usize, usize),
}

/// A component of the image, such as its luminance.
#[derive(Debug)]
pub(super) struct Component {
    pub(super) id: u8,
    /// How many blocks of the component a unit has: across and down.
    pub(super) sampling: (usize, usize),
    /// Whether a scan with its averages was seen.
    pub(super) scanned: bool,
    /// The number of blocks across, with those that fill up the last unit.
    stride: usize,
    /// For each block of a progressive image, the coefficients that are not 0, as bits.
    nonzero: Vec<u64>,
}

impl Frame {
    /// Reads the content of a frame header.
    pub(super) fn parse(content: &[u8], progressive: bool) -> Result<Self, Damage> {
        let malformed = || Damage::Undecodable("the frame header is malformed".to_owned());
        let (&[depth, h1, h0, w1, w0, count], rest) =
            content.split_first_chunk().ok_or_else(malformed)?;
        if depth != 8 {
            return Err(Damage::Unsupported(format!("a {depth}-bit JPEG")));
        }
        let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
        // The decoder of progressive images holds their coefficients, of two bytes each.
        let bytes_per_sample = if progressive { 3 } else { 1 };
        check_size(width, height, u64::from(count) * bytes_per_sample)?;
        let (triples, []) = rest.as_chunks::<3>() else { return Err(malformed()) };
        if triples.len() != usize::from(count) {
            return Err(malformed());
        }
        if !matches!(count, 1 | 3 | 4) {
            return Err(Damage::Unsupported(format!("a JPEG of {count} components")));
        }
        let mut components = Vec::new();
        let mut sampling = (1, 1);
        for &[id, factors, _] in triples {
            let (across, down) = (usize::from(factors >> 4), usize::from(factors & 15));
            if !(1..=4).contains(&across) || !(1..=4).contains(&down) {
                return Err(malformed());
            }
            if across == 3 || down == 3 {
                return Err(Damage::Unsupported("a JPEG that samples a colour at 1/3".into()));
            }
            sampling = (across.max(sampling.0), down.max(sampling.1));
            components.push(Component {
                id,
                sampling: (across, down),
                scanned: false,
                stride: 0,
                nonzero: Vec::new(),
            });
        }
        // The decoder would give wrong pixels.
        if components.first().is_some_and(|first| first.sampling != sampling) {
            return Err(Damage::Unsupported("a JPEG whose first colour is not the finest".into()));
        }
        let mut frame = Self { progressive, width, height, components, sampling };
        let (columns, rows) = frame.units();
        for component in &mut frame.components {
            let (across, down) = component.sampling;
            component.stride = columns * across;
            if progressive {
                component.nonzero = vec![0; component.stride * rows * down];
            }
        }
        Ok(frame)
    }

    /// The number of units (MCUs) of a scan that interleaves several components: across and down.
    pub(super) fn units(&self) -> (usize, usize) {
        let (across, down) = self.sampling;
        (
            usize::from(self.width).div_ceil(BLOCK * across),
            usize::from(self.height).div_ceil(BLOCK * down),
        )
    }

    /// The number of blocks of a scan of one component: across and down.
    pub(super) fn blocks(&self, component: usize) -> (usize, usize) {
        let (most_across, most_down) = self.sampling;
        let sampling = self.components.get(component).map(|component| component.sampling);
        let (across, down) = sampling.unwrap_or_default();
        (
            (usize::from(self.width) * across).div_ceil(most_across).div_ceil(BLOCK),
            (usize::from(self.height) * down).div_ceil(most_down).div_ceil(BLOCK),
        )
    }
}

impl Component {
    /// The coefficients that are not 0 in the block at column `x` and row `y`, as bits.
    pub(super) fn nonzero(&mut self, (x, y): (usize, usize)) -> Option<&mut u64> {
        self.nonzero.get_mut(y * self.stride + x)
    }
}

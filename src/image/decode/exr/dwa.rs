//! A check before DWA chunks are decompressed.
//!
//! A DWA chunk begins with the sizes that its sections have when they are decompressed. The crate
//! `exr` 1.74 takes as much memory as they say, which can be more than there is.

use exr::meta::attribute::Compression;

use super::part::Part;
use super::window::Block;

/// Sections are made of blocks of this many columns and rows.
const SIDE: u32 = 8;

/// Which of the numbers that a chunk begins with, of eight bytes each, are sizes and counts of
/// decompressed data (`internal_dwa_compressor.h` of OpenEXR 3.4): of channels of no known kind, of
/// alpha before and after its runs are expanded, and of AC and DC components.
const UNPACKED: [usize; 5] = [1, 6, 7, 8, 9];

/// Whether all sizes in a chunk are possible for the pixels in `block`; true for other compressions.
pub(super) fn has_possible_sizes(part: &Part, block: Block, packed: &[u8]) -> bool {
    if !matches!(part.compression, Compression::DWAA(_) | Compression::DWAB(_)) {
        return true;
    }
    let pixels = block.width as usize * block.height as usize;
    if packed.len() == pixels.saturating_mul(part.pixel_width()) {
        // Chunks that would become larger are not compressed.
        return true;
    }
    // Data without runs becomes longer when it is written as runs, but less than twice as long.
    let largest = u64::from(block.width.next_multiple_of(SIDE))
        .saturating_mul(block.height.next_multiple_of(SIDE).into())
        .saturating_mul(part.channels.len() as u64)
        .saturating_mul(2 * size_of::<f32>() as u64);
    let (counters, _) = packed.as_chunks();
    UNPACKED
        .iter()
        .filter_map(|&index| counters.get(index))
        .all(|&counter| u64::from_le_bytes(counter) <= largest)
}

//! The scratch disk: how much room is enough to begin, and whether it takes anything.

use std::io::{self, Write as _};
use std::path::Path;

use crate::blender::SceneInfo;
use crate::request::ImageFormat;

/// Frames that there must be room for: the one that Blender writes, and one on its way
/// out.
const FRAMES: u64 = 2;

/// The room that a few frames of a scene take, in bytes: uncompressed, in the deepest
/// pixels that their format has (RGBA of 16 bits, in OpenEXR of 32 bits, without the
/// passes of a multilayer file), which real frames seldom reach.
pub fn room_for_frames(scene: &SceneInfo) -> u64 {
    let bytes_a_pixel = match scene.format() {
        Some(ImageFormat::OpenExr) => 16,
        Some(ImageFormat::Png | ImageFormat::Tiff) | None => 8,
        Some(ImageFormat::Jpeg | ImageFormat::WebP) => 4,
    };
    // A script in the scene can say any size.
    let pixels = u64::from(scene.width) * u64::from(scene.height);
    pixels.saturating_mul(FRAMES * bytes_a_pixel)
}

/// Writes a little into a folder, to see whether that can be done.
///
/// # Errors
/// If it cannot.
pub fn try_to_write(folder: &Path) -> io::Result<()> {
    // Enough to need a block of its own.
    const PROBE: [u8; 8192] = [b'x'; 8192];
    let mut file = tempfile::tempfile_in(folder)?;
    file.write_all(&PROBE)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_for_frames_is_that_of_two_uncompressed_ones() {
        let scene = |extension: &str| SceneInfo {
            name: "Scene".into(),
            blender: "4.3.2".into(),
            engine: "CYCLES".into(),
            fps: 24,
            fps_base: 1.0,
            width: 1920,
            height: 1080,
            frame_start: 1,
            frame_end: 2,
            extension: extension.into(),
            warnings: Vec::new(),
            lacking: Vec::new(),
        };
        let vast = SceneInfo { width: u32::MAX, height: u32::MAX, ..scene(".png") };
        assert_eq!(room_for_frames(&vast), u64::MAX);
        let pixels = 1920 * 1080;
        assert_eq!(room_for_frames(&scene(".png")), 2 * 8 * pixels);
        assert_eq!(room_for_frames(&scene(".exr")), 2 * 16 * pixels);
        assert_eq!(room_for_frames(&scene(".jpg")), 2 * 4 * pixels);
    }
}

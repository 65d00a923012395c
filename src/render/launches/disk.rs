//! The scratch disk: how much space the frames of a scene need, and whether it can be written.

use std::io::{self, Write as _};
use std::path::Path;

use crate::blender::{SceneInfo, SceneOutputs};
use crate::request::ImageFormat;

/// How many frames must fit: the one that Blender writes, and one that is being stored.
const FRAMES: u64 = 2;

/// The space that [`FRAMES`] frames of a scene need, in bytes. It assumes uncompressed RGBA in the
/// format's largest samples: 16 bits, or 32 bits for OpenEXR, without the passes of a multilayer
/// file. Real frames are usually smaller. A frame includes its side files.
pub fn space_for_frames(scene: &SceneInfo, outputs: &SceneOutputs) -> u64 {
    let sides = outputs.files.iter().map(|output| bytes_per_pixel(output.format()));
    let bytes_per_pixel: u64 = sides.sum::<u64>() + bytes_per_pixel(scene.format());
    // A script in the scene can set any size.
    let pixels = u64::from(scene.width) * u64::from(scene.height);
    pixels.saturating_mul(FRAMES * bytes_per_pixel)
}

fn bytes_per_pixel(format: Option<ImageFormat>) -> u64 {
    match format {
        Some(ImageFormat::OpenExr) => 16,
        Some(ImageFormat::Png | ImageFormat::Tiff) | None => 8,
        Some(
            ImageFormat::Jpeg
            | ImageFormat::WebP
            | ImageFormat::Bmp
            | ImageFormat::Tga
            | ImageFormat::Hdr
            | ImageFormat::Gif,
        ) => 4,
    }
}

/// Writes a temporary file, to prove that the folder can be written.
///
/// # Errors
/// If it cannot be written.
pub fn try_to_write(folder: &Path) -> io::Result<()> {
    // Large enough to need a block on the disk.
    const PROBE: [u8; 8192] = [b'x'; 8192];
    let mut file = tempfile::tempfile_in(folder)?;
    file.write_all(&PROBE)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blender::OutputFile;

    #[test]
    fn there_must_be_space_for_two_uncompressed_frames() {
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
            frame_step: 1,
            output_name: None,
            extension: extension.into(),
            warnings: Vec::new(),
            differences: Vec::new(),
            unusable_files: Vec::new(),
            devices: Vec::new(),
            lacking: Vec::new(),
            simulations: Vec::new(),
            view: None,
            audio: None,
        };
        let vast = SceneInfo { width: u32::MAX, height: u32::MAX, ..scene(".png") };
        let none = SceneOutputs::default();
        assert_eq!(space_for_frames(&vast, &none), u64::MAX);
        let pixels = 1920 * 1080;
        assert_eq!(space_for_frames(&scene(".png"), &none), 2 * 8 * pixels);
        assert_eq!(space_for_frames(&scene(".exr"), &none), 2 * 16 * pixels);
        assert_eq!(space_for_frames(&scene(".jpg"), &none), 2 * 4 * pixels);
        let files = vec![OutputFile::example("a_", ".exr"), OutputFile::example("b_", ".png")];
        let two = SceneOutputs { files, ..none };
        assert_eq!(space_for_frames(&scene(".jpg"), &two), 2 * (4 + 16 + 8) * pixels);
    }
}

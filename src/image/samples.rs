//! Frames made by real programs, for tests. `fixtures/frames/README.md` lists the command behind
//! each.

use super::{Damage, Picture};
use crate::request::ImageFormat;

#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) name: &'static str,
    pub(super) format: ImageFormat,
    pub(super) size: (u32, u32),
    pub(super) bytes: &'static [u8],
}

macro_rules! sample {
    ($format:ident $width:literal x $height:literal $name:literal) => {
        Sample {
            name: $name,
            format: ImageFormat::$format,
            size: ($width, $height),
            bytes: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/frames/", $name)),
        }
    };
}

/// Samples that are all whole.
pub(super) const SAMPLES: &[Sample] = &[
    sample!(Png 33 x 17 "blender-bw-8.png"),
    sample!(Png 33 x 17 "blender-rgb-8.png"),
    sample!(Png 33 x 17 "blender-rgba-16.png"),
    sample!(Png 33 x 17 "imagemagick-interlaced.png"),
    sample!(Png 33 x 17 "pillow-palette-2.png"),
    sample!(Png 33 x 17 "pillow-palette-alpha.png"),
    sample!(Png 33 x 17 "pillow-rgb.png"),
    sample!(Png 33 x 17 "pillow-rgba.png"),
    sample!(Png 17 x 33 "pillow-turned.png"),
    sample!(Jpeg 33 x 17 "blender-bw.jpg"),
    sample!(Jpeg 33 x 17 "blender-rgb.jpg"),
    sample!(Jpeg 33 x 17 "cjpeg-restart.jpg"),
    sample!(Jpeg 33 x 17 "ffmpeg-rgb.jpg"),
    sample!(Jpeg 33 x 17 "jpegtran-progressive-restart.jpg"),
    sample!(Jpeg 33 x 17 "pillow-cmyk.jpg"),
    sample!(Jpeg 33 x 17 "pillow-rgb.jpg"),
    sample!(Jpeg 17 x 33 "pillow-turned.jpg"),
    sample!(Jpeg 33 x 17 "pillow-ycbcr.jpg"),
    sample!(Jpeg 33 x 17 "pillow-ycbcr-progressive.jpg"),
    sample!(OpenExr 16 x 12 "blender-rgba-16-none.exr"),
    sample!(OpenExr 33 x 17 "blender-rgba-16-rle.exr"),
    sample!(OpenExr 33 x 17 "blender-rgba-16-zips.exr"),
    sample!(OpenExr 33 x 17 "blender-rgba-16-zip.exr"),
    sample!(OpenExr 16 x 12 "blender-rgba-16-piz.exr"),
    sample!(OpenExr 33 x 17 "blender-rgba-16-pxr24.exr"),
    sample!(OpenExr 16 x 12 "blender-rgba-16-b44.exr"),
    sample!(OpenExr 16 x 12 "blender-rgba-16-dwaa.exr"),
    sample!(OpenExr 33 x 17 "blender-rgba-32-zip.exr"),
    sample!(OpenExr 33 x 17 "blender-multilayer-zip.exr"),
    sample!(OpenExr 33 x 17 "blender-multilayer-composite-zip.exr"),
    sample!(OpenExr 33 x 17 "blender-multilayer-stereo.exr"),
    sample!(OpenExr 33 x 17 "blender-stereo.exr"),
    sample!(OpenExr 33 x 17 "exrmaketiled-one-level.exr"),
    sample!(OpenExr 33 x 17 "exrmaketiled-mipmap.exr"),
    sample!(OpenExr 16 x 12 "exrmaketiled-ripmap.exr"),
    sample!(OpenExr 33 x 17 "exrmultipart-two-parts.exr"),
    sample!(Tiff 33 x 17 "blender-rgba-8-none.tif"),
    sample!(Tiff 33 x 17 "blender-rgba-8-lzw.tif"),
    sample!(Tiff 33 x 17 "blender-rgba-8-packbits.tif"),
    sample!(Tiff 33 x 17 "blender-rgba-16-deflate.tif"),
    sample!(Tiff 33 x 17 "ffmpeg-rgb-packbits.tif"),
    sample!(Tiff 33 x 17 "tiffcp-bigtiff-strips.tif"),
    sample!(Tiff 33 x 17 "tiffcp-planar.tif"),
    sample!(Tiff 33 x 17 "tiffcp-tiles-big-endian.tif"),
    sample!(Tiff 33 x 17 "bilevel-group4.tif"),
    sample!(Tiff 33 x 17 "pillow-cmyk.tif"),
    sample!(Tiff 33 x 17 "pillow-jpeg.tif"),
    sample!(Tiff 33 x 17 "pillow-palette.tif"),
    sample!(Tiff 17 x 33 "pillow-turned.tif"),
    sample!(Tiff 33 x 17 "tifffile-float-predictor.tif"),
    sample!(Tiff 33 x 17 "tifffile-grey-4.tif"),
    sample!(Tiff 33 x 17 "tifffile-rgb-16-predictor.tif"),
    sample!(Tiff 33 x 17 "tifffile-rgb-8.tif"),
    sample!(Tiff 33 x 17 "tifffile-rgb-jpeg.tif"),
    sample!(Tiff 33 x 17 "tifffile-white-is-zero.tif"),
    sample!(WebP 33 x 17 "blender-rgb-lossy.webp"),
    sample!(WebP 33 x 17 "blender-rgba-lossy.webp"),
    sample!(WebP 33 x 17 "blender-rgba-lossless.webp"),
    sample!(WebP 33 x 17 "pillow-rgba.webp"),
    sample!(WebP 17 x 33 "pillow-turned.webp"),
    sample!(WebP 33 x 17 "webpmux-exif.webp"),
    sample!(Bmp 33 x 17 "blender-bw.bmp"),
    sample!(Bmp 33 x 17 "blender-rgb.bmp"),
    sample!(Bmp 33 x 17 "imagemagick-rgba.bmp"),
    sample!(Bmp 33 x 17 "imagemagick-rle.bmp"),
    sample!(Bmp 33 x 17 "pillow-palette.bmp"),
    sample!(Bmp 33 x 17 "pillow-rgb.bmp"),
    sample!(Tga 33 x 17 "blender-rgb.tga"),
    sample!(Tga 33 x 17 "blender-rgba-raw.tga"),
    sample!(Tga 33 x 17 "pillow-rgba.tga"),
    sample!(Tga 33 x 17 "pillow-rle-down.tga"),
    sample!(Hdr 33 x 17 "blender.hdr"),
    sample!(Hdr 33 x 17 "imagemagick.hdr"),
    sample!(Gif 33 x 17 "imagemagick-inset.gif"),
    sample!(Gif 33 x 17 "pillow-rgb.gif"),
];

/// Animations of two images, which are no frames.
pub(super) const ANIMATIONS: &[Sample] = &[
    sample!(WebP 33 x 17 "img2webp-animation.webp"),
    sample!(Png 33 x 17 "pillow-animation.png"),
    sample!(Gif 33 x 17 "pillow-animation.gif"),
];

/// Valid images of kinds that are not decoded.
pub(super) const UNSUPPORTED: &[Sample] = &[
    sample!(Jpeg 33 x 17 "cjpeg-arithmetic.jpg"),
    sample!(Jpeg 33 x 17 "cjpeg-separate-scans.jpg"),
];

/// An incomplete file from a full disk, for which Blender printed "Saved" and exited with 0.
pub(super) const DISK_FULL: Sample = sample!(OpenExr 33 x 17 "blender-disk-full.exr");

pub(super) fn of(format: ImageFormat) -> impl Iterator<Item = &'static Sample> {
    SAMPLES.iter().filter(move |sample| sample.format == format)
}

pub(super) fn named(name: &str) -> &'static Sample {
    SAMPLES.iter().find(|sample| sample.name == name).expect("a sample of this name")
}

impl Sample {
    pub(super) fn decode(&self) -> Result<Picture, Damage> {
        self.decode_as(self.bytes)
    }

    /// Decodes other bytes as a file of this format.
    pub(super) fn decode_as(&self, bytes: &[u8]) -> Result<Picture, Damage> {
        super::decode(self.format, bytes, None)
    }

    /// Decodes a copy of the sample, changed by `change`.
    pub(super) fn changed(&self, change: impl FnOnce(&mut Vec<u8>)) -> Result<Picture, Damage> {
        let mut bytes = self.bytes.to_vec();
        change(&mut bytes);
        self.decode_as(&bytes)
    }

    /// Lengths of tails that can be filled with zeros without it being noticed.
    pub(super) fn zeroed_tails_unnoticed(&self) -> Vec<usize> {
        (1..=self.bytes.len())
            .filter(|&tail| {
                let start = self.bytes.len() - tail;
                // Skip a tail of zeros: filling it changes nothing.
                self.bytes[start..].iter().any(|&byte| byte != 0)
                    && self.changed(|bytes| bytes[start..].fill(0)).is_ok()
            })
            .collect()
    }

    pub(super) fn position_of(&self, pattern: &[u8]) -> usize {
        self.bytes
            .windows(pattern.len())
            .position(|window| window == pattern)
            .expect("the pattern in the sample")
    }
}

#[track_caller]
pub(super) fn assert_corrupt<T>(result: Result<T, Damage>, words: &str) {
    match result.map(drop) {
        Err(Damage::Corrupt { what, .. }) => assert!(what.contains(words), "{what}"),
        other => panic!("expected \"{words}\", not {other:?}"),
    }
}

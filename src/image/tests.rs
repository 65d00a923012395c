//! Tests that apply to every format.

use std::io;

use proptest::prelude::*;

use super::samples::{ANIMATIONS, SAMPLES, UNSUPPORTED};
use super::*;
use crate::request::ImageFormat;

/// What comes after the image in TGA files: Blender's extension area, and the footer.
const TGA_EXTENSION: usize = 495;
const TGA_FOOTER: usize = 26;

/// The code for the end of a compressed BMP, after the last pixel.
const RLE_END: usize = 2;

#[test]
fn a_whole_frame_has_its_size() {
    for sample in SAMPLES {
        let picture = sample.decode().unwrap_or_else(|damage| panic!("{} {damage}", sample.name));
        let size = (picture.pixels.width(), picture.pixels.height());
        assert_eq!(size, sample.size, "{}", sample.name);
    }
}

#[test]
fn a_frame_cut_anywhere_is_damaged() {
    for sample in SAMPLES {
        let after_image = match sample.name {
            "blender-rgb.tga" | "blender-rgba-raw.tga" => TGA_EXTENSION + TGA_FOOTER,
            "pillow-rgba.tga" | "pillow-rle-down.tga" => TGA_FOOTER,
            "imagemagick-rle.bmp" => RLE_END,
            _ => 0,
        };
        for length in 0..sample.bytes.len() - after_image {
            match sample.decode_as(&sample.bytes[..length]).map(drop) {
                Err(Damage::Empty) => assert_eq!(length, 0, "{}", sample.name),
                Err(Damage::Truncated { length: found, .. }) => {
                    assert_eq!(found, length as u64, "{}", sample.name);
                }
                other => panic!("{} cut to {length}: {other:?}", sample.name),
            }
        }
    }
}

#[test]
fn bytes_after_the_image_do_not_matter() {
    for sample in SAMPLES {
        let picture = sample.changed(|bytes| bytes.extend_from_slice(b"more")).unwrap();
        assert_eq!(picture.pixels, sample.decode().unwrap().pixels, "{}", sample.name);
    }
}

#[test]
fn a_frame_is_of_no_other_format() {
    for sample in SAMPLES {
        for format in ImageFormat::ALL.into_iter().filter(|&format| format != sample.format) {
            let signature = (sample.format != ImageFormat::Tga).then_some(sample.format);
            match decode(format, sample.bytes, None).map(drop) {
                Err(Damage::WrongFormat { expected, found }) => {
                    assert_eq!((expected, found), (format, signature), "{}", sample.name);
                }
                other => panic!("{} as {format}: {other:?}", sample.name),
            }
        }
    }
}

#[test]
fn a_file_of_zeros_is_of_no_format() {
    for format in ImageFormat::ALL {
        let result = decode(format, &[0; 4096], None);
        assert!(matches!(result, Err(Damage::WrongFormat { found: None, .. })));
    }
}

#[test]
fn a_placeholder_is_told_from_a_damaged_frame() {
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n";
    for format in ImageFormat::ALL {
        let result = decode(format, pointer, None).map(drop);
        assert!(matches!(result, Err(Damage::Placeholder(_))), "{format} {result:?}");
    }
}

#[test]
fn images_that_are_not_decoded_are_named_whatever_the_name_of_their_file() {
    for (beginning, kind) in [
        (&b"\0\0\0\x18ftypheic"[..], "HEIF"),
        (b"\0\0\0\x1cftypavif", "AVIF"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\xff\x0a", "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"8BPS\0\x01", "Photoshop"),
    ] {
        let file = [beginning, &[0; 100]].concat();
        for format in ImageFormat::ALL {
            match decode(format, &file, None).map(drop) {
                Err(Damage::Unsupported(found)) => assert!(found.contains(kind), "{found}"),
                other => panic!("{kind} as {format}: {other:?}"),
            }
        }
    }
}

#[test]
fn an_animation_is_no_frame() {
    for sample in ANIMATIONS {
        let result = sample.decode().map(drop);
        assert!(matches!(result, Err(Damage::Animation)), "{} {result:?}", sample.name);
    }
}

#[test]
fn kinds_that_are_not_decoded_are_no_damage() {
    for sample in UNSUPPORTED {
        let result = sample.decode().map(drop);
        assert!(matches!(result, Err(Damage::Unsupported(_))), "{} {result:?}", sample.name);
    }
}

#[test]
fn a_format_is_known_by_its_extension() {
    for (extension, format) in [
        ("png", Some(ImageFormat::Png)),
        ("PNG", Some(ImageFormat::Png)),
        ("jpg", Some(ImageFormat::Jpeg)),
        ("jpeg", Some(ImageFormat::Jpeg)),
        ("jpe", Some(ImageFormat::Jpeg)),
        ("JFIF", Some(ImageFormat::Jpeg)),
        ("exr", Some(ImageFormat::OpenExr)),
        ("tif", Some(ImageFormat::Tiff)),
        ("Tiff", Some(ImageFormat::Tiff)),
        ("webp", Some(ImageFormat::WebP)),
        ("bmp", Some(ImageFormat::Bmp)),
        ("tga", Some(ImageFormat::Tga)),
        ("hdr", Some(ImageFormat::Hdr)),
        ("gif", Some(ImageFormat::Gif)),
        ("", None),
        (".png", None),
        ("mp4", None),
    ] {
        assert_eq!(ImageFormat::from_extension(extension), format, "{extension}");
    }
    for format in ImageFormat::ALL {
        assert_eq!(ImageFormat::from_extension(format.extension()), Some(format));
    }
}

#[test]
fn damage_reads_on_from_the_name_of_the_file() {
    let not_this = |found| Damage::WrongFormat { expected: ImageFormat::Png, found };
    for (damage, words) in [
        (Damage::Empty, "is empty (0 bytes)"),
        (not_this(Some(ImageFormat::WebP)), "is not a PNG image: it begins like WebP"),
        (not_this(None), "is not a PNG image: it does not begin like one"),
        (
            Damage::Truncated { length: 8192, inside: "a chunk" },
            "ends after 8192 bytes, in the middle of a chunk",
        ),
        (
            Damage::Corrupt { what: "the checksum of this chunk is wrong", offset: 33 },
            "is damaged at byte 33: the checksum of this chunk is wrong",
        ),
        (
            Damage::Undecodable("a code\nis wrong".into()),
            "cannot be decoded: a code\u{fffd}is wrong",
        ),
        (
            Damage::Unsupported("a 12-bit JPEG".into()),
            "is a 12-bit JPEG, which this program does not decode",
        ),
        (Damage::NoPixels { width: 0, height: 9 }, "has a size of 0x9 pixels"),
        (
            Damage::TooLarge { width: 70_000, height: 9 },
            "has a size of 70000x9 pixels: a frame has at most 65536 on a side, and 4 GiB when it \
             is decoded",
        ),
        (
            Damage::NoLayer { name: "Fog".into(), layers: vec!["Sky".into(), "Sea".into()] },
            "has no layer Fog: its layers are Sky, Sea",
        ),
        (Damage::Io(io::Error::other("bad disk")), "could not be read"),
    ] {
        assert_eq!(damage.to_string(), words);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_judged_without_panic(
        sample in prop::sample::select(SAMPLES),
        signature in 0..16_usize,
        bytes in prop::collection::vec(any::<u8>(), 0..512),
    ) {
        let mut file = sample.bytes[..signature].to_vec();
        file.extend(bytes);
        let _ = sample.decode_as(&file);
    }

    #[test]
    fn any_change_of_a_frame_is_judged_without_panic(
        sample in prop::sample::select(SAMPLES),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..16),
        length in any::<prop::sample::Index>(),
    ) {
        let _ = sample.changed(|bytes| {
            for (at, value) in changes {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            bytes.truncate(length.index(bytes.len() * 2) + 1);
        });
    }

    /// Numbers with all bits set would overflow sums and sizes.
    #[test]
    fn huge_numbers_in_a_frame_are_judged_without_panic(
        sample in prop::sample::select(SAMPLES),
        at in any::<prop::sample::Index>(),
        width in 1..=8_usize,
    ) {
        let _ = sample.changed(|bytes| {
            let at = at.index(bytes.len());
            let end = bytes.len().min(at + width);
            bytes[at..end].fill(0xFF);
        });
    }
}

//! Tests that apply to every format.

use std::error::Error;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};

use proptest::prelude::*;

use super::samples;
use super::samples::SAMPLES;
use super::*;

#[test]
fn a_whole_frame_has_its_size() {
    for sample in SAMPLES {
        let frame = sample.check().unwrap_or_else(|damage| {
            panic!("{} {damage}", sample.name);
        });
        assert_eq!((frame.width, frame.height), sample.size, "{}", sample.name);
    }
}

#[test]
fn a_frame_cut_anywhere_is_damaged() {
    for sample in SAMPLES {
        for length in 0..sample.bytes.len() {
            let damage = sample.check_as(&sample.bytes[..length]).err();
            match damage {
                Some(Damage::Empty) => assert_eq!(length, 0, "{}", sample.name),
                Some(Damage::Truncated { length: found, .. }) => {
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
        let frame = sample.edit(|bytes| bytes.extend_from_slice(b"more"));
        assert_eq!(frame.unwrap(), sample.check().unwrap(), "{}", sample.name);
    }
}

#[test]
fn a_frame_is_of_no_other_format() {
    for sample in SAMPLES {
        for format in ImageFormat::ALL {
            let result = check(format, Cursor::new(sample.bytes));
            match result {
                Ok(_) => assert_eq!(format, sample.format),
                Err(Damage::WrongFormat { expected, found }) => {
                    assert_eq!((expected, found), (format, Some(sample.format)));
                    assert_ne!(format, sample.format);
                }
                Err(damage) => panic!("{} as {format}: {damage}", sample.name),
            }
        }
    }
}

#[test]
fn a_file_of_zeros_is_of_no_format() {
    for format in ImageFormat::ALL {
        let result = check(format, Cursor::new([0; 4096]));
        assert!(matches!(result, Err(Damage::WrongFormat { found: None, .. })));
    }
}

#[test]
fn a_format_is_known_by_its_extension() {
    for (extension, format) in [
        ("png", Some(ImageFormat::Png)),
        ("PNG", Some(ImageFormat::Png)),
        ("jpg", Some(ImageFormat::Jpeg)),
        ("jpeg", Some(ImageFormat::Jpeg)),
        ("exr", Some(ImageFormat::OpenExr)),
        ("tif", Some(ImageFormat::Tiff)),
        ("Tiff", Some(ImageFormat::Tiff)),
        ("webp", Some(ImageFormat::WebP)),
        ("", None),
        (".png", None),
        ("bmp", Some(ImageFormat::Bmp)),
        ("tga", Some(ImageFormat::Tga)),
        ("hdr", Some(ImageFormat::Hdr)),
        ("gif", Some(ImageFormat::Gif)),
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
        (Damage::Io(io::Error::other("bad disk")), "could not be read"),
    ] {
        assert_eq!(damage.to_string(), words);
    }
}

/// A file that is shorter than it claims (`Ok`), or whose reads fail at the end (`Err`).
struct Faulty {
    content: Cursor<&'static [u8]>,
    end: io::Result<u64>,
}

impl Read for Faulty {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match (&self.end, self.content.read(buffer)?) {
            (Err(error), 0) => Err(error.kind().into()),
            (_, count) => Ok(count),
        }
    }
}

impl Seek for Faulty {
    fn seek(&mut self, target: SeekFrom) -> io::Result<u64> {
        match (target, &self.end) {
            (SeekFrom::End(0), Ok(end)) => Ok(*end),
            (SeekFrom::End(0), Err(_)) => Ok(u64::MAX),
            _ => self.content.seek(target),
        }
    }
}

#[test]
fn a_file_that_gets_shorter_while_it_is_read_is_truncated() {
    for sample in SAMPLES {
        for length in 0..sample.bytes.len() {
            let result = check(
                sample.format,
                BufReader::new(Faulty {
                    content: Cursor::new(&sample.bytes[..length]),
                    end: Ok(sample.bytes.len() as u64),
                }),
            );
            // The check skips pixels, so it may not notice that they are missing.
            assert!(
                matches!(result, Ok(_) | Err(Damage::Truncated { .. } | Damage::Corrupt { .. })),
                "{} {length} {result:?}",
                sample.name
            );
        }
    }
}

#[test]
fn a_failing_disk_is_no_damage_of_the_image() {
    for sample in SAMPLES {
        let result = check(
            sample.format,
            BufReader::new(Faulty {
                content: Cursor::new(&sample.bytes[..sample.bytes.len() / 8]),
                end: Err(io::ErrorKind::TimedOut.into()),
            }),
        );
        let damage = result.unwrap_err();
        assert!(matches!(damage, Damage::Io(_)), "{} {damage:?}", sample.name);
        assert!(damage.source().is_some());
    }
}

#[test]
fn an_animation_is_no_frame() {
    let result = samples::ANIMATION.check();
    assert!(matches!(result, Err(Damage::Animation)), "{result:?}");
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
        let _ = sample.check_as(&file);
    }

    #[test]
    fn any_change_of_a_frame_is_judged_without_panic(
        sample in prop::sample::select(SAMPLES),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..16),
        length in any::<prop::sample::Index>(),
    ) {
        let _ = sample.edit(|bytes| {
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
        let _ = sample.edit(|bytes| {
            let at = at.index(bytes.len());
            let end = bytes.len().min(at + width);
            bytes[at..end].fill(0xFF);
        });
    }
}

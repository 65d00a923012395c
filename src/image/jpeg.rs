//! JPEG: segments that begin with a marker, and scans of entropy-coded data.
//!
//! After ITU-T T.81, annex B: B.1.1.2 (markers and fill bytes), B.1.1.5
//! (entropy-coded data: `FF` is followed by `00` or a restart marker), B.2.2
//! (frame header) and B.2.3 (scan header).
//!
//! A JPEG image is whole when its segments and scans follow each other without
//! a gap from SOI to EOI, and include one frame header and a scan with data.
//! A truncated file lacks EOI. JPEG has no checksum.

use std::io::{BufRead, Seek};

use super::reader::Source;
use super::{Damage, Frame};

const START_OF_IMAGE: u8 = 0xD8;
const END_OF_IMAGE: u8 = 0xD9;
const START_OF_SCAN: u8 = 0xDA;
const SEGMENT: &str = "a segment";
const SCAN: &str = "the image data";

pub(super) fn check<R: BufRead + Seek>(source: &mut Source<R>) -> Result<Frame, Damage> {
    source.skip(2, "the signature")?;
    let mut frame = None;
    let mut scanned = false;
    let mut marker = next_marker(source)?;
    loop {
        // Offset of the marker's second byte, which was just read.
        let offset = source.position() - 1;
        marker = match marker {
            END_OF_IMAGE => {
                return match frame {
                    Some(frame) if scanned => Ok(frame),
                    _ => Err(Damage::Corrupt {
                        what: "the image ends without a frame header or image data",
                        offset,
                    }),
                };
            }
            START_OF_SCAN => {
                skip_segment(source)?;
                scanned = true;
                scan(source)?
            }
            // All SOFn markers. The three gaps are DHT, JPG and DAC.
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                let first = frame.replace(frame_header(source)?).is_none();
                if !first {
                    return Err(Damage::Corrupt { what: "a second frame header", offset });
                }
                next_marker(source)?
            }
            // RSTn is valid only in a scan, and so is 00 after FF.
            0x00 | 0xD0..=0xD7 | START_OF_IMAGE => {
                return Err(Damage::Corrupt { what: "a marker where it cannot be", offset });
            }
            // TEM is a marker without a segment.
            0x01 => next_marker(source)?,
            _ => {
                skip_segment(source)?;
                next_marker(source)?
            }
        };
    }
}

/// Reads the next marker, after any number of fill bytes.
fn next_marker<R: BufRead + Seek>(source: &mut Source<R>) -> Result<u8, Damage> {
    let offset = source.position();
    if source.byte(SEGMENT)? != 0xFF {
        return Err(Damage::Corrupt { what: "no marker after the end of a segment", offset });
    }
    loop {
        let marker = source.byte(SEGMENT)?;
        if marker != 0xFF {
            return Ok(marker);
        }
    }
}

/// Skips entropy-coded data and returns the marker after it.
fn scan<R: BufRead + Seek>(source: &mut Source<R>) -> Result<u8, Damage> {
    let start = source.position();
    let mut data = false;
    loop {
        data |= source.skip_past(0xFF, SCAN)? > 0;
        let mut code = source.byte(SCAN)?;
        while code == 0xFF {
            code = source.byte(SCAN)?;
        }
        match code {
            // FF 00 is a data byte of FF.
            0x00 => data = true,
            0xD0..=0xD7 => {}
            marker if data => return Ok(marker),
            _ => {
                return Err(Damage::Corrupt { what: "a scan without image data", offset: start });
            }
        }
    }
}

fn frame_header<R: BufRead + Seek>(source: &mut Source<R>) -> Result<Frame, Damage> {
    let offset = source.position();
    let length = segment_length(source)?;
    let [_precision, h1, h0, w1, w0] = source.bytes(SEGMENT)?;
    let end = offset + u64::from(length);
    if end < source.position() {
        return Err(Damage::Corrupt { what: "the frame header is too short", offset });
    }
    source.seek(end, SEGMENT)?;
    Frame::plain(u16::from_be_bytes([w1, w0]).into(), u16::from_be_bytes([h1, h0]).into(), offset)
}

fn skip_segment<R: BufRead + Seek>(source: &mut Source<R>) -> Result<(), Damage> {
    let start = source.position();
    let length = segment_length(source)?;
    source.seek(start + u64::from(length), SEGMENT)
}

/// Reads the length of a segment, including the two bytes of the length itself.
fn segment_length<R: BufRead + Seek>(source: &mut Source<R>) -> Result<u16, Damage> {
    let offset = source.position();
    let length = u16::from_be_bytes(source.bytes(SEGMENT)?);
    if length < 2 {
        return Err(Damage::Corrupt { what: "a segment shorter than its own length", offset });
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use crate::image::samples::{assert_corrupt, named, of};
    use crate::request::ImageFormat;

    #[test]
    fn zeros_at_the_end_are_noticed() {
        for sample in of(ImageFormat::Jpeg) {
            assert!(sample.zeroed_tails_unnoticed().is_empty(), "{}", sample.name);
        }
    }

    #[test]
    fn zeros_between_segments_are_noticed() {
        let sample = named("blender-rgb.jpg");
        let tables = sample.position_of(&[0xFF, 0xDB]);
        let result = sample.edit(|bytes| bytes[tables..tables + 2].fill(0));
        assert_corrupt(result, "no marker");
    }

    #[test]
    fn the_frame_header_tells_a_size() {
        let sample = named("blender-rgb.jpg");
        let header = sample.position_of(&[0xFF, 0xC0]);
        let no_height = sample.edit(|bytes| bytes[header + 5..header + 7].fill(0));
        assert_corrupt(no_height, "width or height of 0");
        let too_short = sample.edit(|bytes| bytes[header + 3] = 6);
        assert_corrupt(too_short, "too short");
    }

    #[test]
    fn small_files_are_judged_by_what_they_lack() {
        type Verdict = Result<(u32, u32), &'static str>;
        let sample = named("blender-rgb.jpg");
        // Length 11, 8 bits, 2 rows, 1 column, one component.
        let frame: &[u8] = &[0xFF, 0xC0, 0, 11, 8, 0, 2, 0, 1, 1, 1, 0x11, 0];
        let scan: &[u8] = &[0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0];
        let cases: [(&[&[u8]], Verdict); 10] = [
            (&[frame, scan, &[1, 0xFF, 0xD9]], Ok((1, 2))),
            (&[frame, scan, &[1, 0xFF, 0xFF, 0xFF, 0xD9]], Ok((1, 2))),
            (&[frame, scan, &[0xFF, 0x00, 0xFF, 0xD9]], Ok((1, 2))),
            (&[&[0xFF, 0x01], frame, scan, &[1, 0xFF, 0xD9]], Ok((1, 2))),
            (&[frame, scan, &[0xFF, 0xD0, 0xFF, 0xD9]], Err("without image data")),
            (&[frame, &[0xFF, 0xFE, 0, 2, 0xFF, 0xD9]], Err("without a frame header")),
            (&[scan, &[1, 0xFF, 0xD9]], Err("without a frame header")),
            (&[frame, frame, scan, &[1, 0xFF, 0xD9]], Err("a second frame header")),
            (&[&[0xFF, 0xD0], frame, scan], Err("where it cannot be")),
            (&[&[0xFF, 0xFE, 0, 1], frame, scan], Err("shorter than its own length")),
        ];
        for (parts, expected) in cases {
            let bytes = [&[0xFF, 0xD8], parts.concat().as_slice()].concat();
            match (sample.check_as(&bytes), expected) {
                (Ok(frame), Ok(size)) => assert_eq!((frame.width, frame.height), size),
                (result, Err(words)) => assert_corrupt(result, words),
                (result, _) => panic!("{bytes:02x?}: {result:?}"),
            }
        }
    }
}

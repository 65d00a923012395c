//! The segments and scans of a JPEG file, from SOI to EOI (ITU-T T.81, annex B).
//!
//! Everything that the pixels come from is checked here, and copied for the decoder. The copy
//! lacks what other programs added: thumbnails, profiles, further images.

use ::image::metadata::Orientation;

use super::colour::Colours;
use super::frame::Frame;
use super::huffman::Table;
use super::scan::{self, Part, Scan};
use crate::image::decode::profile::other_than_srgb;
use crate::image::{Damage, PixelAspect};

const START_OF_IMAGE: u8 = 0xD8;
const END_OF_IMAGE: u8 = 0xD9;

/// Each scan costs time for every block, even if it has few bytes. Progressive images have about
/// ten.
const MOST_SCANS: usize = 100;

/// A JPEG image that is whole.
pub(super) struct Jpeg {
    pub(super) frame: Frame,
    pub(super) colours: Colours,
    pub(super) pixel_aspect: PixelAspect,
    pub(super) orientation: Orientation,
    /// The name of its colour profile, if that is another one than sRGB.
    pub(super) profile: Option<String>,
    /// The tables, the frame header and the scans, as a JPEG file of their own.
    pub(super) essence: Vec<u8>,
}

/// What the segments before the scans say.
#[derive(Default)]
struct State {
    frame: Option<Frame>,
    dc: [Option<Table>; 4],
    ac: [Option<Table>; 4],
    /// The number of units between restart markers, or 0.
    restart_interval: usize,
    scans: usize,
    density: Option<PixelAspect>,
    exif: Option<Orientation>,
    profile: Option<String>,
    /// Whether JFIF says that the colours are Y, Cb and Cr.
    jfif: bool,
    /// The transform in Adobe's segment.
    adobe: Option<u8>,
    essence: Vec<u8>,
}

pub(super) fn walk(file: &[u8]) -> Result<Jpeg, Damage> {
    let mut state = State { essence: vec![0xFF, START_OF_IMAGE], ..State::default() };
    let mut at = 2;
    loop {
        let (marker, content_at) = next_marker(file, at)?;
        let corrupt = |what| Damage::Corrupt { what, offset: at as u64 };
        match marker {
            END_OF_IMAGE => break,
            // RSTn is valid only in a scan, and so is 00 after FF.
            0x00 | 0xD0..=0xD7 | START_OF_IMAGE => {
                return Err(corrupt("a marker where it cannot be"));
            }
            // TEM is a marker without a segment.
            0x01 => {
                at = content_at;
                continue;
            }
            _ => {}
        }
        let (content, end) = segment(file, content_at)?;
        match marker {
            // DQT after the first scan is valid, but no program writes it.
            0xDB if state.scans > 0 => {
                return Err(Damage::Unsupported("a JPEG that changes its quantization".into()));
            }
            0xDB => check_quantization(content).ok_or_else(|| corrupt("a malformed table"))?,
            0xC4 => state.huffman_tables(content).ok_or_else(|| corrupt("a malformed table"))?,
            0xDD => match content {
                &[high, low] => state.restart_interval = u16::from_be_bytes([high, low]).into(),
                _ => return Err(corrupt("a malformed restart interval")),
            },
            0xC0..=0xC2 if state.frame.is_some() => return Err(corrupt("a second frame header")),
            0xC0..=0xC2 => state.frame = Some(Frame::parse(content, marker == 0xC2)?),
            0xC3 | 0xC5..=0xC7 | 0xC9..=0xCF | 0xF7 => return Err(unsupported(marker)),
            0xDC => return Err(Damage::Unsupported("a JPEG without a height".into())),
            0xDA => {}
            _ => {
                state.application(marker, content);
                at = end;
                continue;
            }
        }
        state.essence.extend_from_slice(&[0xFF, marker]);
        state.essence.extend_from_slice(file.get(content_at..end).unwrap_or_default());
        at = end;
        if marker == 0xDA {
            at = state.scan(file, content, end)?;
            state.essence.extend_from_slice(file.get(end..at).unwrap_or_default());
        }
    }
    state.finish(at)
}

/// The next marker, after any number of fill bytes, and the offset after it.
fn next_marker(file: &[u8], mut at: usize) -> Result<(u8, usize), Damage> {
    let cut = || Damage::truncated(file, "a segment");
    if *file.get(at).ok_or_else(cut)? != 0xFF {
        let what = "no marker after the end of a segment";
        return Err(Damage::Corrupt { what, offset: at as u64 });
    }
    loop {
        at += 1;
        match *file.get(at).ok_or_else(cut)? {
            0xFF => {}
            marker => return Ok((marker, at + 1)),
        }
    }
}

/// The content of the segment whose length is at `at`, and the offset after it.
fn segment(file: &[u8], at: usize) -> Result<(&[u8], usize), Damage> {
    let cut = || Damage::truncated(file, "a segment");
    let length = file.get(at..).and_then(<[u8]>::first_chunk).ok_or_else(cut)?;
    // The length includes its own two bytes.
    let length = usize::from(u16::from_be_bytes(*length));
    if length < 2 {
        let what = "a segment shorter than its own length";
        return Err(Damage::Corrupt { what, offset: at as u64 });
    }
    let content = file.get(at + 2..at + length).ok_or_else(cut)?;
    Ok((content, at + length))
}

/// Checks the tables in a DQT segment (T.81, B.2.4.1). No coefficient is divided by 0.
fn check_quantization(mut content: &[u8]) -> Option<()> {
    while let [place, rest @ ..] = content {
        let (table, rest) = rest.split_at_checked(64 * (usize::from(place >> 4) + 1))?;
        let possible = match place >> 4 {
            0 => !table.contains(&0),
            1 => !table.as_chunks::<2>().0.contains(&[0, 0]),
            _ => false,
        };
        if !possible {
            return None;
        }
        content = rest;
    }
    Some(())
}

/// The kinds of JPEG with other frame headers (T.81, table B.1; JPEG-LS: T.87, C.1.1).
fn unsupported(marker: u8) -> Damage {
    let kind = match marker {
        0xC3 => "a lossless JPEG",
        0xC5..=0xC7 => "a hierarchical JPEG",
        0xF7 => "a JPEG-LS image",
        _ => "a JPEG with arithmetic coding",
    };
    Damage::Unsupported(kind.to_owned())
}

impl State {
    /// Reads the tables in a DHT segment (T.81, B.2.4.2).
    fn huffman_tables(&mut self, mut content: &[u8]) -> Option<()> {
        while let Some((&[place, ref counts @ ..], rest)) = content.split_first_chunk::<17>() {
            let values = counts.iter().map(|&count| usize::from(count)).sum();
            let (values, rest) = rest.split_at_checked(values)?;
            let tables = match place >> 4 {
                0 => &mut self.dc,
                1 => &mut self.ac,
                _ => return None,
            };
            *tables.get_mut(usize::from(place & 15))? = Some(Table::new(counts, values)?);
            content = rest;
        }
        content.is_empty().then_some(())
    }

    /// Reads a segment that does not change the pixels that are stored.
    fn application(&mut self, marker: u8, content: &[u8]) {
        match (marker, content) {
            // ITU-T T.871, 10.1: the shape of a pixel is the inverse of the densities.
            (0xE0, [b'J', b'F', b'I', b'F', 0, _, _, _, x1, x0, y1, y0, ..]) => {
                let [x, y] = [[*x1, *x0], [*y1, *y0]].map(u16::from_be_bytes);
                self.density = Some(PixelAspect::new(y.into(), x.into()));
                self.jfif = true;
            }
            (0xE1, [b'E', b'x', b'i', b'f', 0, _, exif @ ..]) => {
                self.exif = self.exif.or_else(|| Orientation::from_exif_chunk(exif));
            }
            // ICC.1, B.4: a profile can be divided. The first part begins with its name, usually.
            (0xE2, content) => {
                if let Some([_count, icc @ ..]) = content.strip_prefix(b"ICC_PROFILE\0\x01") {
                    self.profile = other_than_srgb(icc);
                }
            }
            // Adobe's technical note 5116, section 18.
            (0xEE, [b'A', b'd', b'o', b'b', b'e', _, _, _, _, _, _, transform, ..]) => {
                self.adobe = Some(*transform);
            }
            _ => {}
        }
    }

    /// Checks the scan whose header has this content and whose data begins at `at`. Returns the
    /// offset after the data.
    fn scan(&mut self, file: &[u8], content: &[u8], at: usize) -> Result<usize, Damage> {
        let corrupt = |what| Damage::Corrupt { what, offset: at as u64 };
        let malformed = || corrupt("a malformed scan header");
        self.scans += 1;
        if self.scans > MOST_SCANS {
            return Err(Damage::Unsupported(format!("a JPEG of more than {MOST_SCANS} scans")));
        }
        let frame = self.frame.as_mut().ok_or_else(|| corrupt("a scan before the frame header"))?;
        let [count, rest @ ..] = content else { return Err(malformed()) };
        let Some((pairs, &[first, last, bits])) = rest.split_at_checked(2 * usize::from(*count))
        else {
            return Err(malformed());
        };
        let mut components: Vec<Part> = Vec::new();
        for &[id, tables] in pairs.as_chunks().0 {
            let index = frame.components.iter().position(|component| component.id == id);
            let index = index.ok_or_else(malformed)?;
            if components.iter().any(|part| part.index == index) {
                return Err(malformed());
            }
            components.push(Part {
                index,
                dc: self.dc.get(usize::from(tables >> 4)).and_then(Option::as_ref),
                ac: self.ac.get(usize::from(tables & 15)).and_then(Option::as_ref),
            });
        }
        if !frame.progressive && components.len() != frame.components.len() {
            return Err(Damage::Unsupported("a JPEG with its colours in separate scans".into()));
        }
        let possible = match (frame.progressive, first) {
            (false, _) => true,
            (true, 0) => last == 0,
            (true, _) => (first..=63).contains(&last) && components.len() == 1,
        };
        if components.is_empty() || !possible {
            return Err(malformed());
        }
        if first == 0 {
            for part in &components {
                let Some(component) = frame.components.get_mut(part.index) else { continue };
                if component.scanned && !frame.progressive {
                    return Err(corrupt("a second scan"));
                }
                component.scanned = true;
            }
        }
        let scan = Scan { components, first, last, refines: bits >> 4 != 0 };
        scan::check(file, at, frame, &scan, self.restart_interval)
    }

    /// The image, whose end is at `at`.
    fn finish(mut self, at: usize) -> Result<Jpeg, Damage> {
        let frame = self.frame.filter(|frame| frame.components.iter().all(|one| one.scanned));
        let frame = frame.ok_or(Damage::Corrupt {
            what: "the image ends without a frame header or image data",
            offset: at as u64,
        })?;
        self.essence.extend_from_slice(&[0xFF, END_OF_IMAGE]);
        let ids: Vec<_> = frame.components.iter().map(|component| component.id).collect();
        Ok(Jpeg {
            colours: Colours::of(&ids, self.jfif, self.adobe),
            frame,
            pixel_aspect: self.density.unwrap_or(PixelAspect::SQUARE),
            profile: self.profile,
            orientation: self.exif.unwrap_or(Orientation::NoTransforms),
            essence: self.essence,
        })
    }
}

//! Radiance HDR: linear light, with one exponent for the three colours of a pixel.
//!
//! After the [description of Radiance's file formats][spec], "Picture File Format". There is no
//! checksum: a changed pixel is noticed only where it changes the length of a row.
//!
//! [spec]: https://radsite.lbl.gov/radiance/refer/filefmts.pdf

use ::image::Rgb32FImage;
use ::image::metadata::Orientation;

use super::size::check_size;
use crate::image::{Damage, Picture};

/// Three mantissas and their exponent.
type Rgbe = [u8; 4];

pub(super) fn decode(file: &[u8]) -> Result<Picture, Damage> {
    let mut reader = Reader { file, at: 0 };
    loop {
        match reader.line()? {
            [] => break,
            line if !line.starts_with(b"FORMAT=") || line == b"FORMAT=32-bit_rle_rgbe" => {}
            _ => return Err(Damage::Unsupported("an HDR image of other colours than RGB".into())),
        }
    }
    let line = reader.line()?;
    let (columns, rows, orientation) =
        size(line).ok_or_else(|| reader.corrupt("the line that tells the size is wrong"))?;
    check_size(columns, rows, size_of::<[f32; 3]>() as u64)?;

    let mut image = Rgb32FImage::new(columns, rows);
    let mut stored = vec![Rgbe::default(); columns as usize];
    for pixels in image.rows_mut() {
        reader.row(&mut stored)?;
        for (pixel, &stored) in pixels.zip(&stored) {
            pixel.0 = linear(stored);
        }
    }
    Ok(Picture::plain(image.into()).oriented(orientation))
}

/// The number of columns and rows as they are stored, and how the image is turned.
fn size(line: &[u8]) -> Option<(u32, u32, Orientation)> {
    let mut words = str::from_utf8(line).ok()?.split_ascii_whitespace();
    let (outer, rows, inner, columns) =
        (words.next()?, words.next()?, words.next()?, words.next()?);
    let orientation = match (outer, inner) {
        ("-Y", "+X") => Orientation::NoTransforms,
        ("-Y", "-X") => Orientation::FlipHorizontal,
        ("+Y", "-X") => Orientation::Rotate180,
        ("+Y", "+X") => Orientation::FlipVertical,
        ("+X", "-Y") => Orientation::Rotate90FlipH,
        ("-X", "-Y") => Orientation::Rotate90,
        ("-X", "+Y") => Orientation::Rotate270FlipH,
        ("+X", "+Y") => Orientation::Rotate270,
        _ => return None,
    };
    Some((columns.parse().ok()?, rows.parse().ok()?, orientation))
}

/// The light of a pixel, which is always finite.
fn linear([r, g, b, exponent]: Rgbe) -> [f32; 3] {
    let unit = if exponent == 0 { 0.0 } else { f32::powi(2.0, i32::from(exponent) - 128 - 8) };
    [r, g, b].map(|mantissa| f32::from(mantissa) * unit)
}

struct Reader<'a> {
    file: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn corrupt(&self, what: &'static str) -> Damage {
        Damage::Corrupt { what, offset: self.at as u64 }
    }

    /// The next line of the header, without its end.
    fn line(&mut self) -> Result<&'a [u8], Damage> {
        let rest = self.file.get(self.at..).unwrap_or_default();
        let end = rest.iter().position(|&byte| byte == b'\n');
        let (line, _) = end
            .and_then(|end| rest.split_at_checked(end))
            .ok_or_else(|| Damage::truncated(self.file, "the header"))?;
        self.at += line.len() + 1;
        Ok(line)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        let rest = self.file.get(self.at..).unwrap_or_default();
        let bytes = rest.first_chunk().ok_or_else(|| Damage::truncated(self.file, "a row"))?;
        self.at += N;
        Ok(*bytes)
    }

    fn row(&mut self, row: &mut [Rgbe]) -> Result<(), Damage> {
        let start = self.at;
        let [two, also_two, high, low] = self.bytes()?;
        // Only rows of these lengths are stored component by component.
        if (two, also_two, high & 0x80) != (2, 2, 0) || !(8..0x8000).contains(&row.len()) {
            self.at = start;
            return self.row_of_pixels(row);
        }
        if usize::from(u16::from_be_bytes([high, low])) != row.len() {
            self.at = start;
            return Err(self.corrupt("the length of a row is wrong"));
        }
        (0..4).try_for_each(|component| self.component(row, component))
    }

    /// Reads one component of a row: runs of one value (above 128), and series of values.
    fn component(&mut self, mut row: &mut [Rgbe], component: usize) -> Result<(), Damage> {
        while !row.is_empty() {
            let [count] = self.bytes()?;
            let run = count > 128;
            let length = usize::from(if run { count - 128 } else { count });
            let Some((part, rest)) = row.split_at_mut_checked(length).filter(|_| length > 0) else {
                return Err(self.corrupt("a run of values does not fit its row"));
            };
            row = rest;
            let mut value = 0;
            for (index, pixel) in part.iter_mut().enumerate() {
                if index == 0 || !run {
                    [value] = self.bytes()?;
                }
                if let Some(place) = pixel.get_mut(component) {
                    *place = value;
                }
            }
        }
        Ok(())
    }

    /// Reads pixel by pixel. A pixel of (1, 1, 1, count) repeats the one before it. When several of
    /// them follow each other, their counts are the digits of one number, lowest digit first.
    fn row_of_pixels(&mut self, mut row: &mut [Rgbe]) -> Result<(), Damage> {
        let mut last = None;
        // In bits. The longest row takes three digits.
        let mut digit = 0;
        while !row.is_empty() {
            let stored = self.bytes()?;
            let (pixel, length) = match (stored, last) {
                ([1, 1, 1, count], Some(last)) if digit <= 16 => {
                    digit += 8;
                    (last, usize::from(count) << (digit - 8))
                }
                ([1, 1, 1, _], _) => {
                    return Err(self.corrupt("a run of pixels that repeats nothing"));
                }
                _ => {
                    digit = 0;
                    (stored, 1)
                }
            };
            let Some((part, rest)) = row.split_at_mut_checked(length) else {
                return Err(self.corrupt("a run of pixels does not fit its row"));
            };
            part.fill(pixel);
            last = Some(pixel);
            row = rest;
        }
        Ok(())
    }
}

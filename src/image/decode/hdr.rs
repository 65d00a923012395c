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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::samples::{assert_corrupt, named};

    /// A file with this line about the size, and this data.
    fn file(size: &str, data: &[u8]) -> Vec<u8> {
        let header = format!("#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n{size}\n");
        [header.as_bytes(), data].concat()
    }

    /// The red values of the picture, from left to right and then from top to bottom.
    fn reds(size: &str, data: &[u8]) -> Result<Vec<f32>, Damage> {
        let picture = decode(&file(size, data))?;
        Ok(picture.pixels.to_rgb32f().pixels().map(|pixel| pixel.0[0]).collect())
    }

    /// Pixels of these red values.
    fn pixels(reds: &[u8]) -> Vec<u8> {
        reds.iter().flat_map(|&red| [red, 0, 0, 136]).collect()
    }

    #[test]
    fn light_has_an_exponent() {
        assert_eq!(linear([128, 64, 0, 129]).to_vec(), [1.0, 0.5, 0.0]);
        assert_eq!(linear([255, 255, 255, 0]).to_vec(), [0.0; 3]);
        assert!(linear([255; 4]).iter().all(|value| value.is_finite()));
    }

    #[test]
    fn the_line_about_the_size_tells_how_the_picture_is_turned() {
        let data = pixels(&[10, 20, 30, 40, 50, 60]);
        for (size, shown) in [
            ("-Y 2 +X 3", [10., 20., 30., 40., 50., 60.]),
            ("-Y 2 -X 3", [30., 20., 10., 60., 50., 40.]),
            ("+Y 2 +X 3", [40., 50., 60., 10., 20., 30.]),
            ("+Y 2 -X 3", [60., 50., 40., 30., 20., 10.]),
            // Each stored row is a column.
            ("+X 2 -Y 3", [10., 40., 20., 50., 30., 60.]),
            ("+X 2 +Y 3", [30., 60., 20., 50., 10., 40.]),
            ("-X 2 -Y 3", [40., 10., 50., 20., 60., 30.]),
            ("-X 2 +Y 3", [60., 30., 50., 20., 40., 10.]),
        ] {
            assert_eq!(reds(size, &data).unwrap(), shown, "{size}");
        }
        for size in ["", "-Y 2", "-Y 2 +Y 3", "-Y two +X 3", "-Y -2 +X 3"] {
            assert_corrupt(reds(size, &data), "the size");
        }
    }

    #[test]
    fn pixels_are_repeated() {
        let run = |count: u8| [1, 1, 1, count];
        let begin = pixels(&[7]);
        let short = [&begin[..], &run(3), &pixels(&[9])].concat();
        assert_eq!(reds("-Y 1 +X 5", &short).unwrap(), [7., 7., 7., 7., 9.]);
        let long = [&begin[..], &run(1), &run(1)].concat();
        assert_eq!(reds("-Y 1 +X 258", &long).unwrap(), [7.; 258]);

        assert_corrupt(reds("-Y 1 +X 3", &short), "does not fit");
        assert_corrupt(reds("-Y 1 +X 3", &run(3)), "repeats nothing");
        let endless = [&begin[..], &run(0).repeat(99)].concat();
        assert_corrupt(reds("-Y 1 +X 3", &endless), "repeats nothing");
    }

    #[test]
    fn components_are_stored_one_by_one() {
        // Red: eight values. Green and blue: runs of 8 zeros. Exponent: runs of 3 and 5.
        let row = [&[2, 2, 0, 8, 8, 1, 2, 3, 4, 5, 6, 7, 8][..], &[136, 0, 136, 0]].concat();
        let row = [&row[..], &[131, 136, 133, 136]].concat();
        assert_eq!(reds("-Y 1 +X 8", &row).unwrap(), [1., 2., 3., 4., 5., 6., 7., 8.]);

        let changed = |at: usize, value: u8| {
            let mut row = row.clone();
            row[at] = value;
            reds("-Y 1 +X 8", &row)
        };
        assert_corrupt(changed(3, 9), "length of a row");
        assert_corrupt(changed(4, 9), "does not fit");
        assert_corrupt(changed(4, 0), "does not fit");
        assert!(matches!(reds("-Y 2 +X 8", &row), Err(Damage::Truncated { .. })));
    }

    #[test]
    fn only_rgb_is_decoded() {
        let result = named("blender.hdr").changed(|bytes| {
            let at = bytes.windows(4).position(|window| window == b"rgbe").unwrap();
            bytes[at..at + 4].copy_from_slice(b"xyze");
        });
        assert!(matches!(result, Err(Damage::Unsupported(_))));
    }

    #[test]
    fn a_giant_size_is_refused_before_memory_is_taken() {
        let result = reds("-Y 65536 +X 65536", &[]);
        assert!(matches!(result, Err(Damage::TooLarge { .. })));
    }
}

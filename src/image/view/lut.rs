//! A 3D lookup table (LUT): Blender's own display transform, at the points of a lattice.
//!
//! It is stored as a PNG of 16 bits: a row for each value of blue, and in it, red counts fastest,
//! then green. Two texts in the PNG name the axis and the exposure.

use std::hint::select_unpredictable;
use std::io::Cursor;

use png::text_metadata::TEXtChunk;
use png::{BitDepth, ColorType, Compression, Decoder, Encoder, Limits};
use sha2::{Digest as _, Sha256};

use super::axis::{AXIS_LENGTH, AXIS_NAME, positions};
use super::curve::Curve;

/// The number of colours.
const COLOURS: usize = AXIS_LENGTH * AXIS_LENGTH * AXIS_LENGTH;

/// The size of the image in pixels.
#[expect(clippy::cast_possible_truncation, reason = "4225 x 65")]
const SIZE: (u32, u32) = ((AXIS_LENGTH * AXIS_LENGTH) as u32, AXIS_LENGTH as u32);

/// The keywords of the texts in the PNG.
const AXIS: &str = "Axis";
const EXPOSURE: &str = "Exposure";

/// The largest exposure in stops. Blender's is 32.
const MAX_EXPOSURE: f32 = 64.0;

/// The memory that the decoder of PNG may use, in bytes. The image takes less than 2 MB.
const MAX_MEMORY: usize = 8 << 20;

/// A 3D LUT from linear light to values for a display.
#[derive(Clone, Debug)]
pub struct Lut {
    /// The position on an axis of a sample of linear light.
    positions: Curve,
    /// The colours: red counts fastest, then green. The fourth value makes an entry quick to read.
    colours: Vec<[f32; 4]>,
}

/// The distances of neighbours along red, green and blue in [`Lut::colours`].
const STRIDES: [usize; 3] = [1, AXIS_LENGTH, AXIS_LENGTH * AXIS_LENGTH];

/// A LUT as it is stored with the frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredLut {
    /// The name of the file, the same for the same content.
    pub name: String,
    /// The content of the file, a PNG.
    pub png: Vec<u8>,
}

impl StoredLut {
    /// The LUT that Blender made with the values of [`axis`](super::axis), for an exposure in
    /// stops. `png` is Blender's file.
    ///
    /// # Errors
    /// What is wrong with the file or the exposure.
    pub fn new(png: &[u8], exposure: f32) -> Result<Self, String> {
        let exposure = valid(exposure)?;
        let samples = Content::decode(png)?.samples;
        let hash = Sha256::new().chain_update(AXIS_NAME).chain_update(exposure.to_le_bytes());
        let hash = hash.chain_update(&samples).finalize();
        let hash = hash.first_chunk().copied().map(u64::from_be_bytes).unwrap_or_default();
        let png = encode(&samples, exposure).map_err(|error| error.to_string())?;
        Ok(Self { name: format!("view-{hash:016x}.png"), png })
    }
}

impl Lut {
    /// Reads a [`StoredLut`].
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn parse(png: &[u8]) -> Result<Self, String> {
        let content = Content::decode(png)?;
        let axis = content.text(AXIS)?;
        if axis != AXIS_NAME {
            return Err(format!("its axis is {axis}, not {AXIS_NAME}"));
        }
        let exposure = content.text(EXPOSURE)?.parse().map_err(|_| "its exposure is no number")?;
        let exposure: f32 = valid(exposure)?;
        let (samples, _) = content.samples.as_chunks::<2>();
        let (pixels, _) = samples.as_chunks::<3>();
        let value = |sample: [u8; 2]| f32::from(u16::from_be_bytes(sample));
        let colours =
            pixels.iter().map(|&[red, green, blue]| [value(red), value(green), value(blue), 0.0]);
        Ok(Self { positions: positions((-exposure).exp2()), colours: colours.collect() })
    }

    /// The colour for a display, from 0 to 65535, of a colour in linear light.
    ///
    /// Interpolation is tetrahedral: between the four corners of the lattice that lead from the
    /// darkest one of a cell to its brightest, in the order of the largest differences. It keeps
    /// greys grey, and bends less than trilinear interpolation where a transform clips.
    #[inline]
    pub fn at(&self, colour: [f32; 3]) -> [f32; 3] {
        let [red, green, blue] = colour.map(|sample| self.positions.at(sample));
        let [(r, red), (g, green), (b, blue)] = [red, green, blue].map(cell);
        let [along_red, along_green, along_blue] = STRIDES;
        let steps = ((red, along_red), (green, along_green), (blue, along_blue));
        let (first, second) = sorted(steps.0, steps.1);
        let (second, third) = sorted(second, steps.2);
        let (first, second) = sorted(first, second);
        let mut corner = r * along_red + g * along_green + b * along_blue;
        let mut sum = self.scaled(corner, 1.0 - first.0);
        let weights = [first.0 - second.0, second.0 - third.0, third.0];
        for ((_, stride), weight) in [first, second, third].into_iter().zip(weights) {
            corner += stride;
            let next = self.scaled(corner, weight);
            for (sum, next) in sum.iter_mut().zip(next) {
                *sum += next;
            }
        }
        let [red, green, blue, _] = sum;
        [red, green, blue]
    }

    #[inline]
    fn scaled(&self, corner: usize, weight: f32) -> [f32; 4] {
        // Every corner exists.
        self.colours.get(corner).copied().unwrap_or_default().map(|value| value * weight)
    }
}

/// Two steps from a corner of a cell to the next, which are a part of the cell and a stride: the
/// larger part first.
#[inline]
fn sorted(one: (f32, usize), two: (f32, usize)) -> ((f32, usize), (f32, usize)) {
    // A branch would be mispredicted at every other pixel.
    let swap = one.0 < two.0;
    (select_unpredictable(swap, two, one), select_unpredictable(swap, one, two))
}

/// The index of the cell that contains a position, and the position in it, from 0 to 1.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "from 0 to 64"
)]
fn cell(position: f32) -> (usize, f32) {
    let cell = (position as usize).min(AXIS_LENGTH - 2);
    (cell, position - cell as f32)
}

fn valid(exposure: f32) -> Result<f32, String> {
    let is_valid = exposure.abs() <= MAX_EXPOSURE;
    is_valid.then_some(exposure).ok_or_else(|| format!("its exposure is {exposure}"))
}

/// The content of the PNG of a LUT.
struct Content {
    /// The samples, with the high byte first.
    samples: Vec<u8>,
    /// The texts.
    texts: Vec<TEXtChunk>,
}

impl Content {
    fn decode(png: &[u8]) -> Result<Self, String> {
        let damaged = |error: png::DecodingError| error.to_string();
        let limits = Limits { bytes: MAX_MEMORY };
        let decoder = Decoder::new_with_limits(Cursor::new(png), limits);
        let mut reader = decoder.read_info().map_err(damaged)?;
        let info = reader.info();
        let format = (info.width, info.height, info.color_type, info.bit_depth);
        if format != (SIZE.0, SIZE.1, ColorType::Rgb, BitDepth::Sixteen) {
            return Err(format!("its width, height, channels and depth are {format:?}"));
        }
        let mut samples = vec![0; COLOURS * 6];
        reader.next_frame(&mut samples).map_err(damaged)?;
        reader.finish().map_err(damaged)?;
        Ok(Self { samples, texts: reader.info().uncompressed_latin1_text.clone() })
    }

    fn text(&self, keyword: &str) -> Result<&str, String> {
        let found = self.texts.iter().find(|text| text.keyword == keyword);
        found.map(|text| text.text.as_str()).ok_or_else(|| format!("it has no text {keyword}"))
    }
}

fn encode(samples: &[u8], exposure: f32) -> Result<Vec<u8>, png::EncodingError> {
    let mut png = Vec::new();
    let mut encoder = Encoder::new(&mut png, SIZE.0, SIZE.1);
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Sixteen);
    encoder.set_compression(Compression::Fast);
    encoder.add_text_chunk(AXIS.to_owned(), AXIS_NAME.to_owned())?;
    encoder.add_text_chunk(EXPOSURE.to_owned(), exposure.to_string())?;
    let mut writer = encoder.write_header()?;
    writer.write_image_data(samples)?;
    writer.finish()?;
    Ok(png)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::image::view::axis;

    /// The file that Blender would make for `shown`, a function to values from 0 to 65535.
    pub(in crate::image::view) fn blenders(
        exposure: f32,
        shown: impl Fn([f32; 3]) -> [u16; 3],
    ) -> Vec<u8> {
        let axis = axis().map(|value| value * (-exposure).exp2());
        let greens = axis.iter().flat_map(|green| axis.map(|red| (red, *green)));
        let colours = axis.iter().flat_map(|blue| greens.clone().map(|(r, g)| [r, g, *blue]));
        let samples: Vec<u8> = colours.flat_map(shown).flat_map(u16::to_be_bytes).collect();
        let mut png = Vec::new();
        let mut encoder = Encoder::new(&mut png, SIZE.0, SIZE.1);
        encoder.set_color(ColorType::Rgb);
        encoder.set_depth(BitDepth::Sixteen);
        encoder.add_text_chunk("Date".to_owned(), "2026/01/01 00:00:00".to_owned()).unwrap();
        encoder.write_header().unwrap().write_image_data(&samples).unwrap();
        png
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 65535")]
    fn ramps([red, green, blue]: [f32; 3]) -> [u16; 3] {
        [red * 60000.0, green * 30000.0, blue * 10000.0].map(|value| value.min(65535.0) as u16)
    }

    #[test]
    fn a_stored_lut_shows_what_blender_showed() {
        for exposure in [0.0, -3.0, 1.5] {
            let stored = StoredLut::new(&blenders(exposure, ramps), exposure).unwrap();
            let lut = Lut::parse(&stored.png).unwrap();
            for colour in [[0.0; 3], [0.1, 0.2, 0.3], [0.9, 0.01, 0.4], [0.02, 0.5, 0.03]] {
                for (found, expected) in lut.at(colour).into_iter().zip(ramps(colour)) {
                    // Between points, a straight line bends: they are steps in stops.
                    let error = (found - f32::from(expected)).abs() / (f32::from(expected) + 100.0);
                    assert!(error < 0.02, "{exposure} {colour:?}: {found} instead of {expected}");
                }
            }
            assert!(lut.at([1e9; 3]).iter().all(|&value| value > 65534.9));
            assert!(lut.at([-1.0, f32::NAN, f32::NEG_INFINITY]).iter().all(|&value| value < 0.1));
        }
    }

    #[test]
    fn the_name_depends_on_the_content_alone() {
        let blenders = blenders(0.0, ramps);
        let stored = StoredLut::new(&blenders, 0.0).unwrap();
        assert_eq!(StoredLut::new(&stored.png, 0.0).unwrap(), stored);
        assert_ne!(StoredLut::new(&blenders, 1.0).unwrap().name, stored.name);
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
        assert!(stored.name.chars().all(is_plain), "{}", stored.name);
    }

    #[test]
    fn other_files_are_refused() {
        let blenders = blenders(0.0, ramps);
        assert!(Lut::parse(&blenders).is_err(), "it does not name its axis");
        for exposure in [f32::NAN, f32::INFINITY, 1e9] {
            assert!(StoredLut::new(&blenders, exposure).is_err());
        }
        let stored = StoredLut::new(&blenders, 0.0).unwrap().png;
        assert!(Lut::parse(&stored).is_ok());
        for length in [0, 8, 60, stored.len() / 2, stored.len() - 13] {
            assert!(Lut::parse(&stored[..length]).is_err(), "{length}");
        }
        let mut narrow = stored;
        narrow[18] -= 1;
        let crc = crc32fast::hash(&narrow[12..29]);
        narrow[29..33].copy_from_slice(&crc.to_be_bytes());
        assert!(Lut::parse(&narrow).is_err());
        let picture = include_bytes!("../../../fixtures/frames/blender-rgb-8.png");
        assert!(Lut::parse(picture).is_err());
    }
}

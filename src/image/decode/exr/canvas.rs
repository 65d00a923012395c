//! The picture while its channels are drawn.

use ::image::{DynamicImage, ImageBuffer};
use exr::meta::attribute::SampleType;
use half::f16;
use half::slice::HalfFloatSliceExt as _;

use super::colour::{self, Matrix};
use super::groups::{Group, Shape};
use super::part::{Channel, Part};
use super::window::{Block, Window};
use crate::image::Damage;
use crate::image::decode::linear::{bounded, finite, straight};
use crate::image::decode::size::check_size;

/// The display window, filled with transparent black until pixels are drawn.
pub(super) struct Canvas {
    window: Window,
    data: Window,
    /// Samples of each pixel: red, green, blue, and alpha if there is one.
    samples: Vec<f32>,
    depth: usize,
    sources: Vec<Source>,
    /// The size of a pixel of the file in bytes.
    pixel_width: usize,
    matrix: Option<Matrix>,
    not_finite: u64,
}

const GREY: &[&[usize]] = &[&[0, 1, 2]];
const COLOURS: &[&[usize]] = &[&[0], &[1], &[2]];
const ALPHA: &[usize] = &[3];

/// A channel that is drawn.
struct Source {
    /// The size of the channels before this one in a pixel, in bytes.
    before: usize,
    kind: SampleType,
    /// Which samples of a pixel it is drawn to.
    places: &'static [usize],
}

impl Canvas {
    /// An empty canvas for the channels of `group`, which belong to `part`.
    pub(super) fn new(part: &Part, group: &Group) -> Result<Self, Damage> {
        let depth = if group.alpha.is_some() { 4 } else { 3 };
        let Window { width, height, .. } = part.display;
        check_size(width, height, (depth * size_of::<f32>()) as u64)?;

        let places = if group.colours.len() == 1 { GREY } else { COLOURS };
        let colours = group.colours.iter().copied().zip(places.iter().copied());
        let alpha = group.alpha.map(|channel| (channel, ALPHA));
        let sources = colours.chain(alpha).filter_map(|(channel, places)| {
            let before = part.channels.iter().take(channel).map(Channel::width).sum();
            let kind = part.channels.get(channel)?.kind;
            Some(Source { before, kind, places })
        });
        let coloured = group.shape == Shape::Colour;
        Ok(Self {
            window: part.display,
            data: part.data,
            samples: vec![0.0; width as usize * height as usize * depth],
            depth,
            sources: sources.collect(),
            pixel_width: part.pixel_width(),
            matrix: part.chromaticities.filter(|_| coloured).and_then(colour::to_bt_709),
            not_finite: 0,
        })
    }

    /// Draws the pixels of a chunk: rows, in each the samples of each channel.
    pub(super) fn draw(&mut self, block: Block, pixels: &[u8]) {
        let (left, top) = self.data.offset_in(self.window);
        let left = left + i64::from(block.left);
        let top = top + i64::from(block.top);
        // Columns of the block left of the window, and columns of the window left of the block.
        let cut = usize::try_from(-left).unwrap_or(0);
        let skipped = usize::try_from(left).unwrap_or(0);
        let width = block.width as usize;
        let stride = self.window.width as usize * self.depth;
        let mut values = Vec::with_capacity(width);
        for (y, row) in (top..).zip(pixels.chunks_exact(width * self.pixel_width)) {
            let Ok(y) = usize::try_from(y) else { continue };
            let start = y.saturating_mul(stride);
            let Some(target) = self.samples.get_mut(start..start.saturating_add(stride)) else {
                return;
            };
            for source in &self.sources {
                let from = source.before * width + cut * source.kind.bytes_per_sample();
                let to = (source.before + source.kind.bytes_per_sample()) * width;
                let broken = source.read(row.get(from..to).unwrap_or_default(), &mut values);
                self.not_finite += if source.is_alpha() { 0 } else { broken };
                let target = target.get_mut(skipped * self.depth..).unwrap_or_default();
                for &place in source.places {
                    // Quicker with a depth that the compiler knows.
                    match self.depth {
                        4 => put::<4>(target, place, &values),
                        _ => put::<3>(target, place, &values),
                    }
                }
            }
        }
    }

    /// Returns the picture, with straight alpha and the primaries of BT.709, and how many samples
    /// of colour were not finite.
    pub(super) fn finish(mut self) -> Result<(DynamicImage, u64), Damage> {
        let Window { width, height, .. } = self.window;
        if self.depth == 4 || self.matrix.is_some() {
            for pixel in self.samples.chunks_exact_mut(self.depth) {
                convert(pixel, self.matrix.as_ref());
            }
        }
        let pixels = if self.depth == 4 {
            ImageBuffer::from_raw(width, height, self.samples).map(DynamicImage::ImageRgba32F)
        } else {
            ImageBuffer::from_raw(width, height, self.samples).map(DynamicImage::ImageRgb32F)
        };
        let too_large = Damage::TooLarge { width: width.into(), height: height.into() };
        Ok((pixels.ok_or(too_large)?, self.not_finite))
    }
}

/// Writes values to the samples at `place` of pixels of `N` samples.
fn put<const N: usize>(pixels: &mut [f32], place: usize, values: &[f32]) {
    for (pixel, value) in pixels.as_chunks_mut::<N>().0.iter_mut().zip(values) {
        if let Some(sample) = pixel.get_mut(place) {
            *sample = *value;
        }
    }
}

impl Source {
    fn is_alpha(&self) -> bool {
        self.places == ALPHA
    }

    /// Reads samples into `values`, and returns how many were not finite. Those are replaced.
    fn read(&self, samples: &[u8], values: &mut Vec<f32>) -> u64 {
        values.clear();
        let largest = match self.kind {
            SampleType::F16 => {
                let samples = samples.as_chunks().0.iter();
                let halves: Vec<_> = samples.map(|&bytes| f16::from_ne_bytes(bytes)).collect();
                values.resize(halves.len(), 0.0);
                halves.convert_to_f32_slice(values);
                f16::MAX.to_f32()
            }
            SampleType::F32 => {
                let samples = samples.as_chunks().0.iter();
                values.extend(samples.map(|&bytes| f32::from_ne_bytes(bytes)));
                f32::MAX
            }
            SampleType::U32 => {
                let samples = samples.as_chunks().0.iter();
                #[expect(clippy::cast_precision_loss, reason = "a picture is floats")]
                values.extend(samples.map(|&bytes| u32::from_ne_bytes(bytes) as f32));
                f32::MAX
            }
        };
        let broken = values.iter().filter(|value| !value.is_finite()).count();
        if broken > 0 {
            let largest = if self.is_alpha() { 1.0 } else { largest };
            for value in values {
                (*value, _) = finite(*value, largest);
            }
        }
        broken as u64
    }
}

/// Converts the primaries of a pixel, and makes its alpha straight: colours in a file are
/// multiplied by it.
fn convert(pixel: &mut [f32], matrix: Option<&Matrix>) {
    let Some((colours, alpha)) = pixel.split_first_chunk_mut::<3>() else { return };
    if let Some(matrix) = matrix {
        #[expect(clippy::cast_possible_truncation, reason = "a picture is 32-bit floats")]
        let converted = colour::apply(matrix, colours.map(f64::from)).map(|value| value as f32);
        *colours = converted.map(bounded);
    }
    if let Some(&alpha) = alpha.first() {
        *colours = straight(*colours, alpha);
    }
}

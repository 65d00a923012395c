//! The picture while its channels are drawn.

use ::image::{DynamicImage, ImageBuffer};
use exr::meta::attribute::SampleType;
use half::f16;
use half::slice::HalfFloatSliceExt as _;

use super::colour::{self, Matrix};
use super::layers::{Group, Shape};
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
    colours: Vec<Source>,
    alpha: Option<Source>,
    /// The size of a pixel of the file in bytes.
    pixel_width: usize,
    matrix: Option<Matrix>,
    not_finite: u64,
}

/// A channel that is drawn.
struct Source {
    /// The size of the channels before this one in a pixel, in bytes.
    before: usize,
    kind: SampleType,
    /// The values of a row.
    values: Vec<f32>,
}

impl Canvas {
    /// An empty canvas for the channels of `group`, which belong to `part`.
    pub(super) fn new(part: &Part, group: &Group) -> Result<Self, Damage> {
        let depth = if group.alpha.is_some() { 4 } else { 3 };
        let Window { width, height, .. } = part.display;
        check_size(width, height, (depth * size_of::<f32>()) as u64)?;

        let source = |channel: usize| {
            let before = part.channels.iter().take(channel).map(Channel::width).sum();
            let kind = part.channels.get(channel)?.kind;
            Some(Source { before, kind, values: Vec::new() })
        };
        let coloured = group.shape == Shape::Colour;
        Ok(Self {
            window: part.display,
            data: part.data,
            samples: vec![0.0; width as usize * height as usize * depth],
            depth,
            colours: group.colours.iter().copied().filter_map(source).collect(),
            alpha: group.alpha.and_then(source),
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
        for (y, row) in (top..).zip(pixels.chunks_exact(width * self.pixel_width)) {
            let Ok(y) = usize::try_from(y) else { continue };
            let start = y.saturating_mul(stride);
            let Some(target) = self.samples.get_mut(start..start.saturating_add(stride)) else {
                return;
            };
            for source in &mut self.colours {
                self.not_finite += source.read(row, width, cut, largest(source.kind));
            }
            if let Some(alpha) = &mut self.alpha {
                alpha.read(row, width, cut, 1.0);
            }
            let target = target.get_mut(skipped * self.depth..).unwrap_or_default();
            match (&self.colours[..], &self.alpha) {
                ([grey], None) => interleave(target, [grey; 3]),
                ([grey], Some(alpha)) => interleave(target, [grey, grey, grey, alpha]),
                ([red, green], _) => {
                    let blue = Source { values: vec![0.0; width], ..*green };
                    interleave(target, [red, green, &blue]);
                }
                ([red, green, blue, ..], None) => interleave(target, [red, green, blue]),
                ([red, green, blue, ..], Some(alpha)) => {
                    interleave(target, [red, green, blue, alpha]);
                }
                ([], _) => {}
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

/// Writes the values of `N` sources to pixels of `N` samples.
fn interleave<const N: usize>(pixels: &mut [f32], sources: [&Source; N]) {
    let (pixels, _) = pixels.as_chunks_mut::<N>();
    let length = sources.iter().map(|source| source.values.len()).fold(pixels.len(), usize::min);
    // Slices of one length need no checks in the loop.
    let values = sources.map(|source| source.values.get(..length).unwrap_or_default());
    for (index, pixel) in pixels.iter_mut().take(length).enumerate() {
        for (sample, values) in pixel.iter_mut().zip(values) {
            *sample = values.get(index).copied().unwrap_or_default();
        }
    }
}

impl Source {
    /// Reads the values of a row of so many pixels, without those of the first `cut`. Returns how many
    /// were not finite. Those are replaced: by `largest`, or by 0.
    fn read(&mut self, row: &[u8], width: usize, cut: usize, largest: f32) -> u64 {
        let from = self.before * width + cut * self.kind.bytes_per_sample();
        let to = (self.before + self.kind.bytes_per_sample()) * width;
        let samples = row.get(from..to).unwrap_or_default();
        let values = &mut self.values;
        match self.kind {
            SampleType::F16 => {
                let samples = samples.as_chunks().0.iter();
                let halves: Vec<_> = samples.map(|&bytes| f16::from_ne_bytes(bytes)).collect();
                values.resize(halves.len(), 0.0);
                halves.convert_to_f32_slice(values);
            }
            SampleType::F32 => {
                let samples = samples.as_chunks().0.iter();
                values.clear();
                values.extend(samples.map(|&bytes| f32::from_ne_bytes(bytes)));
            }
            SampleType::U32 => {
                let samples = samples.as_chunks().0.iter();
                values.clear();
                #[expect(clippy::cast_precision_loss, reason = "a picture is floats")]
                values.extend(samples.map(|&bytes| u32::from_ne_bytes(bytes) as f32));
            }
        }
        let broken = values.iter().filter(|value| !value.is_finite()).count();
        if broken > 0 {
            for value in values {
                (*value, _) = finite(*value, largest);
            }
        }
        broken as u64
    }
}

/// The largest finite sample.
fn largest(kind: SampleType) -> f32 {
    match kind {
        SampleType::F16 => f16::MAX.to_f32(),
        SampleType::F32 | SampleType::U32 => f32::MAX,
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

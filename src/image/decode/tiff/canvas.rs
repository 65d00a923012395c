//! The samples of the picture while strips and tiles are drawn.

use half::f16;

use super::directory::Order;
use super::header::{Format, Header, Predictor};
use super::predictor::{undo_float, undo_horizontal};
use super::words::{Word, bits};

/// The samples that are kept of each pixel, in rows.
pub(super) enum Canvas {
    /// Of at most 8 bits, and not larger than these bits allow.
    Small(Vec<u8>),
    /// Of 16 bits.
    Large(Vec<u16>),
    Float(Vec<f32>),
}

/// Where decompressed rows belong.
pub(super) struct Place {
    pub(super) left: u32,
    pub(super) top: u32,
    /// The sample that the rows hold, if they hold only one of each pixel.
    pub(super) plane: Option<usize>,
    /// The length of a row in bytes.
    pub(super) stride: usize,
}

impl Canvas {
    pub(super) fn new(header: &Header) -> Self {
        let count = header.width as usize * header.height as usize * header.kept();
        match (header.format, header.bits) {
            (Format::Integer, ..=8) => Self::Small(vec![0; count]),
            (Format::Integer, _) => Self::Large(vec![0; count]),
            (Format::Float, _) => Self::Float(vec![0.0; count]),
        }
    }

    /// Draws the part of `rows` that is inside of the picture.
    pub(super) fn draw(&mut self, header: &Header, place: &Place, rows: &[u8]) {
        match self {
            Self::Small(samples) => draw(samples, header, place, rows, small),
            Self::Large(samples) => draw(samples, header, place, rows, large),
            Self::Float(samples) => draw(samples, header, place, rows, float),
        }
    }
}

fn draw<T: Copy>(
    samples: &mut [T],
    header: &Header,
    place: &Place,
    rows: &[u8],
    convert: fn(&Header, &[u8], usize) -> Vec<T>,
) {
    let kept = header.kept();
    let width = header.width as usize * kept;
    let stored = if place.plane.is_some() { 1 } else { usize::from(header.samples) };
    let targets = samples.chunks_exact_mut(width).skip(place.top as usize);
    for (target, row) in targets.zip(rows.chunks_exact(place.stride)) {
        let values = convert(header, row, stored);
        let pixels = target.chunks_exact_mut(kept).skip(place.left as usize);
        for (pixel, values) in pixels.zip(values.chunks_exact(stored)) {
            let pixel = pixel.iter_mut().skip(place.plane.unwrap_or(0));
            for (sample, value) in pixel.zip(values) {
                *sample = *value;
            }
        }
    }
}

/// The samples of a row with `stride` samples for each pixel.
fn small(header: &Header, row: &[u8], stride: usize) -> Vec<u8> {
    let mut samples = bits(row, header.bits);
    if header.predictor == Predictor::Horizontal {
        undo_horizontal(&mut samples, stride);
    }
    samples
}

fn large(header: &Header, row: &[u8], stride: usize) -> Vec<u16> {
    if header.bits == u16::BITS {
        return words(header, row, stride);
    }
    let samples = words::<u32>(header, row, stride);
    samples.into_iter().map(|sample| u16::try_from(sample >> 16).unwrap_or(u16::MAX)).collect()
}

fn float(header: &Header, row: &[u8], stride: usize) -> Vec<f32> {
    match header.bits {
        16 => words(header, row, stride).into_iter().map(|v| f16::from_bits(v).to_f32()).collect(),
        32 => words(header, row, stride).into_iter().map(f32::from_bits).collect(),
        #[expect(clippy::cast_possible_truncation, reason = "a picture is 32-bit floats")]
        _ => words(header, row, stride).into_iter().map(|v| f64::from_bits(v) as f32).collect(),
    }
}

fn words<T: Word>(header: &Header, row: &[u8], stride: usize) -> Vec<T> {
    if header.predictor == Predictor::Float {
        return T::read(&undo_float(row, size_of::<T>(), stride), Order::Big);
    }
    let mut words = T::read(row, header.order);
    if header.predictor == Predictor::Horizontal {
        undo_horizontal(&mut words, stride);
    }
    words
}

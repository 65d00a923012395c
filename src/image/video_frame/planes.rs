//! Converts pictures to the raw pixels of an encoder.
//!
//! Colours become BT.709 of limited range, which players assume for HD video.

use ::image::DynamicImage;
use yuv::{
    BufferStoreMut, YuvConversionMode, YuvError, YuvPlanarImageMut, YuvRange, YuvStandardMatrix,
};

use super::chroma::subsample;
use crate::request::{BitDepth, PixelFormat};

const RANGE: YuvRange = YuvRange::Limited;
const MATRIX: YuvStandardMatrix = YuvStandardMatrix::Bt709;
/// It rounds to the nearest value. The mode that is usual differs from it by up to 1, which can change
/// blue by 2 of 255, and takes hardly less time.
const MODE: YuvConversionMode = YuvConversionMode::Professional;

/// The raw pixels of a picture, padded to `size` by repeating its last column and row.
pub fn of(picture: DynamicImage, format: PixelFormat, size: (u32, u32)) -> Vec<u8> {
    let channels = if format.has_alpha() { 4 } else { 3 };
    let shape = Shape { size, format };
    let dimensions = (picture.width(), picture.height());
    match format.depth() {
        BitDepth::Eight => {
            let samples = eight_bits(picture, channels);
            let samples = padded(samples, dimensions, size, channels);
            match format {
                PixelFormat::Rgb | PixelFormat::Rgba => samples,
                _ => shape.eight(&samples),
            }
        }
        BitDepth::Ten => {
            let samples = padded(ten_bits(picture, channels), dimensions, size, channels);
            let planes = shape.ten(&samples);
            planes.into_iter().map(u16::to_le_bytes).collect::<Vec<_>>().into_flattened()
        }
    }
}

/// The size of the raw pixels of a picture of this `size` in bytes.
fn length(format: PixelFormat, size: (u32, u32)) -> usize {
    let ((width, height), (columns, rows)) = (size, format.granularity());
    let pixels = width as usize * height as usize;
    let chroma = 2 * pixels / (columns * rows) as usize;
    let alpha = if format.has_alpha() { pixels } else { 0 };
    let bytes_per_sample = if format.depth() == BitDepth::Ten { 2 } else { 1 };
    (pixels + chroma + alpha) * bytes_per_sample
}

/// The samples of a picture in 8 bits, with 3 or 4 channels.
fn eight_bits(picture: DynamicImage, channels: usize) -> Vec<u8> {
    match picture {
        DynamicImage::ImageRgb16(picture) if channels == 3 => eight(picture.as_raw()),
        DynamicImage::ImageRgba16(picture) if channels == 4 => eight(picture.as_raw()),
        picture if channels == 4 => picture.into_rgba8().into_raw(),
        picture => picture.into_rgb8().into_raw(),
    }
}

/// The samples of a picture in 10 bits, with 3 or 4 channels.
fn ten_bits(picture: DynamicImage, channels: usize) -> Vec<u16> {
    let mut samples = if channels == 4 {
        picture.into_rgba16().into_raw()
    } else {
        picture.into_rgb16().into_raw()
    };
    for sample in &mut samples {
        *sample = reduced(*sample, 1023);
    }
    samples
}

/// Samples of 16 bits in 8 bits. The crate `image` does the same in three times the time.
fn eight(samples: &[u16]) -> Vec<u8> {
    #[expect(clippy::cast_possible_truncation, reason = "at most 255")]
    samples.iter().map(|&sample| reduced(sample, 255) as u8).collect()
}

/// A sample of 16 bits on a scale up to `largest`, rounded to the nearest value.
fn reduced(sample: u16, largest: u32) -> u16 {
    let product = u32::from(sample) * largest + 32_767;
    // The product divided by 65535, which processors cannot do for many samples at once.
    ((product + (product >> 16) + 1) >> 16) as u16
}

/// Samples with the last column and row repeated as often as it takes for `size`.
fn padded<T: Copy>(samples: Vec<T>, from: (u32, u32), size: (u32, u32), channels: usize) -> Vec<T> {
    if from == size {
        return samples;
    }
    let (row, padded_row) = (from.0 as usize * channels, size.0 as usize * channels);
    let mut padded = Vec::with_capacity(padded_row * size.1 as usize);
    for row in samples.chunks_exact(row) {
        padded.extend_from_slice(row);
        let last = row.rchunks_exact(channels).next().unwrap_or_default();
        for _ in from.0..size.0 {
            padded.extend_from_slice(last);
        }
    }
    for _ in from.1..size.1 {
        padded.extend_from_within(padded.len() - padded_row..);
    }
    padded
}

/// The shape of a frame.
#[derive(Clone, Copy)]
struct Shape {
    size: (u32, u32),
    format: PixelFormat,
}

impl Shape {
    /// Planar samples: those that `convert` makes, and then the alpha of `samples`. `largest` is the
    /// largest sample.
    fn planar<T>(
        self,
        samples: &[T],
        largest: i32,
        convert: impl FnOnce(&mut YuvPlanarImageMut<'_, T>, &[T], u32) -> Result<(), YuvError>,
    ) -> Vec<T>
    where
        T: Copy + Default + std::fmt::Debug + Into<i32> + TryFrom<i32>,
    {
        let (width, height) = self.size;
        let pixels = width as usize * height as usize;
        let mut planes = vec![T::default(); 3 * pixels];
        let (y, rest) = planes.split_at_mut(pixels);
        let (u, v) = rest.split_at_mut(pixels);
        let mut image = YuvPlanarImageMut {
            y_plane: BufferStoreMut::Borrowed(y),
            y_stride: width,
            u_plane: BufferStoreMut::Borrowed(u),
            u_stride: width,
            v_plane: BufferStoreMut::Borrowed(v),
            v_stride: width,
            width,
            height,
        };
        let stride = width * if self.format.has_alpha() { 4 } else { 3 };
        let converted = convert(&mut image, samples, stride);
        debug_assert!(converted.is_ok(), "{converted:?}: the planes have the size of the frame");
        if let (2, rows) = self.format.granularity() {
            // In a vector of its own, which is smaller.
            let mut kept = Vec::with_capacity(length(self.format, self.size));
            kept.extend_from_slice(y);
            for plane in [u, v] {
                subsample(plane, width as usize, rows as usize, largest, &mut kept);
            }
            planes = kept;
        }
        if self.format.has_alpha() {
            planes.extend(samples.as_chunks::<4>().0.iter().map(|[.., alpha]| *alpha));
        }
        planes
    }

    fn eight(self, samples: &[u8]) -> Vec<u8> {
        let has_alpha = self.format.has_alpha();
        let convert = if has_alpha { yuv::rgba_to_yuv444 } else { yuv::rgb_to_yuv444 };
        self.planar(samples, 255, |planes, samples, stride| {
            convert(planes, samples, stride, RANGE, MATRIX, MODE)
        })
    }

    fn ten(self, samples: &[u16]) -> Vec<u16> {
        let has_alpha = self.format.has_alpha();
        let convert = if has_alpha { yuv::rgba10_to_i410 } else { yuv::rgb10_to_i410 };
        self.planar(samples, 1023, |planes, samples, stride| {
            convert(planes, samples, stride, RANGE, MATRIX)
        })
    }
}

#[cfg(test)]
mod tests {
    use ::image::{Rgb, RgbImage, Rgba, RgbaImage};

    use super::*;

    /// Luma and chroma of BT.709 colours in limited range, after ITU-R BT.709.
    #[test]
    fn colours_become_bt_709() {
        let table = [
            ([0, 0, 0], [16, 128, 128]),
            ([255, 255, 255], [235, 128, 128]),
            ([255, 0, 0], [63, 102, 240]),
            ([0, 255, 0], [173, 42, 26]),
            ([0, 0, 255], [32, 240, 118]),
            ([14, 127, 155], [106, 152, 77]),
        ];
        for (colour, yuv) in table {
            let [y, u, v]: [u16; 3] = yuv;
            let picture = || DynamicImage::ImageRgb8(RgbImage::from_pixel(2, 2, Rgb(colour)));
            let half = of(picture(), PixelFormat::Yuv420p, (2, 2));
            let wide = of(picture(), PixelFormat::Yuv422p, (2, 2));
            for (found, expected) in
                [(half, &[y, y, y, y, u, v][..]), (wide, &[y, y, y, y, u, u, v, v])]
            {
                let found: Vec<_> = found.into_iter().map(u16::from).collect();
                assert_eq!(found, expected, "{colour:?}");
            }
            let deep = of(picture(), PixelFormat::Yuv444p10, (2, 2));
            let (samples, _) = deep.as_chunks::<2>();
            for (sample, expected) in samples.iter().zip([y, y, y, y, u, u, u, u, v, v, v, v]) {
                let found = u16::from_le_bytes(*sample);
                assert!(found.abs_diff(expected * 4) <= 3, "{colour:?} {found} {expected}");
            }
        }
    }

    #[test]
    fn samples_of_fewer_bits_are_rounded_to_the_nearest_value() {
        for largest in [255, 1023] {
            for sample in 0..=u16::MAX {
                let nearest = (2 * u64::from(sample) * u64::from(largest) + 65_535) / 131_070;
                assert_eq!(u64::from(reduced(sample, largest)), nearest, "{sample}");
            }
        }
    }

    #[test]
    fn alpha_follows_the_colours() {
        let picture = DynamicImage::ImageRgba8(RgbaImage::from_fn(2, 2, |x, y| {
            let alpha = [[0, 85], [170, 255]][y as usize][x as usize];
            Rgba([0, 0, 0, alpha])
        }));
        let eight = of(picture.clone(), PixelFormat::Yuva420p, (2, 2));
        assert_eq!(eight, [16, 16, 16, 16, 128, 128, 0, 85, 170, 255]);
        let ten = of(picture.clone(), PixelFormat::Yuva444p10, (2, 2));
        assert_eq!(ten.len(), 2 * 4 * 4);
        assert_eq!(ten.last_chunk(), Some(&1023_u16.to_le_bytes()));
        assert_eq!(of(picture.clone(), PixelFormat::Rgba, (2, 2)), picture.into_bytes());
    }

    #[test]
    fn the_length_is_known_beforehand() {
        for format in [
            PixelFormat::Yuv420p,
            PixelFormat::Yuva420p,
            PixelFormat::Yuv420p10,
            PixelFormat::Yuv422p,
            PixelFormat::Yuv422p10,
            PixelFormat::Yuv444p10,
            PixelFormat::Yuva444p10,
            PixelFormat::Rgb,
            PixelFormat::Rgba,
        ] {
            let raw = of(DynamicImage::new_rgba8(4, 6), format, (4, 6));
            assert_eq!(raw.len(), length(format, (4, 6)), "{format:?}");
        }
    }

    #[test]
    fn an_odd_size_is_padded_with_its_edge() {
        let samples: Vec<u8> = (0..9).collect();
        let padded = padded(samples, (3, 1), (4, 2), 3);
        assert_eq!(padded, [[0, 1, 2, 3, 4, 5, 6, 7, 8, 6, 7, 8]; 2].concat());
    }
}

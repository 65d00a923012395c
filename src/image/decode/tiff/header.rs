//! What the fields of a directory say about the image.

use super::directory::{Directory, Order};
use crate::image::Damage;
use crate::image::decode::size::check_size;

/// An image whose fields make sense together.
pub(super) struct Header {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) colours: Colours,
    pub(super) compression: Compression,
    /// How samples are stored, all alike.
    pub(super) format: Format,
    /// The bits of a sample: a power of two, which `format` allows.
    pub(super) bits: u32,
    pub(super) samples: u16,
    /// Whether each sample has strips or tiles of its own.
    pub(super) planar: bool,
    pub(super) predictor: Predictor,
    /// Whether the first pixel is in the lowest bits of a byte.
    pub(super) low_bits_first: bool,
    pub(super) order: Order,
    pub(super) alpha: Option<Alpha>,
}

/// What the samples of a pixel mean (`PhotometricInterpretation`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colours {
    /// The largest value is black.
    WhiteIsZero,
    BlackIsZero,
    Rgb,
    /// The number of a colour in a list.
    Palette,
    Cmyk,
    /// Only in JPEG, whose decoder converts it.
    YCbCr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Group4,
    Lzw,
    Jpeg,
    Deflate,
    PackBits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Integer,
    Float,
}

/// What is stored in place of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Predictor {
    Nothing,
    /// The difference from the sample on the left.
    Horizontal,
    /// The same for floats, whose bytes are sorted by significance.
    Float,
}

/// The first sample after the colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alpha {
    /// The colours are not multiplied by it.
    Straight,
    /// The colours are multiplied by it.
    Premultiplied,
}

impl Colours {
    /// The number of samples that are colours.
    pub(super) fn count(self) -> u16 {
        match self {
            Self::WhiteIsZero | Self::BlackIsZero | Self::Palette => 1,
            Self::Rgb | Self::YCbCr => 3,
            Self::Cmyk => 4,
        }
    }
}

const NEW_SUBFILE_TYPE: u16 = 254;
const WIDTH: u16 = 256;
const HEIGHT: u16 = 257;
const BITS_PER_SAMPLE: u16 = 258;
const COMPRESSION: u16 = 259;
const PHOTOMETRIC: u16 = 262;
const FILL_ORDER: u16 = 266;
const SAMPLES_PER_PIXEL: u16 = 277;
const PLANAR: u16 = 284;
const PREDICTOR: u16 = 317;
const EXTRA_SAMPLES: u16 = 338;
const SAMPLE_FORMAT: u16 = 339;

impl Header {
    pub(super) fn read(directory: &Directory) -> Result<Self, Damage> {
        let corrupt = |what| Damage::Corrupt { what, offset: directory.offset };
        let or = |tag, default| Ok::<_, Damage>(directory.number(tag)?.unwrap_or(default));

        // TIFF 6.0, section 8: the first bit means a reduced version of another image in the file.
        if or(NEW_SUBFILE_TYPE, 0)? & 1 != 0 {
            return Err(unsupported("whose first picture is a thumbnail"));
        }
        let no_size = || corrupt("the image has no size");
        let width = directory.number(WIDTH)?.ok_or_else(no_size)?;
        let height = directory.number(HEIGHT)?.ok_or_else(no_size)?;
        let compression = compression(or(COMPRESSION, 1)?)?;
        let samples = u16::try_from(or(SAMPLES_PER_PIXEL, 1)?).unwrap_or(0);
        let photometric = directory.number(PHOTOMETRIC)?;
        let photometric =
            photometric.ok_or_else(|| corrupt("the image does not name its colours"))?;
        let planar = or(PLANAR, 1)? == 2;
        let colours = colours(photometric, compression, planar)?;
        if samples < colours.count() {
            return Err(corrupt("the image has fewer samples than colours"));
        }
        let bits = one_for_all(directory, BITS_PER_SAMPLE, 1)?;
        let bits = u32::try_from(bits).unwrap_or(0);
        let format = match (one_for_all(directory, SAMPLE_FORMAT, 1)?, bits) {
            // Undefined data are taken for integers, as libtiff does.
            (1 | 4, 1 | 2 | 4 | 8 | 16 | 32) => Format::Integer,
            (3, 16 | 32 | 64) => Format::Float,
            (format, _) => {
                let kind = match format {
                    1 | 4 => "",
                    2 => "signed ",
                    3 => "floating-point ",
                    5 | 6 => "complex ",
                    _ => "unknown ",
                };
                return Err(unsupported(&format!("of {bits}-bit {kind}samples")));
            }
        };
        let possible = match colours {
            Colours::Palette => format == Format::Integer && bits <= 16,
            Colours::Cmyk => format == Format::Integer && bits >= 8,
            Colours::Rgb | Colours::YCbCr => bits >= 8,
            Colours::WhiteIsZero | Colours::BlackIsZero => true,
        };
        if !possible {
            return Err(unsupported(&format!("of {bits}-bit samples of {colours:?}")));
        }
        let predictor = match (compression, or(PREDICTOR, 1)?) {
            // Other compressions have none, whatever the field says.
            (Compression::Lzw | Compression::Deflate, 2) => Predictor::Horizontal,
            (Compression::Lzw | Compression::Deflate, 3) => Predictor::Float,
            _ => Predictor::Nothing,
        };
        if predictor == Predictor::Horizontal && bits < 8
            || predictor == Predictor::Float && format != Format::Float
        {
            return Err(corrupt("the predictor does not fit the samples"));
        }
        if matches!(compression, Compression::Jpeg) && (bits, format) != (8, Format::Integer)
            || matches!(compression, Compression::Group4) && (bits, samples) != (1, 1)
        {
            return Err(corrupt("the compression does not fit the samples"));
        }

        let extra = directory.numbers(EXTRA_SAMPLES)?.unwrap_or_default();
        if extra.iter().position(|kind| matches!(kind, 1 | 2)).is_some_and(|at| at > 0) {
            return Err(unsupported("whose alpha does not follow its colours"));
        }
        let alpha = (samples > colours.count()).then(|| match extra.first() {
            Some(1) => Alpha::Premultiplied,
            // 2, or without a meaning: most often alpha.
            _ => Alpha::Straight,
        });
        let kept = u64::from(colours.count()) + u64::from(alpha.is_some());
        let sample = match format {
            Format::Integer => u64::from(bits.clamp(8, 16) / 8),
            Format::Float => size_of::<f32>() as u64,
        };
        check_size(width, height, kept.max(4) * sample)?;
        Ok(Self {
            width: u32::try_from(width).unwrap_or(0),
            height: u32::try_from(height).unwrap_or(0),
            colours,
            compression,
            format,
            bits,
            samples,
            planar,
            predictor,
            low_bits_first: or(FILL_ORDER, 1)? == 2,
            order: directory.order(),
            alpha,
        })
    }

    /// The number of samples of a pixel that are decoded: its colours and its alpha.
    pub(super) fn kept(&self) -> usize {
        usize::from(self.colours.count()) + usize::from(self.alpha.is_some())
    }
}

fn unsupported(what: &str) -> Damage {
    Damage::Unsupported(format!("a TIFF image {what}"))
}

/// The number in a field that has one for each sample, which must be equal.
fn one_for_all(directory: &Directory, tag: u16, default: u64) -> Result<u64, Damage> {
    let numbers = directory.numbers(tag)?.unwrap_or_default();
    let first = numbers.first().copied().unwrap_or(default);
    if numbers.iter().any(|number| *number != first) {
        return Err(unsupported("of samples that differ in kind"));
    }
    Ok(first)
}

fn compression(number: u64) -> Result<Compression, Damage> {
    let name = match number {
        1 => return Ok(Compression::None),
        4 => return Ok(Compression::Group4),
        5 => return Ok(Compression::Lzw),
        7 => return Ok(Compression::Jpeg),
        8 | 32_946 => return Ok(Compression::Deflate),
        32_773 => return Ok(Compression::PackBits),
        2 => "CCITT modified Huffman",
        3 => "CCITT Group 3",
        6 => "old-style JPEG",
        34_676 | 34_677 => "LogLuv",
        34_712 | 33_003 | 33_005 => "JPEG 2000",
        34_887 => "LERC",
        34_925 => "LZMA",
        50_000 | 34_926 => "ZSTD",
        50_001 | 34_927 => "WebP",
        50_002 | 52_546 => "JPEG XL",
        _ => return Err(unsupported(&format!("of the unknown compression {number}"))),
    };
    Err(unsupported(&format!("compressed with {name}")))
}

fn colours(number: u64, compression: Compression, planar: bool) -> Result<Colours, Damage> {
    let name = match number {
        0 => return Ok(Colours::WhiteIsZero),
        1 => return Ok(Colours::BlackIsZero),
        2 => return Ok(Colours::Rgb),
        3 => return Ok(Colours::Palette),
        5 => return Ok(Colours::Cmyk),
        6 if compression == Compression::Jpeg && !planar => return Ok(Colours::YCbCr),
        4 => "of a mask",
        6 => "of YCbCr that is no JPEG of all colours",
        8..=10 => "of Lab",
        32_844 | 32_845 => "of LogLuv",
        32_803 => "of a colour filter array",
        _ => return Err(unsupported(&format!("of the unknown colours {number}"))),
    };
    Err(unsupported(name))
}

//! What the components of a JPEG image mean, and how they become RGB.

/// The colours of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colours {
    /// One component.
    Grey,
    /// Red, green and blue.
    Rgb,
    /// Luminance and two differences (ITU-T T.871, section 7).
    YCbCr,
    /// The absence of four inks: 255 is none.
    Cmyk,
    /// The same, with the first three inks transformed like RGB.
    Ycck,
}

impl Colours {
    /// The colours of components with these identifiers, in a file with or without a JFIF segment
    /// and Adobe's transform. The rules are those of libjpeg (`default_decompress_parms` in
    /// `jdapimin.c`). That ink is stored inverted is Adobe's practice.
    pub(super) fn of(ids: &[u8], jfif: bool, adobe: Option<u8>) -> Self {
        match (ids, adobe) {
            ([_], _) => Self::Grey,
            ([_, _, _], _) if jfif => Self::YCbCr,
            ([_, _, _], Some(0)) | ([b'R', b'G', b'B'], None) => Self::Rgb,
            ([_, _, _], _) => Self::YCbCr,
            (_, Some(2)) => Self::Ycck,
            _ => Self::Cmyk,
        }
    }

    /// Turns pixels of components into pixels of grey or RGB.
    pub(super) fn shown(self, mut pixels: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Grey | Self::Rgb => {}
            Self::YCbCr => {
                for pixel in pixels.as_chunks_mut().0 {
                    *pixel = rgb(*pixel);
                }
            }
            Self::Cmyk | Self::Ycck => {
                let (inks, _) = pixels.as_chunks();
                let rgb = inks.iter().flat_map(|&[c, m, y, k]| {
                    let inks = if self == Self::Ycck {
                        rgb([c, m, y]).map(|v| 255 - v)
                    } else {
                        [c, m, y]
                    };
                    inks.map(|ink| over(ink, k))
                });
                return rgb.collect();
            }
        }
        pixels
    }
}

/// RGB of luminance and colour differences.
fn rgb([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    // In units of 1 / 65,536, rounded.
    let y = (i32::from(y) << 16) + (1 << 15);
    let (cb, cr) = (i32::from(cb) - 128, i32::from(cr) - 128);
    [y + 91_881 * cr, y - 22_554 * cb - 46_802 * cr, y + 116_130 * cb]
        .map(|value| u8::try_from((value >> 16).clamp(0, 255)).unwrap_or(u8::MAX))
}

/// The light that two inks leave, where 255 is all of it.
fn over(ink: u8, black: u8) -> u8 {
    let light = (u32::from(ink) * u32::from(black) + 127) / 255;
    u8::try_from(light).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_and_identifiers_tell_the_colours() {
        let (numbers, letters) = (&[1, 2, 3], b"RGB");
        for (ids, jfif, adobe, colours) in [
            (&[1][..], true, None, Colours::Grey),
            (numbers, true, None, Colours::YCbCr),
            (numbers, false, None, Colours::YCbCr),
            (numbers, false, Some(0), Colours::Rgb),
            (numbers, false, Some(1), Colours::YCbCr),
            (letters, false, None, Colours::Rgb),
            (letters, true, None, Colours::YCbCr),
            (&[1, 2, 3, 4], false, None, Colours::Cmyk),
            (&[1, 2, 3, 4], false, Some(0), Colours::Cmyk),
            (&[1, 2, 3, 4], false, Some(2), Colours::Ycck),
        ] {
            assert_eq!(Colours::of(ids, jfif, adobe), colours, "{ids:?} {jfif} {adobe:?}");
        }
    }

    #[test]
    fn components_become_rgb() {
        let shown = |colours: Colours, pixel: &[u8]| colours.shown(pixel.to_vec());
        assert_eq!(shown(Colours::Rgb, &[1, 2, 3]), [1, 2, 3]);
        assert_eq!(shown(Colours::YCbCr, &[255, 128, 128]), [255, 255, 255]);
        // T.871: the primaries.
        assert_eq!(shown(Colours::YCbCr, &[76, 85, 255]), [254, 0, 0]);
        assert_eq!(shown(Colours::YCbCr, &[29, 255, 107]), [0, 0, 254]);
        assert_eq!(shown(Colours::Cmyk, &[255, 255, 255, 255]), [255, 255, 255]);
        assert_eq!(shown(Colours::Cmyk, &[255, 0, 128, 128]), [128, 0, 64]);
        assert_eq!(shown(Colours::Ycck, &[0, 128, 128, 255]), [255, 255, 255]);
    }
}

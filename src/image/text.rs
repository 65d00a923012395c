//! Text in pictures, in a bitmap font.

use ::image::imageops::{FilterType, resize};
use ::image::{GrayImage, Luma};
use noto_sans_mono_bitmap::{
    FontWeight, RasterHeight, RasterizedChar, get_raster, get_raster_width,
};

/// The height of the characters that are drawn. Others are made of them: a size of its own takes
/// hundreds of kilobytes.
const DRAWN: u32 = 32;

/// The width of the characters that are drawn.
#[expect(clippy::cast_possible_truncation, reason = "14")]
const DRAWN_WIDTH: u32 = get_raster_width(FontWeight::Regular, RasterHeight::Size32) as u32;

/// The font in one size: Noto Sans Mono, of which each pixel is enlarged by a whole factor, or which is
/// made smaller.
#[derive(Clone, Copy, Debug)]
pub struct Font {
    /// The height of a line in pixels.
    height: u32,
}

impl Font {
    /// The smallest size, for pictures of any size.
    pub const SMALL: Self = Self { height: DRAWN / 2 };

    /// The largest size whose lines are at most `height` pixels high, but at least [`Font::SMALL`].
    pub fn of_height(height: u32) -> Self {
        const MIDDLE: u32 = DRAWN * 3 / 4;
        match height {
            ..MIDDLE => Self::SMALL,
            MIDDLE..DRAWN => Self { height: MIDDLE },
            DRAWN.. => Self { height: height / DRAWN * DRAWN },
        }
    }

    /// The height of a line in pixels.
    pub fn line_height(self) -> u32 {
        self.height
    }

    /// The width of each character in pixels.
    pub fn advance(self) -> u32 {
        (DRAWN_WIDTH * self.height).div_ceil(DRAWN)
    }

    /// The pixels of a line of text that are not empty: their place from the left and from the top,
    /// and how much of them the text covers, from 0 to 255.
    ///
    /// A character that the font lacks is shown as `?`.
    pub fn pixels(self, text: &str) -> impl Iterator<Item = (u32, u32, u8)> + '_ {
        text.chars().zip(0..).flat_map(move |(character, index)| {
            let left = index * self.advance();
            let pixels = self.character(character);
            let (width, height) = pixels.dimensions();
            let places = (0..height).flat_map(move |y| (0..width).map(move |x| (x, y)));
            places.zip(pixels.into_raw()).filter_map(move |((x, y), coverage)| {
                (coverage > 0).then_some((left + x, y, coverage))
            })
        })
    }

    fn character(self, character: char) -> GrayImage {
        let raster = |character| get_raster(character, FontWeight::Regular, RasterHeight::Size32);
        let raster = raster(character).or_else(|| raster('?'));
        let rows = raster.as_ref().map(RasterizedChar::raster).unwrap_or_default();
        let mut drawn = GrayImage::new(DRAWN_WIDTH, DRAWN);
        for (pixel, coverage) in drawn.pixels_mut().zip(rows.iter().copied().flatten()) {
            *pixel = Luma([*coverage]);
        }
        let filter = if self.height < DRAWN { FilterType::Lanczos3 } else { FilterType::Nearest };
        resize(&drawn, self.advance(), self.height, filter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_font_is_as_high_as_its_place_allows() {
        for (place, height) in
            [(0, 16), (16, 16), (23, 16), (24, 24), (31, 24), (36, 32), (72, 64), (144, 128)]
        {
            assert_eq!(Font::of_height(place).line_height(), height, "{place}");
        }
    }

    #[test]
    fn text_stays_in_its_box_and_fills_a_part_of_it() {
        for font in [Font::SMALL, Font::of_height(24), Font::of_height(100)] {
            let (width, height) = (5 * font.advance(), font.line_height());
            let pixels: Vec<_> = font.pixels("01:Äg").collect();
            assert!(pixels.iter().all(|&(x, y, _)| x < width && y < height));
            let covered = u32::try_from(pixels.len()).unwrap() * 100 / (width * height);
            assert!((10..60).contains(&covered), "{covered} %");
        }
    }

    #[test]
    fn a_character_that_the_font_lacks_is_a_question_mark() {
        let of = |text| Font::SMALL.pixels(text).collect::<Vec<_>>();
        assert_eq!(of("\u{4e16}\n"), of("??"));
        assert_ne!(of("?"), of("!"));
    }
}

//! Text in pictures, in a bitmap font.

use noto_sans_mono_bitmap::{
    FontWeight, RasterHeight, RasterizedChar, get_raster, get_raster_width,
};

/// The font in one size: Noto Sans Mono, each of its pixels enlarged by a whole factor.
#[derive(Clone, Copy, Debug)]
pub struct Font {
    raster: RasterHeight,
    factor: u32,
}

impl Font {
    /// The smallest size, for pictures of any size.
    pub const SMALL: Self = Self { raster: RasterHeight::Size16, factor: 1 };

    /// The largest size whose lines are at most `height` pixels high, but at least [`Font::SMALL`].
    pub fn of_height(height: u32) -> Self {
        match height {
            ..24 => Self::SMALL,
            24..32 => Self { raster: RasterHeight::Size24, factor: 1 },
            32.. => Self { raster: RasterHeight::Size32, factor: height / 32 },
        }
    }

    /// The height of a line in pixels.
    pub fn line_height(self) -> u32 {
        as_u32(self.raster.val()) * self.factor
    }

    /// The width of each character in pixels.
    pub fn advance(self) -> u32 {
        as_u32(get_raster_width(FontWeight::Regular, self.raster)) * self.factor
    }

    /// The pixels of a line of text that are not empty: their place from the left and from the top,
    /// and how much of them the text covers, from 0 to 255.
    ///
    /// A character that the font lacks is shown as `?`.
    pub fn pixels(self, text: &str) -> impl Iterator<Item = (u32, u32, u8)> + '_ {
        text.chars().zip(0..).flat_map(move |(character, index)| {
            let rows = self.rows(character).into_iter().flatten().zip(0..);
            let covered = rows.flat_map(|(row, y)| {
                row.iter().copied().zip(0..).map(move |(coverage, x)| (x, y, coverage))
            });
            let enlarged = covered.filter(|(_, _, coverage)| *coverage > 0).flat_map(
                move |(x, y, coverage): (u32, u32, u8)| {
                    let square = (0..self.factor)
                        .flat_map(move |down| (0..self.factor).map(move |right| (right, down)));
                    square.map(move |(right, down)| {
                        (x * self.factor + right, y * self.factor + down, coverage)
                    })
                },
            );
            enlarged.map(move |(x, y, coverage)| (index * self.advance() + x, y, coverage))
        })
    }

    fn rows(self, character: char) -> Option<&'static [&'static [u8]]> {
        let raster = |character| get_raster(character, FontWeight::Regular, self.raster);
        raster(character).or_else(|| raster('?')).as_ref().map(RasterizedChar::raster)
    }
}

fn as_u32(pixels: usize) -> u32 {
    u32::try_from(pixels).unwrap_or(u32::MAX)
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
            let covered = as_u32(pixels.len()) * 100 / (width * height);
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

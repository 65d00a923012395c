//! Writes frame number, timecode, scene and date into pictures.

use ::image::DynamicImage;

use super::text::Font;
use crate::request::{BurnIn, BurnInItem, Corner, FrameFile, FrameNumber, FrameRate};

/// The part of a picture's shorter side that a line of text is high, as 1 of this many.
const LINES_OF_PICTURE: u32 = 30;

/// How much of the picture the plate behind the text covers, from 0 to 1. White text on it has a
/// contrast of 4.5 or more on any picture, which WCAG 2 asks for.
const PLATE_OPACITY: f32 = 0.6;

/// The brightness of the text, from 0 to 1.
const TEXT_BRIGHTNESS: f32 = 0.96;

/// What the items of a [`BurnIn`] say about one frame.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The number of the frame.
    pub frame: FrameNumber,
    /// The frame rate of the video.
    pub fps: FrameRate,
    /// The name of the scene; empty if it is not known, and then left out.
    pub scene: &'a str,
    /// The date, such as `2026-11-29`.
    pub date: &'a str,
}

/// The texts of `burn_in` for a frame, in order.
pub fn texts(burn_in: &BurnIn, facts: &Facts<'_>) -> Vec<String> {
    let text = |item: &BurnInItem| match item {
        BurnInItem::Frame => FrameFile::stem(facts.frame),
        BurnInItem::Timecode => timecode(facts.frame, facts.fps),
        BurnInItem::Scene => facts.scene.to_owned(),
        BurnInItem::Date => facts.date.to_owned(),
    };
    burn_in.items.iter().map(text).filter(|text| !text.is_empty()).collect()
}

/// The timecode of a frame: `HH:MM:SS:FF`, where frame 0 is at 0, as in Blender's own stamps.
///
/// It is never drop-frame: frames are counted, 30 to a second at 29.97 frames a second. After an
/// hour of such a video, the timecode is 3.6 s behind the clock, but no number is left out.
fn timecode(frame: FrameNumber, fps: FrameRate) -> String {
    let (numerator, denominator) = (fps.numerator(), fps.denominator());
    let per_second = ((numerator + denominator / 2) / denominator).max(1);
    let frames = frame.get().unsigned_abs();
    let sign = if frame.get() < 0 { "-" } else { "" };
    let (seconds, rest) = (frames / per_second, frames % per_second);
    let digits = if per_second > 100 { 3 } else { 2 };
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{sign}{hours:02}:{minutes:02}:{seconds:02}:{rest:0digits$}")
}

/// Writes `texts` into a corner of a picture of display values, on a dark plate: in one line, or in
/// several if they do not fit. In a picture that is too small for one line of a few characters,
/// nothing is written.
pub fn draw(picture: &mut DynamicImage, texts: &[String], corner: Corner) {
    let size = (picture.width(), picture.height());
    let Some(plate) = Plate::place(texts, size, corner) else { return };
    match picture {
        DynamicImage::ImageLuma8(image) => plate.draw::<_, 1>(image, size.0, false),
        DynamicImage::ImageLumaA8(image) => plate.draw::<_, 2>(image, size.0, true),
        DynamicImage::ImageRgb8(image) => plate.draw::<_, 3>(image, size.0, false),
        DynamicImage::ImageRgba8(image) => plate.draw::<_, 4>(image, size.0, true),
        DynamicImage::ImageLuma16(image) => plate.draw::<_, 1>(image, size.0, false),
        DynamicImage::ImageLumaA16(image) => plate.draw::<_, 2>(image, size.0, true),
        DynamicImage::ImageRgb16(image) => plate.draw::<_, 3>(image, size.0, false),
        DynamicImage::ImageRgba16(image) => plate.draw::<_, 4>(image, size.0, true),
        // Linear light has no display values.
        _ => {}
    }
}

/// The plate with the text, and its place in the picture.
struct Plate {
    left: u32,
    top: u32,
    width: u32,
    /// How much of each of its pixels the text covers, row by row, from 0 to 255.
    coverage: Vec<u8>,
}

impl Plate {
    /// The plate for `texts` in a picture of this size; `None` if there is no room or no text.
    fn place(texts: &[String], (width, height): (u32, u32), corner: Corner) -> Option<Self> {
        const FEWEST_CHARACTERS: u32 = 4;

        let font = Font::of_height(width.min(height) / LINES_OF_PICTURE);
        // Across: margin, padding, text, padding, margin.
        let (margin, padding) = (font.line_height() / 2, font.advance());
        let columns = width.checked_sub(2 * (margin + padding))? / font.advance();
        if columns < FEWEST_CHARACTERS {
            return None;
        }
        let lines = lines(texts, columns as usize);
        let longest = u32::try_from(lines.iter().map(|line| line.chars().count()).max()?).ok()?;
        let line_count = u32::try_from(lines.len()).ok()?;
        let plate_width = longest * font.advance() + 2 * padding;
        let plate_height = line_count.checked_mul(font.line_height())? + padding;
        let right = width.checked_sub(margin + plate_width)?;
        let bottom = height.checked_sub(margin + plate_height)?;
        let mut plate = Self {
            left: if corner.is_left() { margin } else { right },
            top: if corner.is_top() { margin.min(bottom) } else { bottom },
            width: plate_width,
            coverage: vec![0; plate_width as usize * plate_height as usize],
        };
        for (line, index) in lines.iter().zip(0..) {
            let down = index * font.line_height() + padding / 2;
            for (x, y, coverage) in font.pixels(line) {
                let index = (y + down) as usize * plate_width as usize + (x + padding) as usize;
                if let Some(pixel) = plate.coverage.get_mut(index) {
                    *pixel = coverage;
                }
            }
        }
        Some(plate)
    }

    /// Draws it on a picture of pixels of `N` samples, of which alpha, if there is any, is the last.
    fn draw<S: Sample, const N: usize>(&self, samples: &mut [S], width: u32, has_alpha: bool) {
        let (pixels, _) = samples.as_chunks_mut::<N>();
        let rows = pixels.chunks_exact_mut((width as usize).max(1));
        let covered = self.coverage.chunks_exact((self.width as usize).max(1));
        for (row, coverage) in rows.skip(self.top as usize).zip(covered) {
            for (pixel, &coverage) in row.iter_mut().skip(self.left as usize).zip(coverage) {
                cover(pixel, has_alpha, 0.0, PLATE_OPACITY);
                let opacity = f32::from(coverage) / f32::from(u8::MAX);
                cover(pixel, has_alpha, TEXT_BRIGHTNESS, opacity);
            }
        }
    }
}

/// The lines of `texts`, at most `columns` characters long. A text stays in one line, and is cut if
/// it is longer than that.
fn lines(texts: &[String], columns: usize) -> Vec<String> {
    const GAP: &str = "  ";

    let mut lines: Vec<String> = Vec::new();
    for text in texts {
        let text: String = text.chars().take(columns).collect();
        match lines.last_mut() {
            Some(line) if line.chars().count() + GAP.len() + text.chars().count() <= columns => {
                line.push_str(GAP);
                line.push_str(&text);
            }
            _ => lines.push(text),
        }
    }
    lines
}

/// A sample of display values.
trait Sample: Copy {
    /// The value from 0 to 1.
    fn get(self) -> f32;
    /// The sample nearest to a value from 0 to 1.
    fn nearest(value: f32) -> Self;
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to MAX")]
impl Sample for u8 {
    fn get(self) -> f32 {
        f32::from(self) / f32::from(Self::MAX)
    }

    fn nearest(value: f32) -> Self {
        (value * f32::from(Self::MAX)).round() as Self
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to MAX")]
impl Sample for u16 {
    fn get(self) -> f32 {
        f32::from(self) / f32::from(Self::MAX)
    }

    fn nearest(value: f32) -> Self {
        (value * f32::from(Self::MAX)).round() as Self
    }
}

/// Covers a pixel with a grey of `shade`, as far as it is opaque. Alpha is straight.
fn cover<S: Sample>(pixel: &mut [S], has_alpha: bool, shade: f32, opacity: f32) {
    if opacity <= 0.0 {
        return;
    }
    let (colours, alpha) = match pixel.split_last_mut() {
        Some((alpha, colours)) if has_alpha => (colours, Some(alpha)),
        _ => (pixel, None),
    };
    let below = alpha.as_deref().map_or(1.0, |alpha| alpha.get()) * (1.0 - opacity);
    let together = opacity + below;
    for colour in colours {
        *colour = S::nearest((shade * opacity + colour.get() * below) / together);
    }
    if let Some(alpha) = alpha {
        *alpha = S::nearest(together);
    }
}

#[cfg(test)]
mod tests {
    use ::image::{Rgb, Rgb32FImage, RgbImage, Rgba, RgbaImage};

    use super::*;

    fn frame(number: i64) -> FrameNumber {
        FrameNumber::new(number).unwrap()
    }

    #[test]
    fn a_timecode_counts_frames_and_leaves_none_out() {
        for (number, fps, expected) in [
            (0, "24", "00:00:00:00"),
            (1, "24", "00:00:00:01"),
            (24, "24", "00:00:01:00"),
            (1799, "29.97", "00:00:59:29"),
            (1800, "29.97", "00:01:00:00"),
            (90_000, "25", "01:00:00:00"),
            (-1, "24", "-00:00:00:01"),
            (-25, "24", "-00:00:01:01"),
            (119, "120", "00:00:00:119"),
            (7, "0.5", "00:00:07:00"),
            (3, "1/1000", "00:00:03:00"),
            (1_048_574, "1", "291:16:14:00"),
        ] {
            assert_eq!(timecode(frame(number), fps.parse().unwrap()), expected, "{number} {fps}");
        }
    }

    #[test]
    fn items_come_in_their_order_and_an_unknown_scene_is_left_out() {
        let fps = FrameRate::FALLBACK;
        let facts = Facts { frame: frame(7), fps, scene: "pottery", date: "2026-11-29" };
        let burn_in = "date,scene,timecode,frame".parse().unwrap();
        let all = ["2026-11-29", "pottery", "00:00:00:07", "0007"];
        assert_eq!(texts(&burn_in, &facts), all);
        let without = ["2026-11-29", "00:00:00:07", "0007"];
        assert_eq!(texts(&burn_in, &Facts { scene: "", ..facts }), without);
    }

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn texts_share_lines_as_far_as_there_is_room() {
        let texts = words("0042 pottery 2026-11-29");
        assert_eq!(lines(&texts, 25), ["0042  pottery  2026-11-29"]);
        assert_eq!(lines(&texts, 24), ["0042  pottery", "2026-11-29"]);
        assert_eq!(lines(&texts, 5), ["0042", "potte", "2026-"]);
    }

    /// The part of the picture that is no longer `before`: left, top, right, bottom.
    fn changed(picture: &RgbImage, before: Rgb<u8>) -> Option<(u32, u32, u32, u32)> {
        let mut places = picture.enumerate_pixels().filter(|(_, _, pixel)| **pixel != before);
        let (x, y, _) = places.next()?;
        let union = places.fold((x, y, x, y), |(left, top, right, bottom), (x, y, _)| {
            (left.min(x), top.min(y), right.max(x), bottom.max(y))
        });
        Some(union)
    }

    #[test]
    fn the_text_is_in_its_corner_and_in_proportion_to_the_picture() {
        let grey = Rgb([128; 3]);
        for (size, corner, at_left, at_top) in [
            ((1920, 1080), "top-left", true, true),
            ((1920, 1080), "top-right", false, true),
            ((1080, 1920), "bottom-left", true, false),
            ((3840, 2160), "bottom-right", false, false),
        ] {
            let burn_in: BurnIn = format!("frame@{corner}").parse().unwrap();
            let mut picture = RgbImage::from_pixel(size.0, size.1, grey).into();
            draw(&mut picture, &words("0042"), burn_in.corner);
            let (left, top, right, bottom) = changed(&picture.to_rgb8(), grey).unwrap();
            let near = size.0.min(size.1) / 30;
            let (far_left, far_top) = (size.0 - 1 - right, size.1 - 1 - bottom);
            assert_eq!((left <= near, far_left <= near), (at_left, !at_left), "{corner}");
            assert_eq!((top <= near, far_top <= near), (at_top, !at_top), "{corner}");
            assert!((near..near * 2).contains(&(bottom - top)), "{corner}: {}", bottom - top);
        }
    }

    #[test]
    fn it_can_be_read_on_white_and_on_black_and_covers_what_is_transparent() {
        for shade in [0, 255] {
            let mut picture = RgbImage::from_pixel(640, 360, Rgb([shade; 3])).into();
            draw(&mut picture, &words("0042"), Corner::TopLeft);
            let shades = picture.to_luma8();
            let plate = shades.get_pixel(10, 10).0[0];
            let inside = ::image::imageops::crop_imm(&shades, 15, 10, 28, 16).to_image();
            let text = inside.iter().filter(|shade| **shade > 170).count();
            assert!(plate <= 102 && text > 30, "{plate} {text}");
        }
        let mut picture = RgbaImage::from_pixel(640, 360, Rgba([255, 0, 0, 0])).into();
        draw(&mut picture, &words("0042"), Corner::TopLeft);
        let picture = picture.to_rgba8();
        assert_eq!(picture.get_pixel(10, 10).0, [0, 0, 0, 153]);
        assert_eq!(picture.get_pixel(600, 300).0, [255, 0, 0, 0], "elsewhere");
    }

    #[test]
    fn every_depth_looks_the_same() {
        let picture: DynamicImage = RgbImage::from_pixel(320, 180, Rgb([120; 3])).into();
        let drawn = |mut picture: DynamicImage| {
            draw(&mut picture, &words("0042 00:00:01:18"), Corner::BottomLeft);
            picture.to_rgb8()
        };
        let expected = drawn(picture.clone());
        assert_ne!(expected, picture.to_rgb8());
        for other in [
            DynamicImage::from(picture.to_luma8()),
            picture.to_luma_alpha8().into(),
            picture.to_rgba8().into(),
            picture.to_luma16().into(),
            picture.to_luma_alpha16().into(),
            picture.to_rgb16().into(),
            picture.to_rgba16().into(),
        ] {
            let found = drawn(other);
            let differences = found.iter().zip(expected.iter()).map(|(a, b)| a.abs_diff(*b));
            assert!(differences.max().unwrap() <= 1);
        }
    }

    #[test]
    fn a_picture_of_any_size_is_drawn_or_left_alone() {
        let texts = words("0042 00:00:01:18 a-scene-with-quite-a-long-name 2026-11-29");
        for width in (1..80).chain([640, 1999]) {
            for height in (1..80).chain([360, 1501]) {
                let mut picture = RgbImage::new(width, height).into();
                draw(&mut picture, &texts, Corner::BottomRight);
            }
        }
        let mut tiny: DynamicImage = RgbImage::new(20, 20).into();
        draw(&mut tiny, &texts, Corner::TopLeft);
        assert_eq!(tiny.to_rgb8(), RgbImage::new(20, 20));
        let mut linear: DynamicImage = Rgb32FImage::new(320, 180).into();
        draw(&mut linear, &texts, Corner::TopLeft);
        assert_eq!(linear.to_rgb32f(), Rgb32FImage::new(320, 180));
    }
}

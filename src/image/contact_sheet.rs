//! The contact sheet: one picture with previews of all frames, or of up to a hundred of them.

use std::collections::BTreeMap;

use ::image::{DynamicImage, Rgb, RgbImage, imageops};

use super::PixelAspect;
use super::decode::jpeg_size;
use super::preview::{PREVIEW_BOUNDS, jpeg, shrink, size_within};
use super::text::Font;
use crate::request::{FrameFile, FrameNumber, FrameSet, ImageFormat};

/// The file name of the contact sheet, beside the previews.
pub const CONTACT_SHEET: &str = "contact-sheet.jpg";

/// The most frames on a sheet.
const MOST_FRAMES: usize = 100;

/// The largest width of a sheet in pixels.
const WIDEST: u32 = 2000;

/// The space around the sheet in pixels.
const MARGIN: u32 = 28;

/// The space between two columns in pixels.
const COLUMN_GAP: u32 = 12;

/// The space between a picture and its number in pixels.
const LABEL_GAP: u32 = 4;

/// The space between a number and the picture below it in pixels.
const ROW_GAP: u32 = 12;

/// The narrowest cell in pixels. The longest number fits into it.
const NARROWEST: u32 = 64;

/// The shape of a sheet, width by height, that the number of columns comes near to.
const SHAPE: f64 = 16.0 / 9.0;

/// A calm dark grey, which changes the look of no picture.
const BACKGROUND: Rgb<u8> = Rgb([34, 34, 36]);

/// The grey of the place of a frame that is missing.
const EMPTY: Rgb<u8> = Rgb([46, 46, 49]);

/// The grey of the numbers.
const LABEL: Rgb<u8> = Rgb([200, 200, 204]);

/// The grey of the number of a frame that is missing.
const EMPTY_LABEL: Rgb<u8> = Rgb([140, 140, 144]);

/// A contact sheet in the making.
#[derive(Debug)]
pub struct ContactSheet {
    /// The frames on it, and the previews of those that are there.
    cells: BTreeMap<FrameNumber, Option<Vec<u8>>>,
}

impl ContactSheet {
    /// A sheet of `frames`, or of some, evenly chosen, if there are too many for one sheet.
    pub fn of(frames: &FrameSet) -> Self {
        let cells = evenly(frames, MOST_FRAMES).into_iter().map(|frame| (frame, None));
        Self { cells: cells.collect() }
    }

    /// Whether the frame has a place on the sheet.
    pub fn wants(&self, frame: FrameNumber) -> bool {
        self.cells.contains_key(&frame)
    }

    /// Adds the preview of a frame, a JPEG, if the frame has a place. A frame without one, or with a
    /// file that is no JPEG, is shown as missing.
    pub fn add(&mut self, frame: FrameNumber, preview: Vec<u8>) {
        if let Some(cell) = self.cells.get_mut(&frame) {
            *cell = Some(preview);
        }
    }

    /// The sheet as JPEG; `None` if it has no picture.
    pub fn jpeg(&self) -> Option<Vec<u8>> {
        let sizes = self.cells.values().filter_map(|file| preview_size(file.as_deref()?));
        let (width, height) =
            sizes.reduce(|one, other| (one.0.max(other.0), one.1.max(other.1)))?;
        let grid = Grid::fit(self.cells.len(), (width, height));
        let mut sheet = RgbImage::from_pixel(grid.size().0, grid.size().1, BACKGROUND);
        for ((frame, file), index) in self.cells.iter().zip(0..) {
            let (left, top) = grid.place(index);
            // One after the other: decoded, all of them take more memory than anything else here.
            let preview = file.as_deref().and_then(decode);
            grid.draw_picture(&mut sheet, (left, top), preview.as_ref());
            let colour = if preview.is_some() { LABEL } else { EMPTY_LABEL };
            let label = (left, top + grid.cell.1 + LABEL_GAP);
            write(&mut sheet, label, &FrameFile::stem(*frame), colour);
        }
        Some(jpeg(sheet.into(), BACKGROUND.0))
    }
}

/// At most `count` of `frames`, the first and the last among them, at distances that differ by one
/// at most.
pub fn evenly(frames: &FrameSet, count: usize) -> Vec<FrameNumber> {
    let total = frames.len();
    if total <= count {
        return frames.iter().collect();
    }
    let last = count.saturating_sub(1).max(1);
    let mut chosen = (0..count).map(|index| index * (total - 1) / last).peekable();
    let frames = frames.iter().enumerate();
    frames.filter_map(|(index, frame)| chosen.next_if_eq(&index).map(|_| frame)).collect()
}

/// The size in pixels of the preview in a file; `None` if the file is no JPEG.
fn preview_size(file: &[u8]) -> Option<(u32, u32)> {
    // Another program may have replaced the file by a large one.
    Some(size_within(jpeg_size(file)?, PixelAspect::SQUARE, PREVIEW_BOUNDS))
}

fn decode(file: &[u8]) -> Option<DynamicImage> {
    super::decode(ImageFormat::Jpeg, file, None).ok().map(|picture| picture.pixels)
}

/// The places of the cells.
#[derive(Debug, PartialEq, Eq)]
struct Grid {
    columns: u32,
    rows: u32,
    /// The width and height of a picture.
    cell: (u32, u32),
}

impl Grid {
    /// The grid for `count` pictures of this size: about as wide as [`SHAPE`], with a last row that
    /// is rather full.
    fn fit(count: usize, (width, height): (u32, u32)) -> Self {
        let count = u32::try_from(count).unwrap_or(u32::MAX).max(1);
        let grid = |columns: u32| {
            let gaps = 2 * MARGIN + (columns - 1) * COLUMN_GAP;
            let most = (WIDEST.saturating_sub(gaps) / columns).max(NARROWEST);
            let cell = (width.clamp(NARROWEST, most), height);
            let lower = (height * cell.0 / width.max(1)).clamp(1, height.max(1));
            Self { columns, rows: count.div_ceil(columns), cell: (cell.0, lower) }
        };
        let penalty = |grid: &Self| {
            let (width, height) = grid.size();
            let empty = f64::from(grid.columns * grid.rows - count) / f64::from(grid.columns);
            let shape = f64::from(width) / f64::from(height) / SHAPE;
            shape.ln().abs() + 0.3 * empty
        };
        let most = (WIDEST - 2 * MARGIN + COLUMN_GAP) / (NARROWEST + COLUMN_GAP);
        let grids = (1..=count.min(most)).map(grid);
        let best = grids.min_by(|one, other| penalty(one).total_cmp(&penalty(other)));
        best.unwrap_or_else(|| grid(1))
    }

    fn row_height(&self) -> u32 {
        self.cell.1 + LABEL_GAP + Font::SMALL.line_height()
    }

    /// The size of the sheet in pixels.
    fn size(&self) -> (u32, u32) {
        let (width, height) = (self.cell.0 + COLUMN_GAP, self.row_height() + ROW_GAP);
        let across = 2 * MARGIN + self.columns * width - COLUMN_GAP;
        let down = 2 * MARGIN + self.rows * height - ROW_GAP;
        (across, down)
    }

    /// The place of the left upper corner of a cell, counted row by row.
    fn place(&self, index: u32) -> (u32, u32) {
        let (column, row) = (index % self.columns, index / self.columns);
        let left = MARGIN + column * (self.cell.0 + COLUMN_GAP);
        (left, MARGIN + row * (self.row_height() + ROW_GAP))
    }

    /// Draws a picture in the middle of its cell, or an empty cell if there is none.
    fn draw_picture(
        &self,
        sheet: &mut RgbImage,
        (left, top): (u32, u32),
        preview: Option<&DynamicImage>,
    ) {
        let picture = match preview {
            Some(preview) => shrink(preview, PixelAspect::SQUARE, self.cell).to_rgb8(),
            None => RgbImage::from_pixel(self.cell.0, self.cell.1, EMPTY),
        };
        let right = self.cell.0.saturating_sub(picture.width()) / 2;
        let down = self.cell.1.saturating_sub(picture.height()) / 2;
        imageops::replace(sheet, &picture, (left + right).into(), (top + down).into());
    }
}

/// Writes a line of text on [`BACKGROUND`].
fn write(sheet: &mut RgbImage, (left, top): (u32, u32), text: &str, colour: Rgb<u8>) {
    for (x, y, coverage) in Font::SMALL.pixels(text) {
        let Some(pixel) = sheet.get_pixel_mut_checked(left + x, top + y) else { continue };
        for ((sample, colour), background) in pixel.0.iter_mut().zip(colour.0).zip(BACKGROUND.0) {
            let (above, below) = (u16::from(coverage), u16::from(u8::MAX - coverage));
            let mixed = (u16::from(colour) * above + u16::from(background) * below) / 255;
            *sample = u8::try_from(mixed).unwrap_or(u8::MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::preview::preview;

    fn set(text: &str) -> FrameSet {
        text.parse().unwrap()
    }

    fn plain(colour: [u8; 3], width: u32, height: u32) -> Vec<u8> {
        let picture = RgbImage::from_pixel(width, height, Rgb(colour));
        preview(&picture.into(), PixelAspect::SQUARE, [0; 3])
    }

    #[test]
    fn frames_are_chosen_evenly_and_the_ends_are_among_them() {
        for (frames, count, expected) in [
            ("1-5", 10, "1-5"),
            ("1-5", 5, "1-5"),
            ("1-9", 3, "1,5,9"),
            ("1-10", 4, "1,4,7,10"),
            ("1-3,100-102", 2, "1,102"),
            ("1-9", 1, "1"),
        ] {
            let chosen: FrameSet = evenly(&set(frames), count).into_iter().collect();
            assert_eq!(chosen, set(expected), "{frames}");
        }
        let chosen = evenly(&set("-5-193"), 100);
        assert_eq!(chosen.len(), 100);
        let steps = chosen.windows(2).map(|pair| pair[1].get() - pair[0].get());
        assert!(steps.collect::<Vec<_>>().iter().all(|step| [1, 2].contains(step)));
        assert!(evenly(&FrameSet::default(), 100).is_empty());
    }

    #[test]
    fn a_sheet_is_about_as_wide_as_a_screen_and_never_too_wide() {
        for (count, size, columns, rows) in [
            (1, (320, 180), 1, 1),
            (2, (320, 180), 2, 1),
            (12, (320, 180), 4, 3),
            (100, (320, 180), 10, 10),
            (100, (180, 320), 20, 5),
            (100, (1, 320), 25, 4),
            (100, (320, 1), 4, 25),
        ] {
            let grid = Grid::fit(count, size);
            assert_eq!((grid.columns, grid.rows), (columns, rows), "{count} of {size:?}");
        }
        for count in 1..=100 {
            for size in [(320, 180), (180, 320), (320, 320), (1, 320), (320, 1), (1, 1)] {
                let grid = Grid::fit(count, size);
                assert!(grid.size().0 <= WIDEST, "{grid:?}");
                assert!(grid.columns * grid.rows >= u32::try_from(count).unwrap());
            }
        }
    }

    #[test]
    fn every_frame_is_in_its_place_and_a_missing_one_leaves_it_empty() {
        let mut sheet = ContactSheet::of(&set("1-4"));
        assert!(sheet.jpeg().is_none(), "no picture");
        let frame = |number: u32| FrameNumber::new(number.into()).unwrap();
        assert!(sheet.wants(frame(4)) && !sheet.wants(frame(5)));
        let colours = [(1, [200, 30, 30]), (2, [30, 200, 30]), (4, [30, 30, 200])];
        for (number, colour) in colours {
            sheet.add(frame(number), plain(colour, 320, 180));
        }
        sheet.add(frame(3), b"no JPEG".to_vec());
        sheet.add(frame(5), plain([255; 3], 320, 180));
        let file = sheet.jpeg().unwrap();
        let drawn = crate::image::decode(ImageFormat::Jpeg, &file, None).unwrap().pixels.to_rgb8();
        let grid = Grid::fit(4, (320, 180));
        assert_eq!(drawn.dimensions(), grid.size());
        for (number, colour) in [colours[0], colours[1], (3, EMPTY.0), colours[2]] {
            let (left, top) = grid.place(number - 1);
            let found = drawn.get_pixel(left + 160, top + 90).0;
            assert!(found.iter().zip(colour).all(|(a, b)| a.abs_diff(b) < 8), "{number} {found:?}");
            let label = imageops::crop_imm(&drawn, left, top + 180 + LABEL_GAP, 40, 16);
            let brightest = label.to_image().iter().copied().max().unwrap();
            assert!(brightest > EMPTY_LABEL.0[0] - 20, "{number}: {brightest}");
        }
    }
}

//! Turns pictures into frames of raw video, all of one size, as an encoder wants them.
//!
//! A picture that comes here is for a display: [`View`](super::View) has been applied to a linear
//! one. It is fitted into the size of the video, laid over the background, and converted to the
//! encoder's pixels. An odd width or height is made even by repeating the last column or row, so
//! that no pixel is lost.

mod chroma;
mod fit;
mod planes;

use ::image::DynamicImage;

use super::{PixelAspect, flatten};
use crate::request::{Colour, PixelFormat};

/// What all frames of a video have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameFormat {
    /// The width of the pictures in pixels.
    pub width: u32,
    /// The height of the pictures in pixels.
    pub height: u32,
    /// The shape of a pixel.
    pub aspect: PixelAspect,
    /// The pixels of the encoder.
    pub pixels: PixelFormat,
    /// The colour behind transparent pictures and beside those of another shape.
    pub background: Colour,
}

impl FrameFormat {
    /// The width and height of the frames: those of the pictures, or one more.
    pub fn coded_size(&self) -> (u32, u32) {
        let (columns, rows) = self.pixels.granularity();
        (self.width.next_multiple_of(columns), self.height.next_multiple_of(rows))
    }

    /// Prepares a picture for [`FrameFormat::encode`]: lays it over the background, unless the video
    /// keeps alpha, and fits it into the size of the frames. Text can be drawn on the result.
    pub fn place(&self, picture: DynamicImage, aspect: PixelAspect) -> DynamicImage {
        let picture = if self.pixels.has_alpha() {
            flatten::with_alpha(picture)
        } else {
            flatten::over(picture, self.background)
        };
        let same = (picture.width(), picture.height(), aspect);
        if same == (self.width, self.height, self.aspect) {
            return picture;
        }
        fit::into(picture, aspect, self)
    }

    /// The raw pixels of a frame. `picture` has the size of this format.
    pub fn encode(&self, picture: DynamicImage) -> Vec<u8> {
        planes::of(picture, self.pixels, self.coded_size())
    }
}

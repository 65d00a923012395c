//! One image file → one frame of raw video: decodes it, shows it as the job asks, and fits it into
//! the video.

use ::image::{DynamicImage, GenericImageView as _, Rgba};
use bytes::Bytes;

use crate::image::burn_in::{Facts, draw, texts};
use crate::image::preview::preview;
use crate::image::{Damage, FrameFormat, Ignored, Picture, PixelAspect, View, decode_any};
use crate::request::{
    BurnIn, Codec, Colour, FrameNumber, FrameRate, FrameSet, ImageFormat, LayerName, VideoSettings,
    VideoSize,
};

/// What makes frames of the images of one video. All threads share it.
#[derive(Clone, Debug)]
pub struct FrameMaker {
    /// The layer that holds the picture; `None` for the rendered picture.
    pub layer: Option<LayerName>,
    /// How linear pictures are shown.
    pub view: View,
    /// The text that is written into the pictures.
    pub stamp: Option<Stamp>,
    /// The frames that have previews already; `None` if no previews are made.
    pub previews: Option<FrameSet>,
}

/// The text that is written into pictures.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// Its items and its corner.
    pub burn_in: BurnIn,
    /// The frame rate of the video.
    pub fps: FrameRate,
    /// The name of the scene; empty if it is not known.
    pub scene: String,
    /// The date, such as `2026-11-29`.
    pub date: String,
}

/// A frame of a video.
#[derive(Clone, Debug)]
pub struct MadeFrame {
    /// The raw video.
    pub raw: Bytes,
    /// A preview, as JPEG, if the frame needs one.
    pub preview: Option<Vec<u8>>,
}

/// A decoded picture, for a display.
#[derive(Clone, Debug)]
pub struct Shown {
    pixels: DynamicImage,
    /// Its size.
    pub shape: Shape,
    /// Properties that the log tells of.
    pub traits: Traits,
}

/// The size of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shape {
    /// The width in pixels.
    pub width: u32,
    /// The height in pixels.
    pub height: u32,
    /// The shape of a pixel.
    pub aspect: PixelAspect,
}

/// Properties of a picture that the log tells of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// Whether it was linear, so that a view transform was applied.
    pub linear: bool,
    /// The layer that it was read from, if the file names its layers.
    pub layer: Option<String>,
    /// How many samples were infinite or no number.
    pub not_finite: u64,
    /// What was ignored of its file.
    pub ignored: Option<Ignored>,
}

impl FrameMaker {
    /// Decodes an image, and applies the view transform if it is linear.
    ///
    /// # Errors
    /// The damage of the file, as a predicate of its name.
    pub fn show(&self, format: ImageFormat, content: &[u8]) -> Result<Shown, String> {
        let layer = self.layer.as_ref().map(LayerName::as_str);
        let picture = decode_any(format, content, layer).map_err(|damage| match damage {
            Damage::NoLayer { .. } => format!("{damage} (--layer, LAYER)"),
            _ => damage.to_string(),
        })?;
        let linear = picture.is_linear();
        let Picture { pixels, pixel_aspect, layer, not_finite, ignored } = picture;
        let pixels = self.view.apply(pixels);
        let (width, height) = (pixels.width(), pixels.height());
        Ok(Shown {
            pixels,
            shape: Shape { width, height, aspect: pixel_aspect },
            traits: Traits { linear, layer, not_finite, ignored },
        })
    }

    /// The frame of a picture.
    pub fn frame(&self, number: FrameNumber, shown: Shown, format: &FrameFormat) -> MadeFrame {
        let mut picture = format.place(shown.pixels, shown.shape.aspect);
        let wants_preview = self.previews.as_ref().is_some_and(|there| !there.contains(number));
        let Colour(background) = format.background;
        let preview = wants_preview.then(|| preview(&picture, format.aspect, background));
        if let Some(Stamp { burn_in, fps, scene, date }) = &self.stamp {
            let facts = Facts { frame: number, fps: *fps, scene, date };
            draw(&mut picture, &texts(burn_in, &facts), burn_in.corner);
        }
        MadeFrame { raw: format.encode(picture).into(), preview }
    }
}

impl Shown {
    /// Whether something behind it would be seen. Pictures often have alpha and are opaque.
    pub fn is_transparent(&self) -> bool {
        let pixels = &self.pixels;
        pixels.color().has_alpha() && pixels.pixels().any(|(_, _, Rgba([.., alpha]))| alpha < 255)
    }
}

impl Shape {
    /// The format of the frames of a video of this `size`, whose first picture has this shape.
    /// `largest` is the largest shape of all pictures, which [`VideoSize::Largest`] requires.
    ///
    /// # Errors
    /// Why the encoder cannot have frames of this size.
    pub fn format(
        self,
        video: &VideoSettings,
        size: Option<VideoSize>,
        largest: Option<Self>,
    ) -> Result<FrameFormat, String> {
        let (pixels, background) = (video.pixels, video.look.background);
        let (width, height, aspect) = match (size, largest) {
            (None | Some(VideoSize::First), _) | (Some(VideoSize::Largest), None) => {
                (self.width, self.height, self.aspect)
            }
            (Some(VideoSize::Largest), Some(Self { width, height, aspect })) => {
                (width, height, aspect)
            }
            (Some(VideoSize::Exactly { width, height }), _) => (width, height, PixelAspect::SQUARE),
        };
        let mut shape = Self { width, height, aspect };
        if !video.name.keeps_pixel_aspect() {
            shape = shape.in_square_pixels();
        }
        shape.check(video.codec)?;
        let Self { width, height, aspect } = shape;
        Ok(FrameFormat { width, height, aspect, pixels, background })
    }

    /// The same shape in square pixels: wider or higher, so that no detail is lost.
    fn in_square_pixels(self) -> Self {
        let Self { width, height, aspect } = self;
        let longer = |side: u32, by: u32, than: u32| {
            let (side, by, than) = (u64::from(side), u64::from(by), u64::from(than));
            u32::try_from((side * by + than / 2) / than).unwrap_or(u32::MAX)
        };
        let (width, height) = if aspect.width >= aspect.height {
            (longer(width, aspect.width, aspect.height), height)
        } else {
            (width, longer(height, aspect.height, aspect.width))
        };
        Self { width, height, aspect: PixelAspect::SQUARE }
    }

    /// Checks that the encoder of `codec` takes pictures of this size.
    fn check(self, codec: Codec) -> Result<(), String> {
        let Self { width, height, .. } = self;
        let (least, most) = (codec.smallest_size(), codec.largest_size());
        let (problem, bound, remedy) = if width < least.0 || height < least.1 {
            ("too small", format!("{}x{} or more", least.0, least.1), "enlarges them")
        } else if width > most.0 || height > most.1 {
            ("too large", format!("up to {}x{}", most.0, most.1), "makes them smaller")
        } else {
            return Ok(());
        };
        Err(format!(
            "pictures of {width}x{height} are {problem} for {codec}, which takes {bound}; --size \
             (SIZE) {remedy}"
        ))
    }
}

/// Describes the size for errors: `640x480`, `720x576 pixels of 16:15`.
impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { width, height, aspect } = self;
        write!(f, "{width}x{height}")?;
        if *aspect != PixelAspect::SQUARE {
            write!(f, " with pixels of {}:{}", aspect.width, aspect.height)?;
        }
        Ok(())
    }
}

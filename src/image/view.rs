//! Interim.
use ::image::DynamicImage;

/// How linear pictures are shown.
#[derive(Clone, Debug, Default)]
pub enum View {
    /// The curve of sRGB.
    #[default]
    Srgb,
    /// Values as they are.
    Data,
}

impl View {
    /// The picture for a display.
    pub fn apply(&self, picture: &DynamicImage) -> DynamicImage {
        let mut p = picture.to_rgba32f();
        for v in p.iter_mut() {
            *v = v.clamp(0.0, 1.0);
        }
        if matches!(self, Self::Srgb) {
            for px in p.pixels_mut() {
                for v in px.0.iter_mut().take(3) {
                    *v = if *v <= 0.003_130_8 {
                        *v * 12.92
                    } else {
                        1.055 * v.powf(1.0 / 2.4) - 0.055
                    };
                }
            }
        }
        DynamicImage::ImageRgba32F(p).to_rgba16().into()
    }
}

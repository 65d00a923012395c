//! What the log says about a video besides its progress: what is not obvious, and what may be a
//! mistake.

use std::collections::BTreeSet;

use super::frames::feeder::First;
use super::frames::maker::Traits;
use super::plan::Plan;
use crate::error::frames_are;
use crate::image::{FrameFormat, View};
use crate::request::{
    Codec, FrameRange, FrameRate, FrameSet, ImageFormat, PixelFormat, SequenceSelection, StitchJob,
    VideoSettings,
};

/// Says what the video is made of, before it is made.
pub fn announce(job: &StitchJob, plan: &Plan) {
    let Plan { folder, sequence, frames, fps, .. } = plan;
    let noun = if frames.len() == 1 { "frame" } else { "frames" };
    tracing::info!(
        frames = frames.to_string(),
        "stitching {} {} {noun}, {frames}, of {folder} at {fps} frames a second",
        frames.len(),
        listed(&sequence.formats())
    );
    if sequence.left_out > 0 {
        let are = if sequence.left_out == 1 { "frame is" } else { "frames are" };
        tracing::warn!("{} other {are} in {folder}, and not part of the video", sequence.left_out);
    }
    if let Some(range) = plan.range() {
        warn_of_differences(&job.frames, frames, range);
    }
    warn_of_players(&job.video, *fps);
}

/// Lists formats: "PNG, JPEG and GIF".
fn listed(formats: &BTreeSet<ImageFormat>) -> String {
    let names: Vec<_> = formats.iter().map(ToString::to_string).collect();
    match names.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => names.concat(),
    }
}

/// Warns about differences between the frames of the video and the scene's own `range`, unless the
/// job says where the video begins and ends.
fn warn_of_differences(selection: &SequenceSelection, frames: &FrameSet, range: FrameRange) {
    let SequenceSelection::Range { first, total } = selection else { return };
    let whole = FrameSet::from(range);
    let (outside, missing) = (frames.without(&whole), whole.without(frames));
    if !outside.is_empty() && (first.is_none() || total.is_none()) {
        tracing::warn!(
            "{} outside of the scene's own range, {range}, and part of the video; --first-frame \
             scene (FIRST_FRAME) and --total-frames scene (TOTAL_FRAMES) leave them out",
            frames_are(&outside)
        );
    }
    if !missing.is_empty() && first.is_none() && total.is_none() {
        tracing::warn!(
            "the video has {} of the scene's {} frames: {} not there; --first-frame scene \
             (FIRST_FRAME) and --total-frames scene (TOTAL_FRAMES) make that an error",
            whole.len() - missing.len(),
            whole.len(),
            frames_are(&missing)
        );
    }
}

/// Warns about settings that common players do not support.
fn warn_of_players(video: &VideoSettings, fps: FrameRate) {
    let lossless = video.crf.is_some_and(|crf| crf.get() == 0);
    if video.codec == Codec::H264 && (lossless || video.pixels != PixelFormat::Yuv420p) {
        let why = if lossless { "with --crf 0 (CRF)" } else { "of 10 bits" };
        tracing::warn!("h264 {why} does not play in browsers, QuickTime and most televisions");
    }
    if video.codec == Codec::Gif && fps.numerator() > fps.denominator().saturating_mul(50) {
        tracing::warn!(
            "players slow down a GIF of more than 50 frames a second, and this one has {fps}; \
             --fps (FPS) sets another rate"
        );
    }
}

/// Tells how the pictures become those of the video, as far as that is not obvious.
pub fn tell_of_pictures(first: &First, view: &View, video: &VideoSettings, format: &FrameFormat) {
    let Traits { linear, layer, .. } = first.traits();
    if let Some(layer) = layer {
        tracing::info!("the picture is the layer {layer} (--layer, LAYER)");
    }
    if *linear {
        let how = match view {
            View::Lut(_) => "as Blender does, with the view transform of the scene",
            View::Srgb => "with the curve of sRGB",
            View::Data => "as they are, from 0 to 1",
        };
        tracing::info!("the pictures are linear light: showing them {how} (--view, VIEW)");
    }
    if !format.pixels.has_alpha() && first.is_transparent() {
        tracing::info!(
            "the pictures are transparent: laying them over {} (--background, BACKGROUND)",
            video.look.background
        );
    }
    let (shape, (width, height)) = (first.shape(), format.coded_size());
    if (shape.width, shape.height) != (width, height) {
        tracing::info!("the pictures become {width}x{height}; the first one is {shape}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_listed_as_in_a_sentence() {
        let list = |formats: &[ImageFormat]| listed(&formats.iter().copied().collect());
        assert_eq!(list(&[ImageFormat::Png]), "PNG");
        assert_eq!(list(&[ImageFormat::Png, ImageFormat::Gif]), "PNG and GIF");
        assert_eq!(
            list(&[ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif]),
            "PNG, JPEG and GIF"
        );
    }
}

//! How much of the frames a video keeps.

use std::path::Path;

use super::footage::Footage;
use super::videos::FPS;
use crate::bench::Bench;
use crate::measuring::Step;

/// What a video of the frames in `folder` loses: 1 − SSIM (structural similarity), averaged over
/// luma, both chroma channels and all frames. The frames are converted to YUV for it in 12 bits, by
/// a library that neither FFmpeg nor the worker used to make the videos. Chroma lies where it does in a
/// video that does not say otherwise: on the left one of two columns (Rec. ITU-T H.264, Annex E).
///
/// In RGB, rounding would decide: dark colours are where SSIM sees single steps, and a colour that
/// is rounded below black is cut off, which hides the error. FFmpeg rounds chroma down by 0.08 on
/// average, and seems better there than an exact conversion.
pub fn loss(bench: &Bench, footage: &Footage, folder: &Path, video: &Path) -> f64 {
    let view = footage.view.map(|view| format!("{view},")).unwrap_or_default();
    let planes = "matrix=709:range=limited,format=yuv444p12";
    let graph = format!(
        "[0]zscale=matrixin=709:rangein=limited:chromalin=left:filter=bicubic:{planes}[made];\
         [1]{view}format=gbrp16,zscale=matrixin=gbr:rangein=full:{planes}[source];\
         [made][source]ssim"
    );
    let mut command = bench.program("ffmpeg");
    command
        .args(["-nostdin", "-nostats", "-i"])
        .arg(video)
        .args(["-framerate", FPS, "-start_number", "1", "-i"])
        .arg(folder.join(footage.pattern()))
        .args(["-lavfi", &graph, "-f", "null", "-"]);
    let output = Step::new(command).end().output;
    let similarity = output.rsplit_once("All:").and_then(|(_, rest)| rest.split(' ').next());
    1.0 - similarity.and_then(|number| number.parse::<f64>().ok()).expect("FFmpeg's SSIM")
}

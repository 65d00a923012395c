//! How much of the frames a video keeps.

use std::path::Path;

use super::footage::Footage;
use super::videos::FPS;
use crate::bench::Bench;
use crate::measuring::Step;

/// What a video of the frames in `folder` loses: 1 − SSIM (structural similarity), averaged over
/// red, green, blue and all frames.
pub fn loss(bench: &Bench, footage: &Footage, folder: &Path, video: &Path) -> f64 {
    let view = footage.view.map(|view| format!("{view},")).unwrap_or_default();
    let graph = format!(
        "[0]scale=in_color_matrix=bt709:in_range=tv:flags=bicubic+accurate_rnd+full_chroma_int,\
         format=gbrp[made];[1]{view}format=gbrp[source];[made][source]ssim"
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

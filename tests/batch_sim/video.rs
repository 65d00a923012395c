//! The check of a video: it shows every frame, in order.

use std::process::{Command, Stdio};

use crate::support::s3_server::S3Server;

/// The minimum similarity (SSIM) of a frame and its picture in the video. After compression and
/// chroma subsampling it is 0.93; that of a neighbouring frame is 0.88 at most. From frame 28 on
/// nothing moves in the scene, and all frames are equal.
const MIN_SIMILARITY: f64 = 0.9;

/// Compares the video below `prefix` with the stored frames.
pub fn check(server: &S3Server, prefix: &str, frames: u32) {
    let expected: Vec<_> =
        (1..=frames).map(|frame| format!("{prefix}/frames/{frame:04}.png")).collect();
    assert_eq!(server.keys(&format!("{prefix}/frames/")), expected);
    let folder = tempfile::tempdir().expect("a folder");
    for key in expected.iter().chain([&format!("{prefix}/output.mp4")]) {
        let name = key.rsplit('/').next().expect("a name");
        std::fs::write(folder.path().join(name), server.get(key).expect("an object"))
            .expect("a file");
    }
    let output = Command::new("ffmpeg")
        .args([
            "-nostdin",
            "-v",
            "error",
            "-i",
            "output.mp4",
            "-start_number",
            "1",
            "-framerate",
            "24",
        ])
        .args(["-i", "%04d.png", "-lavfi"])
        .arg("[0]settb=1/24,setpts=N,format=gbrp[a];[1]settb=1/24,setpts=N,format=gbrp[b];[a][b]ssim=stats_file=-")
        .args(["-f", "null", "/dev/null"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("FFmpeg runs");
    let lines = String::from_utf8_lossy(&output.stdout);
    let similarities =
        lines.lines().filter_map(|line| line.split("All:").nth(1)?.split(' ').next()?.parse().ok());
    let similarities: Vec<f64> = similarities.collect();
    assert_eq!(similarities.len(), frames as usize, "frames in the video: {output:?}");
    let least = similarities.iter().copied().fold(1.0, f64::min);
    assert!(least > MIN_SIMILARITY, "missing frames or a wrong order: {similarities:?}");
}

//! Whether a video is the right one: it has every frame, in order.

use std::process::{Command, Stdio};

use crate::support::s3_server::S3Server;

/// How alike a frame and its picture in the video are at least, of 1: compression and
/// colours of half the resolution leave 0.93, and the next frame comes to 0.88 at most. From
/// frame 28 on nothing moves in the scene, and all are alike.
const ALIKE: f64 = 0.9;

/// Compares the video below `prefix` with the frames that are stored there.
pub fn check(server: &S3Server, prefix: &str, frames: u32) {
    let expected: Vec<_> =
        (1..=frames).map(|frame| format!("{prefix}/frames/{frame:04}.png")).collect();
    assert_eq!(server.keys(&format!("{prefix}/frames/")), expected);
    let folder = tempfile::tempdir().expect("a folder");
    for key in expected.iter().chain([&format!("{prefix}/output.mp4")]) {
        let name = key.rsplit('/').next().expect("a name");
        std::fs::write(folder.path().join(name), server.get(key).expect("it is stored"))
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
    let said = String::from_utf8_lossy(&output.stdout);
    let alike =
        said.lines().filter_map(|line| line.split("All:").nth(1)?.split(' ').next()?.parse().ok());
    let alike: Vec<f64> = alike.collect();
    assert_eq!(alike.len(), frames as usize, "frames in the video: {output:?}");
    let least = alike.iter().copied().fold(1.0, f64::min);
    assert!(least > ALIKE, "frames are not in the video, or not in their order: {alike:?}");
}

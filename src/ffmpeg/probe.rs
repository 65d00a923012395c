//! `FFprobe`'s description of a video.

use std::fmt;

use serde::Deserialize;

/// The properties of a finished video.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoInfo {
    /// The codec, as FFmpeg names it: `h264`, `hevc`, `prores`.
    pub codec: String,
    /// The width in pixels.
    pub width: u32,
    /// The height in pixels.
    pub height: u32,
    /// The pixel format: `yuv420p`.
    pub pixels: String,
    /// The frame rate in frames per second, as FFmpeg writes it: `24/1`.
    pub fps: String,
    /// The number of frames: counted, not read from a header.
    pub frames: u64,
    /// The version of FFmpeg.
    pub ffmpeg: String,
}

impl VideoInfo {
    /// Parses the output of [`count_frames`](super::count_frames); `None` if it describes no
    /// video.
    pub fn parse(json: &str) -> Option<Self> {
        let output: Output = serde_json::from_str(json).ok()?;
        let stream = output.streams.into_iter().next()?;
        Some(Self {
            codec: stream.codec_name,
            width: stream.width,
            height: stream.height,
            pixels: stream.pix_fmt,
            fps: stream.avg_frame_rate,
            frames: stream.nb_read_packets?.parse().ok()?,
            ffmpeg: output.program_version.version,
        })
    }
}

impl fmt::Display for VideoInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { codec, width, height, pixels, fps, frames, ffmpeg: _ } = self;
        let noun = if *frames == 1 { "frame" } else { "frames" };
        write!(f, "{frames} {noun}, {codec}, {width}x{height}, ")?;
        // FFprobe cannot tell the rate of a GIF of two frames.
        if fps != "0/0" {
            write!(f, "{} fps, ", fps.strip_suffix("/1").unwrap_or(fps))?;
        }
        f.write_str(pixels)
    }
}

#[derive(Deserialize)]
struct Output {
    #[serde(default)]
    program_version: ProgramVersion,
    streams: Vec<Stream>,
}

#[derive(Default, Deserialize)]
struct ProgramVersion {
    version: String,
}

#[derive(Deserialize)]
struct Stream {
    codec_name: String,
    width: u32,
    height: u32,
    #[serde(default)]
    pix_fmt: String,
    avg_frame_rate: String,
    nb_read_packets: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_of_ffprobe_is_parsed() {
        let json = r#"{"program_version": {"version": "5.1.9"}, "streams": [{"codec_name": "h264", "width": 66,
            "height": 50, "pix_fmt": "yuv420p", "avg_frame_rate": "24000/1001",
            "nb_read_packets": "6"}]}"#;
        let info = VideoInfo::parse(json).unwrap();
        assert_eq!(info.to_string(), "6 frames, h264, 66x50, 24000/1001 fps, yuv420p");
        for bad in ["", "{}", r#"{"streams": []}"#, r#"{"streams": [{"codec_name": "h264"}]}"#] {
            assert_eq!(VideoInfo::parse(bad), None, "{bad}");
        }
    }
}

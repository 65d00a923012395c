//! FFmpeg's and `FFprobe`'s command lines.

use std::path::Path;
use std::process::Command;

use crate::request::{Codec, FrameRate, ImageFormat, VideoSettings};

/// One run of FFmpeg: frames as IVF on standard input, a video file as output.
#[derive(Clone, Copy, Debug)]
pub struct Encode<'a> {
    /// The FFmpeg executable.
    pub ffmpeg: &'a Path,
    /// The format of the frames.
    pub format: ImageFormat,
    /// The layer of multilayer `OpenEXR` frames that holds the picture.
    pub layer: Option<&'a str>,
    /// The frame rate of the video.
    pub fps: FrameRate,
    /// Codec and quality.
    pub video: &'a VideoSettings,
    /// The video file. Its extension chooses the container.
    pub output: &'a Path,
    /// The whole environment of FFmpeg.
    pub environment: &'a [(String, String)],
}

impl Encode<'_> {
    /// Builds the command.
    pub fn command(&self) -> Command {
        let mut command = isolated(self.ffmpeg, self.environment);
        command.args(["-hide_banner", "-loglevel", "level+error", "-nostats", "-y"]);
        // FFmpeg fails at a frame that it cannot decode. By default it would leave the frame out.
        command.arg("-xerror");
        match self.format {
            // `explode` would refuse every tag that FFmpeg does not know. Blender writes such a
            // tag (ResolutionUnit) into each TIFF file.
            ImageFormat::Tiff => {}
            _ => {
                command.args(["-err_detect", "explode"]);
            }
        }
        if let Some(layer) = self.layer {
            command.args(["-layer", layer]);
        }
        command
            .args(["-f", "ivf", "-c:v", decoder(self.format), "-r", &self.fps.to_string()])
            .args(["-i", "pipe:0", "-an", "-vf", &self.filters()])
            .args(self.encoder())
            // The colours that most players assume for HD video, for players that do not.
            .args(["-color_range", "tv", "-colorspace", "bt709"])
            .args(["-color_primaries", "bt709", "-color_trc", "bt709"])
            // With the index at the front, a browser can play the video while it loads.
            .args(["-movflags", "+faststart"])
            .args(["-progress", "pipe:1"])
            .arg(self.output);
        command
    }

    fn filters(&self) -> String {
        let pixels = match self.video.codec {
            Codec::H264 | Codec::H265 => "yuv420p",
            Codec::ProRes => "yuv422p10le",
        };
        let light = match self.format {
            // OpenEXR stores linear light, which would look too dark. (FFmpeg 9 has removed the
            // decoder's own option for this, -apply_trc.)
            ImageFormat::OpenExr => "zscale=transferin=linear:transfer=iec61966-2-1,",
            _ => "",
        };
        [
            // Subsampled chroma needs an even width and height. Padding comes first: the conversion
            // drops the last column and row of odd sizes.
            &format!("{light}pad=ceil(iw/2)*2:ceil(ih/2)*2"),
            // The scaler converts RGB to BT.601 by default.
            "scale=out_color_matrix=bt709:out_range=tv",
            &format!("format={pixels}"),
            "setsar=1",
            "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709",
        ]
        .join(",")
    }

    fn encoder(&self) -> Vec<String> {
        let mut arguments: Vec<String> = Vec::new();
        let mut push = |more: &[&str]| arguments.extend(more.iter().map(|&arg| arg.to_owned()));
        match self.video.codec {
            Codec::H264 => push(&["-c:v", "libx264"]),
            // Apple's players open H.265 only with this tag.
            Codec::H265 => {
                push(&["-c:v", "libx265", "-tag:v", "hvc1", "-x265-params", "log-level=error"]);
            }
            Codec::ProRes => push(&["-c:v", "prores_ks", "-profile:v", "hq", "-vendor", "apl0"]),
        }
        if self.video.codec.has_rate_factor() {
            if let Some(preset) = self.video.preset {
                push(&["-preset", preset.as_str()]);
            }
            if let Some(crf) = self.video.crf {
                push(&["-crf", &crf.get().to_string()]);
            }
        }
        arguments
    }
}

fn decoder(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Png => "png",
        ImageFormat::Jpeg => "mjpeg",
        ImageFormat::OpenExr => "exr",
        ImageFormat::Tiff => "tiff",
        ImageFormat::WebP => "webp",
        _ => "bmp",
    }
}

/// A command with exactly this environment.
fn isolated(program: &Path, environment: &[(String, String)]) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    command
}

/// Builds the `FFprobe` command that describes a video and counts its frames.
/// [`VideoInfo::parse`](super::VideoInfo::parse) reads the output.
pub fn count_frames(ffprobe: &Path, video: &Path, environment: &[(String, String)]) -> Command {
    let mut command = isolated(ffprobe, environment);
    command
        .args(["-v", "error", "-show_program_version", "-count_packets"])
        .args(["-select_streams", "v:0"])
        .args(["-show_entries"])
        .arg("stream=codec_name,width,height,pix_fmt,avg_frame_rate,nb_read_packets")
        .args(["-of", "json=compact=1"])
        .arg(video);
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::OutputName;

    fn arguments(format: ImageFormat, codec: Codec, layer: Option<&str>) -> String {
        let video = VideoSettings {
            codec,
            crf: Some("18".parse().unwrap()),
            preset: Some("slow".parse().unwrap()),
            fps: None,
            name: OutputName::default_for(codec),
        };
        let encode = Encode {
            ffmpeg: Path::new("ffmpeg"),
            format,
            layer,
            fps: "23.976".parse().unwrap(),
            video: &video,
            output: Path::new("/s/output.mp4"),
            environment: &[("PATH".to_owned(), "/bin".to_owned())],
        };
        let command = encode.command();
        let arguments: Vec<_> = command.get_args().map(|a| a.to_string_lossy()).collect();
        arguments.join(" ")
    }

    #[test]
    fn input_options_come_before_the_input() {
        let all = arguments(ImageFormat::OpenExr, Codec::H264, Some("L.Combined"));
        let (before, after) = all.split_once(" -i pipe:0 ").unwrap();
        for option in ["-layer L.Combined", "-c:v exr", "-r 24000/1001"] {
            assert!(before.contains(option), "{option} in {before}");
        }
        assert!(after.contains("-c:v libx264 -preset slow -crf 18"), "{after}");
        assert!(after.ends_with(" /s/output.mp4"), "{after}");
    }

    #[test]
    fn only_linear_images_are_converted_from_linear_light() {
        let converted = |format| arguments(format, Codec::H264, None).contains("linear");
        assert!(converted(ImageFormat::OpenExr) && !converted(ImageFormat::Png));
    }

    #[test]
    fn decoding_is_strict_for_every_format_but_tiff() {
        let strict = |format| arguments(format, Codec::H264, None).contains("explode");
        assert!(!strict(ImageFormat::Tiff) && strict(ImageFormat::Png));
    }

    #[test]
    fn each_codec_gets_the_options_that_players_need() {
        assert!(arguments(ImageFormat::Png, Codec::H264, None).contains("format=yuv420p"));
        assert!(arguments(ImageFormat::Png, Codec::H265, None).contains("-tag:v hvc1"));
        let prores = arguments(ImageFormat::Png, Codec::ProRes, None);
        assert!(prores.contains("yuv422p10le") && !prores.contains("-crf"), "{prores}");
    }
}

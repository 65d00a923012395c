//! FFmpeg's and `FFprobe`'s command lines.

use std::path::Path;
use std::process::Command;

use super::sound::SoundTrack;
use crate::request::{Codec, FrameRate, PixelFormat, Preset, VideoSettings};

/// One run of FFmpeg: raw video on standard input, a video file as output.
#[derive(Clone, Copy, Debug)]
pub struct Encode<'a> {
    /// The FFmpeg executable.
    pub ffmpeg: &'a Path,
    /// The width and height of the frames in pixels.
    pub size: (u32, u32),
    /// The width and height of a pixel, in any unit.
    pub pixel_aspect: (u32, u32),
    /// The frame rate of the video.
    pub fps: FrameRate,
    /// Codec and quality.
    pub video: &'a VideoSettings,
    /// The sound.
    pub sound: Option<&'a SoundTrack>,
    /// The video file. Its extension chooses the container.
    pub output: &'a Path,
    /// The whole environment of FFmpeg.
    pub environment: &'a [(String, String)],
}

/// Colours as the frames have them, and as most players assume them for HD video.
const BT_709: [&str; 8] = [
    "-color_range",
    "tv",
    "-colorspace",
    "bt709",
    "-color_primaries",
    "bt709",
    "-color_trc",
    "bt709",
];

impl Encode<'_> {
    /// Builds the command.
    pub fn command(&self) -> Command {
        let mut command = isolated(self.ffmpeg, self.environment);
        command.args(["-hide_banner", "-loglevel", "level+error", "-nostats", "-y"]);
        let (width, height) = self.size;
        command
            .args(["-f", "rawvideo", "-pixel_format", self.video.pixels.name()])
            .args(["-video_size", &format!("{width}x{height}")])
            // FFmpeg rounds high rates, such as 120000/1001, unless they are given twice.
            .args(["-framerate", &self.fps.to_string(), "-r", &self.fps.to_string()]);
        if self.is_yuv() {
            command.args(BT_709);
        }
        if self.video.pixels.granularity() != (1, 1) {
            // Most players assume this, but AV1 and VP9 can also say that it is unknown.
            command.args(["-chroma_sample_location", "left"]);
        }
        command.args(["-i", "pipe:0"]);
        if let Some(sound) = self.sound {
            command.arg("-i").arg(&sound.file).args(["-map", "0:v:0", "-map", "1:a:0"]);
        }
        command.args(["-vf", &self.filters()]).args(self.encoder());
        if self.is_yuv() {
            command.args(BT_709);
        }
        if let Some(sound) = self.sound {
            let (layouts, encoder) = self.sound_encoder();
            command.args(["-af", &sound.filters(layouts)]).args(encoder);
        }
        if matches!(&*self.video.name.container(), "mp4" | "mov") {
            // With the index at the front, a browser can play the video while it loads.
            command.args(["-movflags", "+faststart"]);
        }
        if self.video.codec == Codec::Av1 {
            // SVT-AV1 prints its version and settings, whatever FFmpeg's log level is.
            command.env("SVT_LOG", "1");
        }
        command.args(["-progress", "pipe:1"]).arg(self.output);
        command
    }

    fn is_yuv(&self) -> bool {
        !matches!(self.video.pixels, PixelFormat::Rgb | PixelFormat::Rgba)
    }

    fn filters(&self) -> String {
        if self.video.codec == Codec::Gif {
            // A palette for each frame: one for all would take all frames in memory.
            return "split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1".into();
        }
        let (width, height) = self.pixel_aspect;
        format!(
            "setsar={width}/{height},\
             setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"
        )
    }

    fn encoder(&self) -> Vec<String> {
        let mut arguments = vec!["-c:v".to_owned(), encoder(self.video.codec).to_owned()];
        let mut push = |more: &[&str]| arguments.extend(more.iter().map(|&arg| arg.to_owned()));
        match self.video.codec {
            Codec::H264 | Codec::Av1 => {}
            // Otherwise FFmpeg leaves out what looks like the frame before, and compares colours by
            // their places in palettes that differ.
            Codec::Gif => push(&["-gifflags", "-offsetting-transdiff"]),
            // Apple's players open H.265 only with this tag.
            Codec::H265 => push(&["-tag:v", "hvc1", "-x265-params", "log-level=error"]),
            Codec::Vp9 => {
                push(&["-b:v", "0", "-row-mt", "1", "-cpu-used", "2"]);
                if self.video.pixels.has_alpha() {
                    // libvpx cannot keep alpha with alternate reference frames.
                    push(&["-auto-alt-ref", "0"]);
                }
            }
            Codec::ProRes => push(&["-profile:v", "hq", "-vendor", "apl0"]),
            Codec::ProRes4444 => push(&["-profile:v", "4444", "-vendor", "apl0"]),
            Codec::DnxHr => {
                let profile = match self.video.pixels {
                    PixelFormat::Yuv422p10 => "dnxhr_hqx",
                    _ => "dnxhr_hq",
                };
                push(&["-profile:v", profile]);
            }
        }
        if let Some(preset) = self.video.preset.or_else(|| default_preset(self.video.codec)) {
            push(&["-preset", preset.as_str()]);
        }
        match (self.video.crf, self.video.codec) {
            (Some(crf), _) => push(&["-crf", &crf.get().to_string()]),
            // Without a factor, libvpx aims at a bit rate.
            (None, Codec::Vp9) => push(&["-crf", "31"]),
            (None, _) => {}
        }
        arguments
    }

    /// The layouts of channels that the encoder of the sound takes, and its options. No layouts mean
    /// any. The sound of films often is 5.1 with the surround channels at the sides, which libopus
    /// refuses, and which players cannot tell from AAC.
    fn sound_encoder(&self) -> (&'static str, &'static [&'static str]) {
        match (&*self.video.name.container(), self.video.codec) {
            // Opus has no other rate that sound commonly has.
            ("webm", _) => (
                "mono|stereo|3.0|quad|5.0|5.1|6.1|7.1",
                &["-c:a", "libopus", "-b:a", "160k", "-ar", "48000"],
            ),
            (_, Codec::ProRes | Codec::ProRes4444 | Codec::DnxHr) => {
                ("", &["-c:a", "pcm_s16le", "-ar", "48000"])
            }
            _ => ("mono|stereo|3.0|4.0|5.0|5.1|7.1", &["-c:a", "aac", "-b:a", "192k"]),
        }
    }
}

/// FFmpeg's name of the encoder for a codec.
pub(super) fn encoder(codec: Codec) -> &'static str {
    match codec {
        Codec::H264 => "libx264",
        Codec::H265 => "libx265",
        Codec::Av1 => "libsvtav1",
        Codec::Vp9 => "libvpx-vp9",
        Codec::ProRes | Codec::ProRes4444 => "prores_ks",
        Codec::DnxHr => "dnxhd",
        Codec::Gif => "gif",
    }
}

/// The preset of an encoder whose own default depends on its version.
fn default_preset(codec: Codec) -> Option<Preset> {
    match codec {
        Codec::Av1 => Preset::new("8", codec).ok(),
        _ => None,
    }
}

/// A command with exactly this environment.
pub(super) fn isolated(program: &Path, environment: &[(String, String)]) -> Command {
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
    use crate::request::{BitDepth, Crf, OutputName};

    fn arguments(codec: Codec, edit: impl FnOnce(&mut VideoSettings)) -> String {
        let mut video = VideoSettings {
            codec,
            pixels: codec.pixel_format(None, false).unwrap(),
            name: OutputName::default_for(codec),
            ..VideoSettings::example()
        };
        edit(&mut video);
        let encode = Encode {
            ffmpeg: Path::new("ffmpeg"),
            size: (64, 48),
            pixel_aspect: (1, 1),
            fps: "23.976".parse().unwrap(),
            video: &video,
            sound: None,
            output: Path::new("/s/output"),
            environment: &[("PATH".to_owned(), "/bin".to_owned())],
        };
        let command = encode.command();
        let arguments: Vec<_> = command.get_args().map(|a| a.to_string_lossy()).collect();
        arguments.join(" ")
    }

    #[test]
    fn input_options_come_before_the_input() {
        let all = arguments(Codec::H264, |video| {
            video.crf = Crf::new("18", Codec::H264).ok();
            video.preset = Preset::new("slow", Codec::H264).ok();
        });
        let (before, after) = all.split_once(" -i pipe:0 ").unwrap();
        for option in ["-pixel_format yuv420p", "-video_size 64x48", "-framerate 24000/1001"] {
            assert!(before.contains(option), "{option} in {before}");
        }
        assert!(after.contains("-c:v libx264 -preset slow -crf 18"), "{after}");
        assert!(after.ends_with(" /s/output"), "{after}");
    }

    #[test]
    fn each_codec_gets_the_options_that_players_need() {
        let plain = |codec| arguments(codec, |_| {});
        assert!(plain(Codec::H265).contains("-tag:v hvc1"));
        assert!(plain(Codec::Vp9).contains("-b:v 0"));
        assert!(!plain(Codec::Vp9).contains("faststart"));
        assert!(plain(Codec::ProRes).contains("yuv422p10le"));
        assert!(plain(Codec::DnxHr).contains("dnxhr_hq "));
        assert!(!plain(Codec::Gif).contains("bt709"));
        let deep = arguments(Codec::DnxHr, |video| {
            video.pixels = Codec::DnxHr.pixel_format(Some(BitDepth::Ten), false).unwrap();
        });
        assert!(deep.contains("dnxhr_hqx"), "{deep}");
    }
}

//! `stitch`: codecs, and sound in sync with the pictures.

use std::f64::consts::TAU;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::frames::{self, assert_shows};
use crate::support::{Run, probe, worker};

/// Ten frames, and an output folder.
struct Shot(TempDir);

impl Shot {
    fn new() -> Self {
        let shot = Self(tempfile::tempdir().unwrap());
        frames::write(&shot.0.path().join("in/frames"), 1..=10);
        shot
    }

    fn stitch(&self, flags: &str) -> Run {
        let (input, output) = (self.0.path().join("in"), self.0.path().join("out"));
        worker("stitch").input(input).output(output).env("FPS", "10").args(flags).run()
    }

    #[track_caller]
    fn stitched(&self, name: &str, flags: &str) -> PathBuf {
        self.stitch(&format!("{flags} --output-name {name}")).exits(0);
        self.0.path().join("out").join(name)
    }
}

fn streams(video: &Path) -> Vec<Value> {
    probe(video)["streams"].as_array().unwrap().clone()
}

#[test]
fn every_codec_makes_a_video_of_all_frames() {
    for (name, flags, codec, pixels) in [
        ("a.mp4", "", "h264", "yuv420p"),
        ("a.mkv", "--codec h265 --bit-depth 10", "hevc", "yuv420p10le"),
        ("a.webm", "", "vp9", "yuv420p"),
        ("b.webm", "--codec av1", "av1", "yuv420p"),
        ("a.mp4", "--codec av1 --preset 10 --crf 40 --bit-depth 10", "av1", "yuv420p10le"),
        ("a.mov", "--codec prores", "prores", "yuv422p10le"),
        // FFmpeg decodes it to 12 bits, whatever it was made of.
        ("a.mov", "--codec prores4444", "prores", "yuv444p12le"),
        ("a.mov", "--codec dnxhr", "dnxhd", "yuv422p"),
        ("b.mov", "--codec dnxhr --bit-depth 10", "dnxhd", "yuv422p10le"),
    ] {
        let shot = Shot::new();
        // The encoders of AV1 and DNxHR take no pictures as small as these.
        let small = codec == "av1" || codec == "dnxhd";
        let size = if small { "--size 256x192" } else { "" };
        if small {
            let error = shot.stitch(&format!("{flags} --output-name {name}")).exits(65);
            assert!(error.final_error().contains("--size (SIZE)"), "{}", error.final_error());
        }
        let video = shot.stitched(name, &format!("{flags} {size}"));
        let stream = &streams(&video)[0];
        assert_eq!(
            (&stream["codec_name"], &stream["pix_fmt"], &stream["nb_read_frames"]),
            (&json!(codec), &json!(pixels), &json!("10")),
            "{name} {flags}"
        );
        // In ProRes and DNxHR, chroma lies there by definition.
        if !name.ends_with("mov") {
            assert_eq!(stream["chroma_location"], "left", "{name} {flags}");
        }
        if size.is_empty() {
            assert_shows(&video, 1..=10);
        }
    }
}

#[test]
fn a_gif_shows_every_frame() {
    let shot = Shot::new();
    let video = shot.stitched("a.gif", "");
    let stream = &streams(&video)[0];
    assert_eq!((&stream["codec_name"], &stream["nb_read_frames"]), (&json!("gif"), &json!("10")));
    assert_eq!(stream["avg_frame_rate"], "10/1");
}

#[test]
fn what_common_players_do_not_play_is_warned_of() {
    let shot = Shot::new();
    for flags in ["--crf 0", "--bit-depth 10"] {
        let run = shot.stitch(flags).exits(0);
        assert!(run.warnings().iter().any(|text| text.contains("browsers")), "{flags}");
    }
}

/// Writes a sound of some seconds with a click at one time, as WAV.
fn click(file: &Path, seconds: u32, at: f64) {
    const RATE: u32 = 48_000;
    let samples = (0..seconds * RATE).map(|n| {
        let time = f64::from(n) / f64::from(RATE) - at;
        let tone = if (0.0..0.02).contains(&time) { (time * 1000.0 * TAU).sin() } else { 0.0 };
        #[expect(clippy::cast_possible_truncation, reason = "at most 30000")]
        let sample = (tone * 30_000.0) as i16;
        sample
    });
    let data: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
    let size = u32::try_from(data.len()).unwrap();
    let mut wav = b"RIFF".to_vec();
    wav.extend((36 + size).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend(RATE.to_le_bytes());
    wav.extend((RATE * 2).to_le_bytes());
    wav.extend(b"\x02\0\x10\0data");
    wav.extend(size.to_le_bytes());
    wav.extend(data);
    fs::write(file, wav).unwrap();
}

/// When the click of a video begins and how long its sound is, in seconds.
fn heard(video: &Path) -> (Option<f64>, f64) {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(video)
        .args(["-map", "0:a:0", "-ac", "1", "-ar", "48000", "-f", "s16le", "-"])
        .output()
        .unwrap();
    let (samples, _) = output.stdout.as_chunks::<2>();
    let loud = samples.iter().position(|s| i16::from_le_bytes(*s).unsigned_abs() > 6000);
    let seconds = |n: usize| f64::from(u32::try_from(n).unwrap()) / 48_000.0;
    (loud.map(seconds), seconds(samples.len()))
}

#[test]
fn a_sound_file_is_heard_at_its_time() {
    let shot = Shot::new();
    let sound = shot.0.path().join("click.wav");
    click(&sound, 5, 0.5);
    for (name, flags, expected) in [
        ("a.mp4", "", Some(0.5)),
        ("a.webm", "", Some(0.5)),
        ("a.mov", "--codec prores", Some(0.5)),
        ("b.mp4", "--audio-offset 0.25", Some(0.75)),
        ("c.mp4", "--audio-offset -0.4", Some(0.1)),
        ("d.mp4", "--audio-offset -2", None),
    ] {
        let flags = format!("{flags} --audio {}", sound.display());
        let video = shot.stitched(name, &flags);
        let (click, length) = heard(&video);
        match (click, expected) {
            (Some(found), Some(expected)) => {
                assert!((found - expected).abs() < 0.005, "{name}: {found}");
            }
            (found, expected) => assert_eq!(found, expected, "{name}"),
        }
        // It ends with the video of one second, but for the encoder's last block.
        assert!((0.9..1.1).contains(&length), "{name}: {length}");
        let frames = streams(&video).iter().find(|s| s["codec_type"] == "video").cloned();
        assert_eq!(frames.unwrap()["nb_read_frames"], "10", "{name}");
    }
}

#[test]
fn a_short_sound_does_not_shorten_the_video() {
    let shot = Shot::new();
    let sound = shot.0.path().join("click.wav");
    click(&sound, 1, 0.1);
    for (name, flags) in [
        ("a.mp4", "--fps 2"),
        ("a.mxf", "--fps 25 --codec dnxhr --size 256x192 --audio-offset -0.8"),
    ] {
        let video = shot.stitched(name, &format!("{flags} --audio {}", sound.display()));
        let streams = streams(&video);
        let pictures = streams.iter().find(|stream| stream["codec_type"] == "video").unwrap();
        assert_eq!(pictures["nb_read_frames"], "10", "{name}");
    }
}

/// Converts a sound with FFmpeg.
fn convert(flags: &str, file: &Path) {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error"]).args(shell_words::split(flags).unwrap()).arg(file);
    assert!(ffmpeg.status().unwrap().success(), "{flags}");
}

#[test]
fn a_sound_that_begins_late_and_has_a_hole_stays_in_sync() {
    let shot = Shot::new();
    let wav = shot.0.path().join("click.wav");
    click(&wav, 5, 0.5);
    // As a recording with a pause: the sound begins 0.2 s after the picture, and 0.2 s are missing.
    let recording = shot.0.path().join("recording.mkv");
    let flags = format!(
        "-f lavfi -i color=size=16x16:duration=5 -itsoffset 0.2 -i {} -af \
         \"aselect='not(between(t,0.3,0.5))'\" -c:a pcm_s16le",
        wav.display()
    );
    convert(&flags, &recording);
    for (name, flags, expected) in [
        ("a.mp4", "", 0.7),
        ("a.mov", "--codec prores", 0.7),
        ("b.mp4", "--audio-offset 0.1", 0.8),
        ("c.mp4", "--audio-offset -0.1", 0.6),
    ] {
        let video = shot.stitched(name, &format!("{flags} --audio {}", recording.display()));
        let found = heard(&video).0.unwrap();
        assert!((found - expected).abs() < 0.005, "{name}: {found}");
    }
}

#[test]
fn sound_with_the_channels_of_films_is_kept() {
    let shot = Shot::new();
    let sound = shot.0.path().join("film.wav");
    convert("-f lavfi -i sine=duration=1 -af aformat=channel_layouts=5.1(side)", &sound);
    for name in ["a.mp4", "a.webm"] {
        let video = shot.stitched(name, &format!("--audio {}", sound.display()));
        let streams = streams(&video);
        let heard = streams.iter().find(|stream| stream["codec_type"] == "audio").unwrap();
        assert_eq!(
            (&heard["channels"], &heard["channel_layout"]),
            (&6.into(), &"5.1".into()),
            "{name}"
        );
    }
}

#[test]
fn a_sound_that_cannot_be_used_is_named() {
    let shot = Shot::new();
    let nothing = shot.0.path().join("no.wav");
    let text = shot.0.path().join("text.wav");
    fs::write(&text, "no sound").unwrap();
    let cover = shot.0.path().join("in/frames/0001.png");
    for (file, code, part) in
        [(&nothing, 66, "no.wav"), (&text, 65, "cannot decode the sound"), (&cover, 65, "no sound")]
    {
        let run = shot.stitch(&format!("--audio {}", file.display())).exits(code);
        assert!(run.final_error().contains(part), "{}", run.final_error());
    }
    for flags in ["--audio x.wav --no-audio", "--audio-offset 1", "--audio x.wav --codec gif"] {
        shot.stitch(flags).exits(2);
    }
}

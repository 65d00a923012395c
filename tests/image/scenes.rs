//! The image can render with every engine, to every image format, and encode with every codec.

use serde_json::Value;

use crate::container::container;
use crate::stage::Stage;
use crate::support::engine::printed;
use crate::support::report;

/// The resolution of the scene `demo`.
const DEMO: (usize, usize) = (480, 270);

/// The resolution of all other scenes.
const TINY: (usize, usize) = (64, 48);

/// Asserts that each frame shows something, and that all frames are different.
#[track_caller]
fn assert_pictures(frames: &[Vec<u8>]) {
    for (number, frame) in frames.iter().enumerate() {
        let bright = frame.iter().filter(|&&channel| channel > 40).count();
        let (dark, light) = (frame.iter().min(), frame.iter().max());
        assert!(bright > frame.len() / 4, "picture {number} is black");
        assert!(light.zip(dark).is_some_and(|(l, d)| l - d > 60), "picture {number} is empty");
        assert!(!frames[..number].contains(frame), "picture {number} is a duplicate");
    }
}

/// Renders two frames of the scene `demo`, stitches them, and checks the video.
#[track_caller]
fn check_demo_with(engine: &str) {
    let stage = Stage::new();
    let run = stage.render("demo").args("-f 2 --engine").arg(engine).run().exits(0);
    assert_eq!(report(&stage.path("out"), "render")["scene"]["engine"], engine, "{}", run.text());
    assert_eq!(stage.frames("out"), ["0001.png", "0002.png"]);
    stage.stitch().run().exits(0);
    let video = stage.probe("out/output.mp4");
    for (field, expected) in [
        ("codec_name", "h264"),
        ("pix_fmt", "yuv420p"),
        ("r_frame_rate", "24/1"),
        ("nb_read_frames", "2"),
    ] {
        assert_eq!(video[field], expected, "{field}");
    }
    let pictures = stage.pixels("out/output.mp4", DEMO);
    assert_eq!(pictures.len(), 2);
    assert_pictures(&pictures);
}

#[test]
fn cycles_renders_the_demo_scene() {
    check_demo_with("CYCLES");
}

#[test]
fn eevee_renders_the_demo_scene() {
    // The engine has another name in Blender 4.2 to 4.5.
    let version = printed(container().arg("--version").output_of("blender"));
    let renamed = ["4.2", "4.3", "4.4", "4.5"];
    let renamed = renamed.iter().any(|v| version.starts_with(&format!("Blender {v}.")));
    check_demo_with(if renamed { "BLENDER_EEVEE_NEXT" } else { "BLENDER_EEVEE" });
}

#[test]
fn workbench_renders_the_demo_scene() {
    check_demo_with("BLENDER_WORKBENCH");
}

/// Renders two frames in a format, and stitches them with each codec.
#[track_caller]
fn check_every_codec(scene: &str, extension: &str) {
    let stage = Stage::new();
    stage.render(scene).args("-f 2").run().exits(0).logs_no_warnings();
    assert_eq!(stage.frames("out"), ["0001", "0002"].map(|name| format!("{name}.{extension}")));
    for (codec, file, name, pixels) in [
        ("h264", "output.mp4", "h264", "yuv420p"),
        ("h265", "h265.mp4", "hevc", "yuv420p"),
        ("prores", "output.mov", "prores", "yuv422p10le"),
    ] {
        let stitch = stage.stitch().args(&format!("--codec {codec} --output-name {file}"));
        stitch.run().exits(0);
        let video: Value = stage.probe(&format!("out/{file}"));
        assert_eq!((&video["codec_name"], &video["pix_fmt"]), (&name.into(), &pixels.into()));
        let pictures = stage.pixels(&format!("out/{file}"), TINY);
        assert_eq!(pictures.len(), 2, "{scene} {codec}");
        assert_pictures(&pictures);
    }
}

#[test]
fn png_frames_can_be_encoded_with_every_codec() {
    check_every_codec("tiny", "png");
}

#[test]
fn jpeg_frames_can_be_encoded_with_every_codec() {
    check_every_codec("jpeg", "jpg");
}

#[test]
fn openexr_frames_can_be_encoded_with_every_codec() {
    check_every_codec("exr", "exr");
}

#[test]
fn tiff_frames_can_be_encoded_with_every_codec() {
    check_every_codec("tiff", "tif");
}

#[test]
fn webp_frames_can_be_encoded_with_every_codec() {
    check_every_codec("webp", "webp");
}

/// The image has FFmpeg's encoders and filters for every codec, and for sound in every container.
#[test]
fn every_codec_is_encoded_with_sound_if_it_can_have_any() {
    const SIZE: (usize, usize) = (256, 192);
    let stage = Stage::new();
    stage.render("tiny").args("-f 2").run().exits(0);
    for (codec, file, name, sound) in [
        ("h264", "a.mp4", "h264", Some(("wav", "aac"))),
        ("h265", "b.mp4", "hevc", Some(("mp3", "aac"))),
        ("av1", "c.mp4", "av1", Some(("flac", "aac"))),
        ("av1", "c.webm", "av1", Some(("m4a", "opus"))),
        ("vp9", "d.webm", "vp9", Some(("ogg", "opus"))),
        ("prores", "e.mov", "prores", Some(("wav", "pcm_s16le"))),
        ("prores4444", "f.mov", "prores", Some(("mp3", "pcm_s16le"))),
        ("dnxhr", "g.mov", "dnxhd", Some(("flac", "pcm_s16le"))),
        ("gif", "h.gif", "gif", None),
    ] {
        let mut stitch = stage.stitch().args(&format!("--codec {codec} --output-name {file}"));
        if let Some((extension, _)) = sound {
            let sine = format!("-v error -y -f lavfi -i sine=d=1 /work/sine.{extension}");
            let made = stage.container().args(&sine).output_of("ffmpeg");
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
            stitch = stitch.args(&format!("--audio /work/sine.{extension} --audio-offset 0.01"));
        }
        // AV1 and DNxHR have no pictures as small as those of the scene.
        stitch.args("--size 256x192").run().exits(0);
        let file = format!("out/{file}");
        let streams = stage.streams(&file);
        let found: Vec<_> = streams.iter().map(|stream| &stream["codec_name"]).collect();
        let expected: Vec<_> = [name].into_iter().chain(sound.map(|(_, name)| name)).collect();
        assert_eq!(found, expected, "{codec}");
        let pictures = stage.pixels(&file, SIZE);
        assert_eq!(pictures.len(), 2, "{codec}");
        assert_pictures(&pictures);
    }
}

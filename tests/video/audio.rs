//! The sound of a scene: one worker has Blender mix it, and stores it below the output.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::blender::save_startup_scene;
use crate::support::{Run, names, report, worker};

const RATE: u32 = 48_000;

/// Writes a mono sound of one second, silent but for a click of 20 ms after `at` seconds.
fn write_click(file: &Path, at: f64) {
    let samples = (0..RATE).map(|index| {
        let since = f64::from(index) / f64::from(RATE) - at;
        let is_click = (-1e-9..0.02).contains(&since);
        if is_click { 30_000i16 } else { 0 }
    });
    let samples: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
    let length = u32::try_from(samples.len()).unwrap();
    let mut wav = b"RIFF".to_vec();
    wav.extend((36 + length).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend(RATE.to_le_bytes());
    wav.extend((2 * RATE).to_le_bytes());
    wav.extend(b"\x02\0\x10\0data");
    wav.extend(length.to_le_bytes());
    fs::write(file, [wav, samples].concat()).unwrap();
}

/// A scene of the frames 10 to 57, two seconds. In its sound there is a click when frame 40 begins,
/// and clicks at frame 20 that are muted. `changes` is more Python.
fn scene(changes: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scene.blend");
    write_click(&folder.path().join("click.wav"), 0.25);
    let sound = folder.path().join("click.wav");
    let sound = sound.to_str().unwrap();
    let python = format!(
        "
scene.render.fps, scene.frame_start, scene.frame_end = 24, 10, 57
editor = scene.sequence_editor_create()
strips = editor.strips if hasattr(editor, 'strips') else editor.sequences
def add(name, path, channel, frame):
    return strips.new_sound(name, path, channel, frame)
add('Click', {sound:?}, 1, 34)
add('Muted', {sound:?}, 2, 14).mute = True
{changes}"
    );
    save_startup_scene(&file, &python);
    (folder, file)
}

#[track_caller]
fn render(scene: &Path, output: &Path, index: &str, arguments: &str) -> Run {
    let run = worker("render").input(scene).output(output).args(arguments);
    run.env("AWS_BATCH_JOB_ARRAY_INDEX", index).run().exits(0)
}

/// The number of samples of a sound, and the index of the first one that is not silent.
fn samples(file: &Path) -> (usize, Option<usize>) {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(file)
        .args(["-f", "s16le", "-ac", "1", "-ar", "48000", "-"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (samples, rest) = output.stdout.as_chunks::<2>();
    assert!(rest.is_empty());
    let is_loud = |sample: &[u8; 2]| i16::from_le_bytes(*sample).abs() > 1000;
    (samples.len(), samples.iter().position(is_loud))
}

#[test]
fn the_sound_of_the_scenes_own_range_is_stored() {
    let (folder, scene) = scene("");
    let output = folder.path().join("out");
    render(&scene, &output, "", "--frames 12,50").logs_no_warnings();
    assert_eq!(names(&output), ["audio", "frames", "previews", "reports"]);
    let audio = &report(&output, "render")["scene"]["audio"];
    assert_eq!(audio["first_frame"], 10);
    let (count, click) = samples(&output.join(audio["file"].as_str().unwrap()));
    assert_eq!(count, 2 * 48_000);
    // 30 frames after the beginning; a millisecond has 48 samples.
    assert!(click.unwrap().abs_diff(30 * 48_000 / 24) < 48, "{click:?}");
}

#[test]
fn the_sound_is_in_sync_with_any_frames_at_any_rate() {
    let (folder, scene) = scene("");
    let output = folder.path().join("out");
    render(&scene, &output, "", "--frames 5-12,38-45");
    // The click is heard when frame 40 is seen. The sound begins with frame 10.
    for (name, flags, click) in [
        ("range.mp4", "--frames 38-45", Some(2.0 / 24.0)),
        ("late.mp4", "--frames 40-45", Some(0.0)),
        ("fast.mp4", "--frames 38-45 --fps 48", Some(2.0 / 48.0)),
        ("slow.mp4", "--frames 38-45 --fps 10", Some(2.0 / 10.0)),
        ("before.mp4", "--frames 5-12", None),
    ] {
        let stitch = worker("stitch").input(&output).output(&output);
        stitch.args(flags).args("--output-name").arg(name).run().exits(0).never_logs(&["silent"]);
        let (count, found) = samples(&output.join(name));
        let seconds = |count: usize| f64::from(u32::try_from(count).unwrap()) / f64::from(RATE);
        match (found.map(seconds), click) {
            (Some(found), Some(click)) => {
                // Another tempo puts the sound together from pieces, and moves it by less than one
                // frame.
                let tolerance = match flags {
                    _ if flags.contains("48") => 1.0 / 48.0,
                    _ if flags.contains("--fps 10") => 1.0 / 10.0,
                    _ => 0.01,
                };
                assert!((found - click).abs() < tolerance, "{name}: {found}");
            }
            (found, click) => assert_eq!(found, click, "{name}"),
        }
        assert!(seconds(count) < 0.9, "{name}: the sound ends with the video");
    }
    let stitch = worker("stitch").input(&output).output(&output);
    let run = stitch.args("--frames 38-44x2").run().exits(0);
    assert!(run.warnings().iter().any(|text| text.contains("silent")), "{:?}", run.warnings());
    let stitch = worker("stitch").input(&output).output(&output);
    stitch.args("--frames 38-45 --no-audio --output-name silent.mp4").run().exits(0);
    let streams = crate::support::probe(&output.join("silent.mp4"));
    assert_eq!(streams["streams"].as_array().map(Vec::len), Some(1));
    fs::remove_file(output.join("audio/scene.flac")).unwrap();
    let stitch = worker("stitch").input(&output).output(&output);
    let run = stitch.args("--frames 38-45").run().exits(0);
    assert!(run.warnings().iter().any(|text| text.contains("silent")), "{:?}", run.warnings());
}

#[test]
fn only_the_first_child_of_an_array_stores_the_sound() {
    let (folder, scene) = scene("");
    let output = folder.path().join("out");
    render(&scene, &output, "1", "-f 1 --first-frame 10 -t 2");
    assert_eq!(report(&output, "render")["scene"]["audio"]["first_frame"], 10);
    assert_eq!(names(&output.join("audio")), [""; 0]);
    render(&scene, &output, "0", "-f 1 --first-frame 10 -t 2");
    assert_eq!(names(&output.join("audio")), ["scene.flac"]);
}

#[test]
fn strips_in_meta_strips_and_speakers_are_heard() {
    for changes in [
        "
for strip in list(strips):
    strips.remove(strip)
meta = strips.new_meta('Meta', 1, 34)
strips = meta.strips if hasattr(meta, 'strips') else meta.sequences
add('Inner', sound, 1, 34)
meta.frame_final_duration = 24",
        "
for strip in list(strips):
    strips.remove(strip)
scene.frame_set(34)
bpy.ops.object.speaker_add(location=scene.camera.location)
speaker = bpy.context.object
speaker.data.sound = bpy.data.sounds.load(sound)
speaker.parent = bpy.data.objects['Cube']",
    ] {
        let (folder, scene) = scene(&format!("sound = scene.sequence_editor and {SOUND}{changes}"));
        let output = folder.path().join("out");
        render(&scene, &output, "", "--frames 12").logs_no_warnings();
        let (_, click) = samples(&output.join("audio/scene.flac"));
        assert!(click.is_some(), "{changes}");
    }
}

/// The path of the sound in Python.
const SOUND: &str = "bpy.data.sounds[0].filepath";

#[test]
fn a_scene_in_which_nothing_plays_has_no_sound() {
    for changes in ["strips['Click'].mute = True", "scene.use_audio = not scene.use_audio"] {
        let (folder, scene) = scene(changes);
        let output = folder.path().join("out");
        render(&scene, &output, "", "--frames 12").logs_no_warnings();
        assert_eq!(names(&output), ["frames", "previews", "reports"], "{changes}");
        assert_eq!(report(&output, "render")["scene"].get("audio"), None);
    }
}

#[test]
fn a_missing_sound_is_a_warning() {
    let (folder, scene) = scene("");
    fs::remove_file(folder.path().join("click.wav")).unwrap();
    let output = folder.path().join("out");
    let run = render(&scene, &output, "", "--frames 12");
    let warnings = run.warnings();
    assert!(warnings.iter().any(|warning| warning.contains("Click")), "{warnings:?}");
    assert!(!warnings.iter().any(|warning| warning.contains("Muted")), "{warnings:?}");
    assert_eq!(names(&output), ["frames", "previews", "reports"]);
}

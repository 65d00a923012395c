//! `render` with a real Blender and local folders: which frames are made, what they
//! show, what they are called and what is said about them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::support::blender::can_denoise;
use crate::support::{LONG, Run, fixture, names, pixel_hashes, report, scene, worker};

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Renders a scene of ours with success.
#[track_caller]
fn render(name: &str, output: &Path, arguments: &str) -> Run {
    worker("render").input(scene(name)).output(output).args(arguments).run().exits(0)
}

fn frames(output: &Path) -> Vec<String> {
    names(&output.join("frames"))
}

/// What the frames show, by name.
fn pixels(output: &Path) -> BTreeMap<String, Vec<String>> {
    let show = |name: String| (name.clone(), pixel_hashes(&output.join("frames").join(name)));
    frames(output).into_iter().map(show).collect()
}

/// The messages of the level WARN.
fn warnings(run: &Run) -> Vec<String> {
    let lines = run.json().into_iter().filter(|line| line["level"] == "WARN");
    lines.map(|line| line["message"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Asserts that there is one warning, and that it contains `text`.
#[track_caller]
fn warns_once(run: &Run, text: &str) {
    let warnings = warnings(run);
    assert!(matches!(&warnings[..], [one] if one.contains(text)), "{text:?}: {warnings:?}");
}

/// For a Blender that could not render the scene at all otherwise.
const NO_DENOISING: &str = "import bpy; bpy.context.scene.cycles.use_denoising = False";

#[test]
fn frames_are_those_of_the_reference_command_line() {
    let folder = folder();
    let reference = folder.path().join("reference");
    fs::create_dir(&reference).unwrap();
    let blender = Command::new("blender")
        .arg("-b")
        .arg(scene("tiny"))
        .args(["--python-expr", if can_denoise() { "" } else { NO_DENOISING }])
        .args("-E CYCLES -o frames/ -s 1 -e 6 -a".split(' '))
        .current_dir(&reference)
        .output();
    assert!(blender.unwrap().status.success());
    let reference = pixels(&reference);
    assert_eq!(reference.len(), 6);

    // AWS_BATCH_JOB_ARRAY_INDEX, the flags, the frames.
    for (index, arguments, expected) in [
        ("1", "-f 3", ["0004.png", "0005.png", "0006.png"]),
        ("", "--frames 2,5-6", ["0002.png", "0005.png", "0006.png"]),
    ] {
        let output = folder.path().join(arguments);
        let run = worker("render").input(scene("tiny")).output(&output).args(arguments);
        run.env("AWS_BATCH_JOB_ARRAY_INDEX", index).run().exits(0);
        let pixels = pixels(&output);
        assert_eq!(pixels.keys().collect::<Vec<_>>(), expected, "{arguments}");
        for (name, shown) in pixels {
            assert_eq!(shown, reference[&name], "{arguments}: {name}");
        }
        assert_eq!(names(&output), ["frames", "reports"], "nothing else is left");
    }
}

#[test]
fn every_frame_that_is_asked_for_is_rendered_and_no_other() {
    // The scene, AWS_BATCH_JOB_ARRAY_INDEX, the flags, the frames.
    for (name, index, arguments, expected) in [
        ("tiny", "", "-f 3 -t 2", &[1, 2][..]),
        ("tiny", "1", "-f 3 -t 5", &[4, 5]),
        ("tiny", "1", "-f 2 --first-frame 10", &[12, 13]),
        ("frame_step", "", "-f 3", &[1, 2, 3]),
        ("frame_step", "", "--frames 1,3-4", &[1, 3, 4]),
        (
            "negative_range",
            "",
            "-f 99 --first-frame scene -t scene",
            &[-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5],
        ),
        ("negative_range", "2", "-f 4 --first-frame scene -t scene", &[3, 4, 5]),
        ("negative_range", "", "--frames=-5--4,-1,10000", &[-5, -4, -1, 10000]),
    ] {
        let output = folder();
        let run = worker("render").input(scene(name)).output(output.path()).args(arguments);
        run.env("AWS_BATCH_JOB_ARRAY_INDEX", index).run().exits(0);
        let blender_name = |&frame: &i32| match frame {
            ..0 => format!("-{:04}.png", -frame),
            _ => format!("{frame:04}.png"),
        };
        let mut expected: Vec<_> = expected.iter().map(blender_name).collect();
        expected.sort();
        assert_eq!(frames(output.path()), expected, "{name} {arguments} {index}");
    }
}

#[test]
fn a_shard_past_the_end_has_nothing_to_do_and_succeeds() {
    let output = folder();
    let run = worker("render").input(scene("tiny")).output(output.path()).args("-f 4 -t 12");
    let run = run.env("AWS_BATCH_JOB_ARRAY_INDEX", "3").run().exits(0);
    run.says(&["nothing to do"]).never_says(&["starting"]);
    assert_eq!(names(output.path()), ["reports"]);
    let report = report(output.path(), "render");
    assert_eq!((&report["status"], &report["frames_asked"]), (&"succeeded".into(), &"".into()));
}

#[test]
fn frames_outside_of_the_scenes_range_are_rendered_with_a_warning() {
    let output = folder();
    let run = render("tiny", output.path(), "--frames 12-13");
    warns_once(&run, "frames 13 lie outside of the scene's own range, 1-12");
    assert_eq!(frames(output.path()), ["0012.png", "0013.png"]);
}

#[test]
fn each_still_format_is_delivered_under_its_extension() {
    for (name, file, magic) in [
        ("jpeg", "0001.jpg", &b"\xff\xd8\xff"[..]),
        ("exr", "0001.exr", b"\x76\x2f\x31\x01"),
        ("exr_multilayer", "0001.exr", b"\x76\x2f\x31\x01"),
        ("tiff", "0001.tif", b"II*\0"),
        ("webp", "0001.webp", b"RIFF"),
    ] {
        let output = folder();
        let run = render(name, output.path(), "-f 1");
        assert_eq!(warnings(&run), [""; 0], "{name}");
        assert_eq!(frames(output.path()), [file]);
        let content = fs::read(output.path().join("frames").join(file)).unwrap();
        assert!(content.starts_with(magic), "{name}");
    }
}

#[test]
fn what_cannot_be_verified_is_rendered_as_png_with_a_warning() {
    for (name, warning) in [
        ("video_output", "the scene's output format is FFMPEG"),
        ("bmp", "the scene's output format is BMP"),
        ("stereo", "rendering the one view of its camera"),
    ] {
        let output = folder();
        let run = render(name, output.path(), "-f 2");
        warns_once(&run, warning);
        let pixels = pixels(output.path());
        assert_eq!(pixels.keys().collect::<Vec<_>>(), ["0001.png", "0002.png"], "{name}");
    }
}

#[test]
fn what_silently_spoils_pictures_is_warned_of() {
    for (name, warning) in [
        ("missing_texture", "image missing.png not found"),
        ("gpu", "the scene asks for a GPU and none is set up"),
    ] {
        let output = folder();
        let run = render(name, output.path(), "-f 1");
        warns_once(&run, warning);
        let told = report(output.path(), "render")["scene"]["warnings"].to_string();
        assert!(told.contains(warning), "{told}");
    }
    // Who names the device does not need to be warned of another.
    let output = folder();
    let run = render("gpu", output.path(), "-f 1 --cycles-device CPU");
    assert_eq!(warnings(&run), [""; 0]);
}

#[test]
fn a_library_beside_a_local_scene_is_found_and_a_missing_one_is_named() {
    let folder = folder();
    let beside = folder.path().join("scene.blend");
    fs::copy(scene("missing_library"), &beside).unwrap();
    let ball = "import bpy; bpy.ops.mesh.primitive_uv_sphere_add(location=(0, 0, 1)); \
                ball = bpy.context.object; ball.name = 'Ball'; \
                bpy.data.libraries.write('lib.blend', {ball})";
    let blender = Command::new("blender")
        .args(["-b", "--factory-startup", "--python-expr", ball])
        .current_dir(folder.path())
        .output();
    assert!(blender.unwrap().status.success());

    let (with, without) = (folder.path().join("with"), folder.path().join("without"));
    let run = worker("render").input(&beside).output(&with).args("-f 1").run().exits(0);
    assert_eq!(warnings(&run), [""; 0]);
    let run = render("missing_library", &without, "-f 1");
    warns_once(&run, "linked library not found: //lib.blend");
    assert_ne!(pixels(&with), pixels(&without));
}

#[test]
fn scripts_in_the_scene_run_only_if_they_are_allowed_to() {
    const RAN: &str = "fixture: the script in the scene ran";
    let output = folder();
    render("script_error", output.path(), "-f 1").never_says(&[RAN]);
    render("script_error", output.path(), "-f 1 --enable-autoexec").says(&[RAN]);
}

#[test]
fn the_engine_is_cycles_unless_another_is_asked_for() {
    // 4.2 to 4.5 call it BLENDER_EEVEE_NEXT.
    const EEVEE: &str = "BLENDER_EEVEE";
    for (name, arguments, engine) in [
        ("eevee", "-f 1", "CYCLES"),
        ("eevee", "-f 1 --engine scene", EEVEE),
        ("workbench", "-f 1 --engine scene", "BLENDER_WORKBENCH"),
        ("tiny", "-f 1 --engine BLENDER_WORKBENCH", "BLENDER_WORKBENCH"),
    ] {
        let output = folder();
        let run = worker("render").input(scene(name)).output(output.path()).args(arguments);
        // Without a GPU EEVEE compiles its shaders for minutes where the machine is busy.
        run.start().finish_within(4 * LONG).exits(0);
        let told = report(output.path(), "render")["scene"]["engine"].clone();
        let told = told.as_str().unwrap_or_default().trim_end_matches("_NEXT");
        assert_eq!(told, engine, "{name} {arguments}");
        assert_eq!(frames(output.path()), ["0001.png"]);
    }
}

#[test]
fn frames_that_are_there_are_replaced_at_once_whatever_the_scene_says() {
    let output = folder();
    let frame = output.path().join("frames/0001.png");
    let old = output.path().join("old.png");
    fs::create_dir(output.path().join("frames")).unwrap();
    fs::write(&frame, "old").unwrap();
    fs::hard_link(&frame, &old).unwrap();
    render("keep_existing", output.path(), "-f 2");
    assert_eq!(pixels(output.path()).len(), 2);
    assert_eq!(fs::read(old).unwrap(), b"old", "it was replaced, not written into");
}

#[test]
fn files_have_the_permissions_of_any_new_file() {
    let output = folder();
    render("tiny", output.path(), "-f 1");
    let plain = output.path().join("plain");
    fs::write(&plain, "").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    let reports = output.path().join("reports");
    let report = reports.join(&names(&reports)[0]);
    for file in [output.path().join("frames/0001.png"), report] {
        assert_eq!(mode(&file), mode(&plain), "{}", file.display());
    }
}

#[test]
fn any_path_will_do_relative_or_as_a_uri() {
    let folder = folder();
    let here = folder.path().to_str().unwrap();
    fs::create_dir(folder.path().join("scène 100%")).unwrap();
    fs::copy(scene("tiny"), folder.path().join("scène 100%/it's a#1.blend")).unwrap();
    fs::create_dir(folder.path().join("scratch ü #2")).unwrap();
    let uri = |path: &str| format!("file://{here}/{path}");
    for (input, output, stored) in [
        ("scène 100%/it's a#1.blend".to_owned(), "out %20 ü".to_owned(), "out %20 ü"),
        (uri("sc%C3%A8ne%20100%25/it's%20a%231.blend"), uri("o%20ut"), "o ut"),
    ] {
        let run = worker("render")
            .input(input)
            .output(output)
            .args("-f 1 --scratch-dir")
            .arg("scratch ü #2")
            .with(|command| _ = command.current_dir(here))
            .run()
            .exits(0);
        assert_eq!(frames(&folder.path().join(stored)), ["0001.png"]);

        // What is run is said in words that a shell takes.
        let messages = run.messages();
        let line = messages.iter().find_map(|line| line.strip_prefix("starting ")).unwrap();
        let words = shell_words::split(line).unwrap();
        assert!(words.contains(&format!("{here}/scène 100%/it's a#1.blend")), "{words:?}");
    }
    assert_eq!(names(&folder.path().join("scratch ü #2")), [""; 0]);
}

#[test]
fn the_report_tells_what_was_asked_and_what_was_done() {
    let output = folder();
    let run = worker("render").input(scene("odd_size")).output(output.path()).args("-f 2");
    run.env("AWS_BATCH_JOB_ID", "1a-2b:1")
        .env("AWS_BATCH_JOB_ATTEMPT", "3")
        .env("AWS_BATCH_JOB_ARRAY_INDEX", "1")
        .run()
        .exits(0);

    let reports = names(&output.path().join("reports"));
    assert_eq!(reports[0], "render-1a-2b-1-attempt-3.json");
    assert!(reports.len() == 2 && reports[1].starts_with("scene-"), "{reports:?}");
    let report = report(output.path(), "render");
    for (field, expected) in [
        ("schema", "1"),
        ("action", r#""render""#),
        ("job_id", r#""1a-2b:1""#),
        ("attempt", "3"),
        ("array_index", "1"),
        ("status", r#""succeeded""#),
        ("exit_code", "0"),
        ("frames_asked", r#""3-4""#),
        ("cause", "null"),
    ] {
        assert_eq!(report[field].to_string(), expected, "{field}");
    }
    let scene = &report["scene"];
    for (field, expected) in [
        ("engine", r#""CYCLES""#),
        ("fps", "24"),
        ("width", "65"),
        ("height", "49"),
        ("frame_start", "1"),
        ("frame_end", "6"),
        ("extension", r#"".png""#),
    ] {
        assert_eq!(scene[field].to_string(), expected, "{field}");
    }
    assert!((scene["fps_base"].as_f64().unwrap() - 1.001).abs() < 1e-6);

    let frames = report["frames"].as_object().unwrap();
    assert_eq!(frames.keys().collect::<Vec<_>>(), ["3", "4"]);
    for (number, frame) in frames {
        let file = frame["file"].as_str().unwrap();
        assert_eq!(file, format!("000{number}.png"));
        let stored = fs::metadata(output.path().join("frames").join(file)).unwrap().len();
        assert_eq!(frame["bytes"], stored);
        assert!(frame["seconds"].as_f64().unwrap() > 0.0);
        assert_eq!(frame["state"], "rendered");
    }
}

#[test]
fn an_output_that_cannot_be_written_is_named_before_anything_is_rendered() {
    let folder = folder();
    let output = folder.path().join("out");
    fs::create_dir(&output).unwrap();
    fs::write(output.join("frames"), "a file where the folder should be").unwrap();
    let run = worker("render").input(scene("tiny")).output(&output).args("-f 1").run();
    let run = run.exits(74).says(&["cannot write", "out/frames"]);
    assert!(!run.text().contains("starting"), "{}", run.text());
}

#[test]
fn frames_that_are_not_taken_in_the_order_in_which_they_are_written_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let render = |frames: &str| {
        let render = worker("render").input(scene("tiny")).output(folder.path());
        render.args("--frames").arg(frames).env("BLENDER", fixture("stand-ins/blender"))
    };
    let told = "--frames (FRAMES): they are taken in ascending order, 1,9998-9999";
    // Told before anything is done.
    render("9998-9999,1").args("--scratch-dir /none").run().exits(74).says(&[told]);
    render("1,9998-9999").args("--scratch-dir /none").run().exits(74).never_says(&["ascending"]);
}

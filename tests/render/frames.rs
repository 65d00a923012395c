//! `render` with the real Blender and local folders: the selection of frames, their content and
//! names, the log and the report.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use crate::support::blender::{can_denoise, save_startup_scene};
use crate::support::place::Place;
use crate::support::{LONG, Run, fixture, names, pixel_hashes, probe, report, scene, worker};

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Renders one of the test scenes, and asserts success.
#[track_caller]
fn render(name: &str, output: &Path, arguments: &str) -> Run {
    worker("render").input(scene(name)).output(output).args(arguments).run().exits(0)
}

fn frames(output: &Path) -> Vec<String> {
    names(&output.join("frames"))
}

/// Returns the pixel hashes of all frames, by name.
fn pixels(output: &Path) -> BTreeMap<String, Vec<String>> {
    let show = |name: String| (name.clone(), pixel_hashes(&output.join("frames").join(name)));
    frames(output).into_iter().map(show).collect()
}

/// Asserts that there is one warning, and that it contains `text`.
#[track_caller]
fn warns_once(run: &Run, text: &str) {
    let warnings = run.warnings();
    assert!(matches!(&warnings[..], [one] if one.contains(text)), "{text:?}: {warnings:?}");
}

/// For a Blender without a denoiser, which cannot render the scene otherwise.
const NO_DENOISING: &str = "import bpy; bpy.context.scene.cycles.use_denoising = False";

#[test]
fn frames_equal_those_of_blenders_own_command_line() {
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
        assert_eq!(names(&output), ["frames", "previews", "reports"], "other files are left");
    }
}

#[test]
fn exactly_the_requested_frames_are_rendered() {
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
fn a_child_beyond_the_last_frame_succeeds_without_rendering() {
    let output = folder();
    let run = worker("render").input(scene("tiny")).output(output.path()).args("-f 4 -t 12");
    let run = run.env("AWS_BATCH_JOB_ARRAY_INDEX", "3").run().exits(0);
    run.logs(&["nothing to do"]);
    assert_eq!(names(output.path()), ["reports"]);
    let report = report(output.path(), "render");
    assert_eq!(report.get("launches"), None);
    assert_eq!((&report["status"], &report["frames_asked"]), (&"succeeded".into(), &"".into()));
}

#[test]
fn frames_outside_of_the_scenes_range_are_rendered_with_a_warning() {
    let output = folder();
    let run = render("tiny", output.path(), "--frames 12-13");
    warns_once(&run, "frame 13 is outside of the scene's own range, 1-12");
    assert_eq!(frames(output.path()), ["0012.png", "0013.png"]);
}

#[test]
fn each_image_format_is_stored_with_its_file_extension() {
    for (name, file, magic) in [
        ("jpeg", "0001.jpg", &b"\xff\xd8\xff"[..]),
        ("exr", "0001.exr", b"\x76\x2f\x31\x01"),
        ("exr_multilayer", "0001.exr", b"\x76\x2f\x31\x01"),
        ("tiff", "0001.tif", b"II*\0"),
        ("webp", "0001.webp", b"RIFF"),
        ("bmp", "0001.bmp", b"BM"),
    ] {
        let output = folder();
        let run = render(name, output.path(), "-f 1");
        assert_eq!(run.warnings(), [""; 0], "{name}");
        assert_eq!(frames(output.path()), [file]);
        let content = fs::read(output.path().join("frames").join(file)).unwrap();
        assert!(content.starts_with(magic), "{name}");
    }
    for (format, file) in [("TARGA", "0001.tga"), ("TARGA_RAW", "0001.tga"), ("HDR", "0001.hdr")] {
        let output = folder();
        let scene = scene_of_format(output.path(), format);
        let run = worker("render").input(scene).output(output.path()).args("-f 1").run().exits(0);
        assert_eq!(run.warnings(), [""; 0], "{format}");
        assert_eq!(frames(output.path()), [file]);
    }
}

/// Saves the startup scene with this output format.
fn scene_of_format(folder: &Path, format: &str) -> PathBuf {
    let scene = folder.join("scene.blend");
    save_startup_scene(&scene, &format!("scene.render.image_settings.file_format = '{format}'"));
    scene
}

#[test]
fn a_format_that_cannot_be_verified_is_replaced_by_one_that_loses_nothing() {
    const FLOATS: [&str; 2] = ["gbrpf32le", "gbrapf32le"];
    const DEEP: [&str; 2] = ["rgb48be", "rgba64be"];
    const FLAT: [&str; 2] = ["rgb24", "rgba"];

    let output = folder();
    let run = render("video_output", output.path(), "-f 2");
    warns_once(&run, "the scene's output format is FFMPEG");
    let pixels = pixels(output.path());
    assert_eq!(pixels.keys().collect::<Vec<_>>(), ["0001.png", "0002.png"]);
    // DPX and Cineon hold linear light, JPEG 2000 of 16 bits does not.
    for (format, file, stored) in [
        ("DPX", "0001.exr", FLOATS),
        ("CINEON", "0001.exr", FLOATS),
        ("JPEG2000'; scene.render.image_settings.color_depth = '16", "0001.png", DEEP),
        ("JPEG2000", "0001.png", FLAT),
    ] {
        let output = folder();
        let scene = scene_of_format(output.path(), format);
        let run = worker("render").input(scene).output(output.path()).args("-f 1").run().exits(0);
        warns_once(&run, "the scene's output format is");
        assert_eq!(frames(output.path()), [file], "{format}");
        let probed = probe(&output.path().join("frames").join(file));
        let pixels = probed["streams"][0]["pix_fmt"].as_str().unwrap();
        assert!(stored.contains(&pixels), "{format}: {pixels}");
    }
}

#[test]
fn problems_that_blender_ignores_are_warnings() {
    let warning = "the scene asks for a GPU and there is none";
    let output = folder();
    let run = render("gpu", output.path(), "-f 1");
    warns_once(&run, warning);
    let reported = report(output.path(), "render")["scene"]["warnings"].to_string();
    assert!(reported.contains(warning), "{reported}");
    // With an explicit device, there is no warning.
    let output = folder();
    let run = render("gpu", output.path(), "-f 1 --cycles-device CPU");
    assert_eq!(run.warnings(), [""; 0]);
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
    assert_eq!(run.warnings(), [""; 0]);
    let run = render("missing_library", &without, "-f 1 --missing-files warn");
    warns_once(&run, "linked library lib.blend");
    assert_ne!(pixels(&with), pixels(&without));
}

#[test]
fn scripts_in_the_scene_run_only_if_enabled() {
    const RAN: &str = "fixture: the script in the scene ran";
    let output = folder();
    render("script_error", output.path(), "-f 1").never_logs(&[RAN]);
    render("script_error", output.path(), "-f 1 --enable-autoexec").logs(&[RAN]);
}

#[test]
fn python_that_did_not_run_is_named() {
    let place = Place::with_scene("");
    let python = "
cube = bpy.data.objects['Cube']
for path, at, expression in (
    ('location', 0, '__import__(\"math\").sin(frame)'),
    ('location', 1, 'sin(frame)'),
    ('scale', 0, '[frame, 1][1]'),
):
    driver = cube.driver_add(path, at).driver
    driver.type, driver.expression = 'SCRIPTED', expression
text = bpy.data.texts.new('rig_ui.py')
text.write('import bpy')
text.use_module = True
scene.cycles.use_denoising = False
";
    save_startup_scene(&place.path("scene.blend"), python);
    let warnings = place.render("-f 1").run().exits(0).warnings();
    // Blender evaluates one of the other drivers without Python, and the last one because it is
    // harmless.
    let held_back = "script rig_ui.py, driver of location of Cube;";
    assert!(
        matches!(&warnings[..], [one]
            if one.contains(held_back) && one.contains("--enable-autoexec")),
        "{warnings:?}"
    );
    let run = place.render("-f 1 --no-resume --enable-autoexec").run().exits(0);
    assert_eq!(run.warnings(), [""; 0]);
}

#[test]
fn the_engine_is_cycles_unless_another_one_is_requested() {
    // Its name is BLENDER_EEVEE_NEXT in 4.2 to 4.5.
    const EEVEE: &str = "BLENDER_EEVEE";
    for (name, arguments, engine) in [
        ("eevee", "-f 1", "CYCLES"),
        ("eevee", "-f 1 --engine scene", EEVEE),
        ("workbench", "-f 1 --engine scene", "BLENDER_WORKBENCH"),
        ("tiny", "-f 1 --engine BLENDER_WORKBENCH", "BLENDER_WORKBENCH"),
    ] {
        let output = folder();
        let run = worker("render").input(scene(name)).output(output.path()).args(arguments);
        // On a busy machine without a GPU, EEVEE compiles its shaders for minutes.
        run.start().finish_within(4 * LONG).exits(0);
        let used = report(output.path(), "render")["scene"]["engine"].clone();
        let used = used.as_str().unwrap_or_default().trim_end_matches("_NEXT");
        assert_eq!(used, engine, "{name} {arguments}");
        assert_eq!(frames(output.path()), ["0001.png"]);
    }
}

#[test]
fn existing_frames_are_replaced_atomically_whatever_the_scenes_settings() {
    let output = folder();
    let frame = output.path().join("frames/0001.png");
    let old = output.path().join("old.png");
    fs::create_dir(output.path().join("frames")).unwrap();
    fs::write(&frame, "old").unwrap();
    fs::hard_link(&frame, &old).unwrap();
    render("keep_existing", output.path(), "-f 2");
    assert_eq!(pixels(output.path()).len(), 2);
    assert_eq!(fs::read(old).unwrap(), b"old", "the old file was overwritten, not replaced");
}

#[test]
fn stored_files_have_the_permissions_of_any_new_file() {
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
fn paths_may_be_relative_or_uris_and_have_any_characters() {
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

        // The logged command line is quoted for a shell.
        let messages = run.messages();
        let line = messages.iter().find_map(|line| line.strip_prefix("starting ")).unwrap();
        let words = shell_words::split(line).unwrap();
        assert!(words.contains(&format!("{here}/scène 100%/it's a#1.blend")), "{words:?}");
    }
    assert_eq!(names(&folder.path().join("scratch ü #2")), [""; 0]);
}

#[test]
fn the_report_has_the_request_and_the_result() {
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
fn an_output_that_cannot_be_written_is_an_error_before_blender_starts() {
    let place = Place::ordered(&json!({}));
    fs::create_dir(place.path("out")).unwrap();
    fs::write(place.path("out/frames"), "a file where the folder should be").unwrap();
    place.stand_in().run().fails(2, &["cannot write", "out/frames", "is a file"]);
    assert!(place.launches().is_empty());
}

#[test]
fn a_list_of_frames_that_is_not_ascending_is_sorted_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let render = |frames: &str| {
        let render = worker("render").input(scene("tiny")).output(folder.path());
        render.args("--frames").arg(frames).env("BLENDER", fixture("stand-ins/blender"))
    };
    let warning = "--frames (FRAMES): frames are taken in ascending order, 1,9998-9999";
    // The warning comes first: without a scratch folder, nothing else happens.
    let run = render("9998-9999,1").args("--scratch-dir /none").run().exits(74);
    warns_once(&run, warning);
    let run = render("1,9998-9999").args("--scratch-dir /none").run().exits(74);
    assert_eq!(run.warnings(), [""; 0]);
}

//! `stitch`: a video with every frame, in order and with the right colours, that plays anywhere.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::frames::{
    self, Rgb, SIZE, assert_shows, convert, difference, frame, noise, pixels, png,
};
use crate::support::{Run, fixture, names, ordered_scene, probe, report, scene, worker};

/// A folder of frames, and an output folder.
struct Shot(TempDir);

impl Shot {
    fn new(numbers: impl IntoIterator<Item = i32>) -> Self {
        let shot = Self(tempfile::tempdir().unwrap());
        frames::write(&shot.frames(), numbers);
        shot
    }

    fn input(&self) -> PathBuf {
        self.0.path().join("in")
    }

    fn frames(&self) -> PathBuf {
        self.input().join("frames")
    }

    fn output(&self) -> PathBuf {
        self.0.path().join("out")
    }

    fn video(&self) -> PathBuf {
        self.output().join("output.mp4")
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.frames().join(name), content).unwrap();
    }

    /// Renders frames 1 to 5 of a scene with these facts and the frame range 2 to 4.
    fn rendered(&self, facts: &Value) {
        let scene = self.0.path().join("scene.blend");
        let orders = json!({ "size": [SIZE.0, SIZE.1], "scene": facts });
        fs::write(&scene, ordered_scene(2, 4, &orders)).unwrap();
        let render = worker("render").stand_in_blender().input(&scene).output(self.input());
        render.args("--frames 1-5").run().exits(0);
    }

    fn stitch(&self, flags: &str) -> Run {
        worker("stitch").input(self.input()).output(self.output()).args(flags).run()
    }

    /// Stitches with success, and returns the path of the video.
    #[track_caller]
    fn stitched(&self, flags: &str) -> PathBuf {
        self.stitch(flags).exits(0);
        self.video()
    }

    /// Asserts the exit code, the texts of the final error, and that there is no video.
    #[track_caller]
    fn refused(&self, flags: &str, code: i32, texts: &[&str]) {
        let run = self.stitch(flags).exits(code);
        assert_contains(&run.final_error(), texts);
        let left = names(&self.output());
        // An attempt that fails before it begins to encode leaves nothing.
        assert!(
            left.iter().all(|name| ["previews", "reports"].contains(&name.as_str())),
            "{left:?}"
        );
    }
}

#[track_caller]
fn assert_contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

/// Returns the only stream of a video file.
fn stream(video: &Path) -> Value {
    let mut found = probe(video);
    assert_eq!(found["streams"].as_array().map(Vec::len), Some(1));
    found["streams"][0].take()
}

#[test]
fn the_input_is_an_output_of_render_or_any_folder_of_images() {
    let shot = Shot::new(1..=4);
    assert_shows(&shot.stitched(""), 1..=4);
    assert_eq!(names(&shot.output()), ["output.mp4", "previews", "reports"]);

    let plain = worker("stitch").input(shot.frames()).output(shot.output());
    plain.args("--output-name plain.mp4").run().exits(0);
    assert_shows(&shot.output().join("plain.mp4"), 1..=4);
}

#[test]
fn any_directory_of_pictures_becomes_a_video() {
    let shot = Shot::new([]);
    let folder = shot.0.path().join("pictures");
    fs::create_dir(&folder).unwrap();
    for (name, number) in [("coral10", 3), ("coral9", 2), ("anemone", 1)] {
        fs::write(folder.join(format!("{name}.png")), frame(number)).unwrap();
    }
    let stitch = |arguments: &str| {
        worker("stitch").input(&folder).output(shot.output()).args(arguments).run()
    };
    stitch("--fps 5 --in-order name").exits(0);
    assert_shows(&shot.video(), 1..=3);
    stitch("--in-order name --frames 1-2").exits(2).logs(&["--in-order", "--frames"]);
    // Without any numbers, there is no sequence that could have gaps.
    for (old, new) in [("coral9", "coral"), ("coral10", "dolphin")] {
        let path = |name: &str| folder.join(name).with_extension("png");
        fs::rename(path(old), path(new)).unwrap();
    }
    stitch("--fps 5").exits(0).logs(&["--in-order"]);
    assert_shows(&shot.video(), 1..=3);
    // A single picture may be anything.
    for name in ["coral.png", "dolphin.png"] {
        fs::remove_file(folder.join(name)).unwrap();
    }
    stitch("--fps 5").exits(66).logs(&["anemone.png", "--in-order name"]);
}

#[test]
fn the_number_may_be_anywhere_in_the_name_and_larger_than_any_frame_number() {
    for pattern in ["frame_N_final.png", "img (N).png", "000N_L.png", "170000000N.png"] {
        let shot = Shot::new([]);
        for number in 1..=3 {
            shot.write(&pattern.replace('N', &number.to_string()), frame(number));
        }
        // macOS leaves such files.
        shot.write("._0001.png", "x");
        assert_shows(&shot.stitched("--fps 5"), 1..=3);
    }
}

#[test]
fn the_output_can_be_the_file_of_the_video() {
    let shot = Shot::new(1..=2);
    let film = shot.output().join("film.mov");
    worker("stitch").input(shot.input()).output(&film).run().exits(0);
    assert_shows(&film, 1..=2);
    let both = worker("stitch").input(shot.input()).output(&film).args("--output-name a.mp4");
    both.run().exits(2).logs(&["--output-name", "--output-uri"]);
}

#[test]
fn frame_numbers_may_be_negative_and_have_more_than_four_digits() {
    for range in [0..=2, 101..=103, 9998..=10003, -2..=2] {
        let shot = Shot::new(range.clone());
        assert_shows(&shot.stitched(""), range);
    }
}

#[test]
fn names_may_have_a_prefix_and_unrelated_files_are_ignored() {
    let shot = Shot::new([]);
    for number in 8..=11 {
        shot.write(&format!("shot-{number}.PNG"), frame(number));
    }
    for unrelated in ["notes.txt", "cover.png", "0001_L.png", ".0009.png", "Thumbs.db"] {
        shot.write(unrelated, "not a frame");
    }
    assert_shows(&shot.stitched(""), 8..=11);
}

#[test]
fn five_hundred_frames_stay_in_order() {
    let shot = Shot::new(1..=500);
    assert_shows(&shot.stitched("--preset ultrafast"), 1..=500);
}

#[test]
fn the_video_shows_exactly_the_requested_frames() {
    let shot = Shot::new(1..=6);
    let table: [(&str, &[i32]); 7] = [
        ("--frames 2-3", &[2, 3]),
        ("--frames 1-6x2", &[1, 3, 5]),
        ("--frames 5,1", &[1, 5]),
        ("-t 2", &[1, 2]),
        ("--first-frame 4", &[4, 5, 6]),
        ("--first-frame 3 -t 2", &[3, 4]),
        // Ignored: one job definition passes the same flags to render and stitch.
        ("-f 2", &[1, 2, 3, 4, 5, 6]),
    ];
    for (flags, expected) in table {
        assert_shows(&shot.stitched(flags), expected.iter().copied());
    }
    shot.stitch("-t 2").exits(0).logs(&["4 other frames are in", "not part of the video"]);
}

#[test]
fn missing_frames_are_an_error_that_names_them() {
    let shot = Shot::new([3, 4, 6, 9, 10]);
    for (flags, missing) in [
        ("", "frames 5,7-8 are missing"),
        ("-t 12", "frames 1-2,5,7-8,11-12 are missing"),
        ("--first-frame 2 -t 3", "frame 2 is missing"),
        ("--first-frame 0", "frames 0-2,5,7-8 are missing"),
        ("--frames 3-11x2", "frames 5,7,11 are missing"),
    ] {
        shot.refused(flags, 66, &[missing, shot.frames().to_str().unwrap()]);
    }
}

#[test]
fn with_allow_gaps_missing_frames_are_replaced_by_their_neighbours() {
    let shot = Shot::new([2, 3, 6]);
    for (flags, shown) in [
        ("--allow-gaps", vec![2, 3, 3, 3, 6]),
        ("--allow-gaps -t 7", vec![2, 2, 3, 3, 3, 6, 6]),
        ("--allow-gaps --frames 5-6", vec![6, 6]),
    ] {
        let run = shot.stitch(flags).exits(0);
        assert_contains(&run.text(), &["missing", "--allow-gaps", "WARN"]);
        assert_shows(&shot.video(), shown);
    }
    let nothing = Shot::new([1]);
    nothing.refused("--allow-gaps --frames 7-8", 66, &["frames 7-8 are missing"]);
}

#[test]
fn without_frames_there_is_an_error_and_no_video() {
    let shot = Shot::new([]);
    let input = format!("no numbered images in {}", shot.input().display());
    shot.refused("", 66, &[&input]);
    shot.write("notes.txt", "not a frame");
    shot.refused("-t 3", 66, &["no frames in"]);
    fs::remove_dir_all(shot.input()).unwrap();
    shot.refused("", 66, &["there is no folder", shot.input().to_str().unwrap()]);
    fs::create_dir_all(shot.input()).unwrap();
    fs::write(shot.input().join("cover.png"), frames::frame(1)).unwrap();
    shot.refused("", 66, &[&input, "cover.png has no number"]);
}

/// Creates a lossless WebP of one pixel, or an animation with it.
fn webp(animated: bool) -> Vec<u8> {
    let chunk = |kind: &[u8; 4], content: &[u8]| {
        let length = u32::try_from(content.len()).unwrap().to_le_bytes();
        let padding = &[0][..content.len() % 2];
        [kind.as_slice(), &length, content, padding].concat()
    };
    let image = chunk(b"VP8L", &[0x2f, 0, 0, 0, 0, 7, 0x10, 0x11, 0x11, 0x88, 0x88, 0xfe, 7, 0]);
    let chunks = if animated {
        let canvas = chunk(b"VP8X", &[2, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let frame = [&[0; 12], &[100, 0, 0, 0][..], &image].concat();
        [canvas, chunk(b"ANIM", &[0; 6]), chunk(b"ANMF", &frame)].concat()
    } else {
        image
    };
    let length = u32::try_from(chunks.len() + 4).unwrap().to_le_bytes();
    [b"RIFF", &length[..], b"WEBP", &chunks].concat()
}

#[test]
fn directories_dead_links_and_placeholders_are_named_as_such() {
    let shot = Shot::new([1, 3]);
    fs::create_dir(shot.frames().join("0002.png")).unwrap();
    symlink("../rushes/0004.png", shot.frames().join("0004.png")).unwrap();
    shot.write("0005.png", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\n");
    shot.write("0006.png", "<!DOCTYPE html><title>Sign in</title>");
    let texts = [
        "frame 2: 0002.png cannot be read",
        "frame 4: 0004.png cannot be read",
        "a link to ../rushes/0004.png, which does not exist",
        "frame 5: 0005.png is a Git LFS pointer",
        "frame 6: 0006.png is a web page",
        "render the frames named above again",
    ];
    shot.refused("", 65, &texts);
    let run = shot.stitch("--allow-gaps").exits(0);
    assert_contains(&run.text(), &["0004.png cannot be read", "WARN"]);
    assert_shows(&shot.video(), [1, 1, 3, 3, 3, 3]);

    let animated = Shot::new([]);
    animated.write("0001.webp", webp(true));
    animated.refused("", 65, &["0001.webp is an animation"]);
    animated.write("0001.webp", webp(false));
    animated.stitched("");
}

#[test]
fn the_advice_for_images_that_were_not_rendered_does_not_mention_rendering() {
    let photos = tempfile::tempdir().unwrap();
    let stitch = |flags: &str| {
        let stitch = worker("stitch").input(photos.path()).output(photos.path().join("out"));
        stitch.args(flags).run()
    };
    fs::write(photos.path().join("IMG_0001.png"), frames::frame(1)).unwrap();
    fs::write(photos.path().join("IMG_0003.png"), "no image").unwrap();
    let gap = stitch("").exits(66);
    let damaged = stitch("--frames 1,3").exits(65);
    for run in [&gap, &damaged] {
        assert!(!run.final_error().contains("render"), "{}", run.final_error());
    }
    assert_contains(&damaged.final_error(), &["repair or replace the images"]);
}

#[test]
fn names_that_are_not_utf_8_are_warned_of() {
    let shot = Shot::new([1, 2]);
    let name = OsStr::from_bytes(b"caf\xe9_0003.png");
    fs::write(shot.frames().join(name), frames::frame(3)).unwrap();
    let run = shot.stitch("").exits(0);
    assert_contains(&run.text(), &["skipped 1 image in", "not UTF-8", "_0003.png"]);
}

#[test]
fn frames_of_different_sizes_are_an_error_that_groups_them_by_size() {
    let shot = Shot::new([1, 2, 4]);
    for (number, size) in [(3, (32, 32)), (5, (48, 64)), (6, (32, 32))] {
        shot.write(&frames::name(number), png(size, |_, _| [9, 9, 9]));
    }
    let sizes = ["frames 1-2,4 are 64x48", "frames 3,6 are 32x32", "5 are 48x64"];
    shot.refused("", 65, &sizes);
    shot.refused("--allow-gaps", 65, &sizes);
}

#[test]
fn several_sequences_in_one_folder_are_an_error() {
    for (unrelated, texts) in [
        (&["0003.jpg"][..], ["PNG images like 0001.png: frames 1-2", "JPEG", "frames 3"]),
        (&["b_1.png", "b_2.png"], ["0001.png", "b_1.png", "several sequences"]),
        (&["01.png"], ["frame 1 is there twice", "0001.png", "01.png"]),
    ] {
        let shot = Shot::new(1..=2);
        for name in unrelated {
            shot.write(name, frame(1));
        }
        shot.refused("", 65, &texts);
    }
}

#[test]
fn damaged_frames_are_named_with_the_damage() {
    let half = |bytes: &[u8]| bytes[..bytes.len() / 2].to_vec();
    let flipped = |mut bytes: Vec<u8>| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        bytes
    };
    let other = |name: &str| fs::read(fixture("frames").join(name)).unwrap();
    let (jpeg, exr) = (other("blender-rgb.jpg"), other("blender-rgba-16-zip.exr"));
    let (tiff, webp) = (other("blender-rgba-8-none.tif"), other("blender-rgb-lossy.webp"));
    let table = [
        ("png", frame(1), half(&frame(1)), "ends after"),
        ("png", frame(1), flipped(frame(1)), "cannot be decoded"),
        ("png", frame(1), Vec::new(), "is empty (0 bytes)"),
        ("png", frame(1), b"the frame of another day".to_vec(), "is not a PNG image"),
        ("jpg", jpeg.clone(), half(&jpeg), "ends after"),
        ("exr", exr.clone(), half(&exr), "ends after"),
        ("exr", exr, other("blender-disk-full.exr"), "is damaged at byte 704"),
        ("tif", tiff.clone(), half(&tiff), "ends after"),
        ("webp", webp.clone(), half(&webp), "ends after"),
    ];
    for (extension, good, bad, what) in table {
        let shot = Shot::new([]);
        for number in [1, 3, 5] {
            shot.write(&format!("000{number}.{extension}"), &good);
        }
        for number in [2, 4] {
            shot.write(&format!("000{number}.{extension}"), &bad);
        }
        let named = |n| format!("frame {n}: 000{n}.{extension} {what}");
        shot.refused("", 65, &[&named(2), &named(4)]);
    }
}

#[test]
fn frames_that_exceed_the_prefetch_limit_are_all_inspected() {
    // Together, both are larger than the limit.
    let shot = Shot::new([]);
    for name in ["0001.png", "0002.png"] {
        let file = fs::File::create(shot.frames().join(name)).unwrap();
        file.set_len(100 * 1024 * 1024).unwrap();
    }
    shot.refused("", 65, &["frame 1: 0001.png is not a PNG", "frame 2: 0002.png is not a PNG"]);
}

#[test]
fn with_allow_gaps_damaged_frames_are_replaced_with_a_warning() {
    let shot = Shot::new(1..=5);
    for number in [1, 4] {
        shot.write(&frames::name(number), &frame(number)[..60]);
    }
    let run = shot.stitch("--allow-gaps").exits(0);
    run.logs(&["frame 1 is damaged", "frame 4 is damaged", "0004.png ends after 60 bytes"]);
    assert_shows(&shot.video(), [2, 2, 3, 3, 5]);

    let nothing = Shot::new([]);
    nothing.write("0001.png", "");
    nothing.refused("--allow-gaps", 65, &["none of them is whole"]);
}

#[test]
fn the_frame_rate_is_that_of_the_scene_unless_a_flag_overrides_it() {
    for (facts, flags, rate) in [
        (json!({ "fps": 30, "fps_base": 1.0 }), "", "30/1"),
        (json!({ "fps": 24, "fps_base": 1.001_000_046_73 }), "", "24000/1001"),
        (json!({ "fps": 25, "fps_base": 2.0 }), "", "25/2"),
        (json!({ "fps": 30, "fps_base": 1.0 }), "--fps 12", "12/1"),
        (json!({ "fps": 30, "fps_base": 1.0 }), "--fps 23.976", "24000/1001"),
    ] {
        let shot = Shot::new([]);
        shot.rendered(&facts);
        shot.stitch(flags).exits(0).never_logs(&["--fps"]);
        let stream = stream(&shot.video());
        assert_eq!(stream["r_frame_rate"], rate, "{facts} {flags}");
        assert_eq!(stream["avg_frame_rate"], rate, "{facts} {flags}");
        assert_eq!(stream["nb_read_frames"], "5");
    }
}

#[test]
fn the_frame_range_of_the_scene_comes_from_the_report_of_render() {
    let shot = Shot::new([]);
    shot.rendered(&json!({}));
    for (flags, count) in
        [("-t scene", "3"), ("--first-frame scene", "4"), ("--first-frame scene -t scene", "3")]
    {
        assert_eq!(stream(&shot.stitched(flags))["nb_read_frames"], count, "{flags}");
    }
    let unknown = Shot::new(1..=3);
    unknown.refused("-t scene", 65, &["cannot determine the scene's frame range"]);
}

#[test]
fn a_layer_of_pictures_without_layers_is_refused() {
    let shot = Shot::new(1..=3);
    shot.refused("--layer Diffuse", 65, &["has no layer Diffuse", "without layers"]);
}

#[test]
fn the_default_video_plays_anywhere() {
    let shot = Shot::new(1..=3);
    let video = shot.stitched("");
    let stream = stream(&video);
    for (field, value) in [
        ("codec_name", "h264"),
        ("profile", "High"),
        ("pix_fmt", "yuv420p"),
        ("color_range", "tv"),
        ("color_space", "bt709"),
        ("color_primaries", "bt709"),
        ("color_transfer", "bt709"),
        ("sample_aspect_ratio", "1:1"),
    ] {
        assert_eq!(stream[field], value, "{field}");
    }
    // With the index before the pictures, a browser plays the video while it loads.
    let boxes = boxes(&fs::read(&video).unwrap());
    let index = |kind: &str| boxes.iter().position(|found| found == kind).unwrap();
    assert!(index("moov") < index("mdat"), "{boxes:?}");
}

/// Returns the kinds of the top-level boxes of an MP4.
fn boxes(mut file: &[u8]) -> Vec<String> {
    let mut kinds = Vec::new();
    while let Some((length, rest)) = file.split_first_chunk::<4>() {
        kinds.push(String::from_utf8_lossy(&rest[..4]).into_owned());
        file = &file[usize::try_from(u32::from_be_bytes(*length)).unwrap()..];
    }
    kinds
}

#[test]
fn odd_sizes_are_padded_and_not_scaled() {
    let shot = Shot::new([]);
    shot.write("0001.png", png((65, 49), |_, _| [200, 100, 50]));
    let frames = pixels(&shot.stitched(""), (66, 50));
    let at = |x: usize, y: usize| frames[0][y * 66 + x];
    assert_near(at(60, 44), [200, 100, 50], 4, "picture");
    // The last column and row are there, and again beside them.
    for (x, y) in [(64, 20), (65, 20), (20, 48), (20, 49), (65, 49)] {
        assert_near(at(x, y), [200, 100, 50], 4, "edge");
    }
}

#[track_caller]
fn assert_near(found: Rgb, expected: Rgb, tolerance: u8, what: &str) {
    let near = |(a, b): (u8, u8)| a.abs_diff(b) <= tolerance;
    let all = found.into_iter().zip(expected).all(near);
    assert!(all, "{what}: {found:?} is not nearly {expected:?}");
}

/// Creates an image of four quarters: red and green above blue and a grey.
fn quarters(grey: u8) -> Vec<u8> {
    png(SIZE, |x, y| match (x < SIZE.0 / 2, y < SIZE.1 / 2) {
        (true, true) => [255, 0, 0],
        (false, true) => [0, 255, 0],
        (true, false) => [0, 0, 255],
        (false, false) => [grey; 3],
    })
}

#[test]
fn colours_are_right_in_every_image_format() {
    // OpenEXR is linear: 55/255 corresponds to 128/255 in sRGB.
    for (extension, options, grey) in [
        ("png", "-pix_fmt rgb24", 128),
        ("png", "-pix_fmt rgba", 128),
        ("png", "-pix_fmt rgb48be", 128),
        ("png", "-pix_fmt rgba64be", 128),
        ("jpg", "-q:v 1", 128),
        ("tif", "-pix_fmt rgb24", 128),
        ("tif", "-pix_fmt rgba64le", 128),
        ("webp", "-lossless 1", 128),
        ("webp", "-quality 95", 128),
        ("exr", "-pix_fmt gbrpf32le", 55),
        ("exr", "-pix_fmt gbrpf32le -format half", 55),
    ] {
        let shot = Shot::new([]);
        let source = shot.0.path().join("source.png");
        fs::write(&source, quarters(grey)).unwrap();
        convert(&source, options, &shot.frames().join(format!("0001.{extension}")));
        let video = shot.stitched("");
        let picture = &pixels(&video, SIZE)[0];
        let at = |x: usize, y: usize| picture[y * 64 + x];
        for ((x, y), colour) in [
            ((16, 12), [255, 0, 0]),
            ((48, 12), [0, 255, 0]),
            ((16, 36), [0, 0, 255]),
            ((48, 36), [128; 3]),
        ] {
            assert_near(at(x, y), colour, 6, &format!("{extension} {options}"));
        }
    }
}

#[test]
fn frames_of_blender_look_the_same_in_every_image_format() {
    let stitch = |name: &str| {
        let folder = tempfile::tempdir().unwrap();
        let frames = worker("render").input(scene(name)).output(folder.path());
        frames.args("--frames 1,6,12").run().exits(0);
        let video = worker("stitch").input(folder.path()).output(folder.path());
        video.args("--frames 1,6,12").run().exits(0);
        pixels(&folder.path().join("output.mp4"), SIZE)
    };
    let png = stitch("tiny");
    assert_eq!(png.len(), 3);
    for name in ["jpeg", "tiff", "webp", "exr", "exr_multilayer"] {
        let frames = stitch(name);
        for (number, picture) in frames.iter().enumerate() {
            let differences: Vec<_> = png.iter().map(|other| difference(picture, other)).collect();
            let least = differences.iter().copied().fold(f64::INFINITY, f64::min);
            assert!(differences[number] < 8.0, "{name} {number}: {differences:?}");
            assert!(least >= differences[number], "{name} {number}: {differences:?}");
        }
    }
}

#[test]
fn the_video_has_the_frame_rate_and_size_of_a_real_scene() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path();
    worker("render").input(scene("odd_size")).output(output).args("-f 3").run().exits(0);
    worker("stitch").input(output).output(output).args("-t 3").run().exits(0);
    let stream = stream(&output.join("output.mp4"));
    assert_eq!(
        (&stream["avg_frame_rate"], &stream["width"], &stream["height"], &stream["nb_read_frames"]),
        (&json!("24000/1001"), &json!(66), &json!(50), &json!("3"))
    );
    assert_eq!(names(output), ["frames", "output.mp4", "previews", "reports"]);
}

#[test]
fn images_from_many_programs_are_accepted() {
    for name in [
        "blender-bw-8.png",
        "blender-rgba-16.png",
        "blender-bw.jpg",
        "blender-rgba-16-piz.exr",
        "blender-rgba-16-dwaa.exr",
        "blender-rgba-32-zip.exr",
        "blender-multilayer-zip.exr",
        "blender-multilayer-composite-zip.exr",
        "exrmaketiled-mipmap.exr",
        "blender-rgba-16-deflate.tif",
        "blender-rgba-8-lzw.tif",
        "tiffcp-planar.tif",
        "tiffcp-tiles-big-endian.tif",
        "blender-rgb-lossy.webp",
        "blender-rgba-lossless.webp",
        "jpegtran-progressive-restart.jpg",
    ] {
        let (shot, extension) = (Shot::new([]), name.rsplit('.').next().unwrap());
        let file = fixture("frames").join(name);
        fs::copy(&file, shot.frames().join(format!("0001.{extension}"))).unwrap();
        let stream = stream(&shot.stitched("--fps 24"));
        // All are 33x17, except two of 16x12.
        let size = if name.contains("piz") || name.contains("dwaa") { (16, 12) } else { (34, 18) };
        assert_eq!((&stream["width"], &stream["height"]), (&json!(size.0), &json!(size.1)));
        assert_eq!(stream["nb_read_frames"], "1", "{name}");
    }
}

#[test]
fn codec_and_container_can_be_chosen() {
    let shot = Shot::new(1..=3);
    for (flags, file, codec, tag, pixel_format) in [
        ("--codec h264", "output.mp4", "h264", "avc1", "yuv420p"),
        ("--codec h265", "output.mp4", "hevc", "hvc1", "yuv420p"),
        ("--codec prores", "output.mov", "prores", "apch", "yuv422p10le"),
        ("--output-name teaser.mov", "teaser.mov", "h264", "avc1", "yuv420p"),
        ("--output-name teaser.mkv", "teaser.mkv", "h264", "[0][0][0][0]", "yuv420p"),
    ] {
        shot.stitch(flags).exits(0);
        let video = shot.output().join(file);
        let stream = stream(&video);
        assert_eq!(
            (&stream["codec_name"], &stream["codec_tag_string"], &stream["pix_fmt"]),
            (&json!(codec), &json!(tag), &json!(pixel_format)),
            "{flags}"
        );
        for field in ["color_space", "color_primaries", "color_transfer"] {
            assert_eq!(stream[field], "bt709", "{flags}: {field}");
        }
        assert_eq!(stream["avg_frame_rate"], "25/1");
        assert_shows(&video, 1..=3);
        fs::remove_file(video).unwrap();
    }
    assert_eq!(names(&shot.output()), ["previews", "reports"]);
}

#[test]
fn crf_and_preset_are_passed_to_the_encoder() {
    let shot = Shot::new([]);
    for number in 1..=3u32 {
        shot.write(&format!("{number}.png"), noise(SIZE, number));
    }
    // Both encoders write their settings into the stream.
    for (flags, settings) in [
        ("", &["crf=23.0", "subme=7"][..]),
        ("--crf 35 --preset veryfast", &["crf=35.0", "subme=2"]),
        ("--codec h265 --crf 35 --preset ultrafast", &["crf=35.0", "subme=0"]),
    ] {
        let video = fs::read(shot.stitched(flags)).unwrap();
        assert_contains(&String::from_utf8_lossy(&video), settings);
    }
    let size = |flags| fs::metadata(shot.stitched(flags)).unwrap().len();
    assert!(size("--crf 5") > 2 * size("--crf 40"));
}

#[test]
fn an_existing_video_is_replaced_only_by_a_complete_one() {
    let shot = Shot::new([1, 3]);
    fs::create_dir(shot.output()).unwrap();
    fs::write(shot.video(), "yesterday's").unwrap();
    shot.stitch("").exits(66);
    assert_eq!(fs::read(shot.video()).unwrap(), b"yesterday's");
    shot.write("0002.png", &frame(2)[..60]);
    shot.stitch("").exits(65);
    assert_eq!(fs::read(shot.video()).unwrap(), b"yesterday's");
    shot.write("0002.png", frame(2));
    assert_shows(&shot.stitched(""), 1..=3);
    assert_eq!(names(&shot.output()), ["output.mp4", "previews", "reports"]);
}

#[test]
fn the_report_describes_the_video_or_the_cause_of_the_failure() {
    let shot = Shot::new([7, 8, 10]);
    shot.stitch("--frames 7-8 --fps 30000/1001").exits(0);
    let made = report(&shot.output(), "stitch");
    for (field, value) in [
        ("action", json!("stitch")),
        ("status", json!("succeeded")),
        ("exit_code", json!(0)),
        ("input", json!(shot.input())),
        ("output", json!(shot.output())),
        ("frames_asked", json!("7-8")),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    assert!(
        made["video"]["ffmpeg"].as_str().unwrap().starts_with(|c: char| c.is_ascii_alphanumeric())
    );
    let bytes = fs::metadata(shot.video()).unwrap().len();
    assert_eq!(
        made["video"],
        json!({
            "file": "output.mp4", "bytes": bytes, "frames": 2, "fps": "30000/1001",
            "codec": "h264", "width": 64, "height": 48, "ffmpeg": made["video"]["ffmpeg"],
        })
    );

    fs::remove_dir_all(shot.output()).unwrap();
    let stitch = worker("stitch").input(shot.input()).output(shot.output());
    let run = stitch.env("AWS_BATCH_JOB_ID", "1a-2b").run().exits(66);
    let failed = report(&shot.output(), "stitch");
    assert_eq!((&failed["status"], &failed["exit_code"]), (&json!("failed"), &json!(66)));
    assert!(run.final_error().starts_with(failed["cause"].as_str().unwrap()));
    assert_eq!(failed.get("video"), None);
}

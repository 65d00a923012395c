//! The view of scenes that are stored as linear light: `render` keeps what Blender's display
//! transform does, and it makes the same colours of the frames as Blender does.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use ::image::{DynamicImage, Rgb32FImage};
use exr::prelude::read_first_rgba_layer_from_file;
use render_worker::image::{Lut, View};
use serde_json::Value;

use crate::support::blender::save_startup_scene;
use crate::support::frames::{Rgb, difference, pixels};
use crate::support::{Run, names, report, scene, worker};

const SIZE: (u32, u32) = (64, 48);

/// How many channels of a picture are 1% of them.
const ONE_IN_100: usize = 64 * 48 * 3 / 100;

/// A view that differs from every default, of a picture with colours brighter than white.
const SCENE: &str = "
view = scene.view_settings
view.view_transform, view.look = 'Filmic', 'Medium High Contrast'
view.exposure, view.gamma = 1.3, 0.9
view.use_curve_mapping = True
view.curve_mapping.curves[3].points.new(0.25, 0.35)
view.curve_mapping.update()
scene.render.dither_intensity = 0
bpy.data.lights['Light'].energy, bpy.data.lights['Light'].color = 20000, (1, 0.3, 0.1)
";

fn save(folder: &Path, name: &str, format: &str) -> std::path::PathBuf {
    let file = folder.join(name).with_extension("blend");
    let format = format!("scene.render.image_settings.file_format = '{format}'");
    save_startup_scene(&file, &[SCENE, &format].concat());
    file
}

#[track_caller]
fn render(scene: &Path, output: &Path, arguments: &str) {
    worker("render").input(scene).output(output).args(arguments).run().exits(0).logs_no_warnings();
}

/// The names of the LUTs of an output.
fn luts(output: &Path) -> Vec<String> {
    let mut names = names(&output.join("reports"));
    names.retain(|name| name.starts_with("view-"));
    names
}

/// The linear colours of an `OpenEXR` file without alpha.
fn linear(file: &Path) -> Rgb32FImage {
    let image = read_first_rgba_layer_from_file(
        file,
        |size, _| Rgb32FImage::new(size.0.try_into().unwrap(), size.1.try_into().unwrap()),
        |image, at, (red, green, blue, _): (f32, f32, f32, f32)| {
            let (x, y) = (at.0.try_into().unwrap(), at.1.try_into().unwrap());
            image.put_pixel(x, y, ::image::Rgb([red, green, blue]));
        },
    );
    image.unwrap().layer_data.channel_data.pixels
}

/// The differences of the colour channels of two pictures, in increasing order.
fn differences(a: &[Rgb], b: &[Rgb]) -> Vec<u8> {
    let channels = a.as_flattened().iter().zip(b.as_flattened());
    let mut differences: Vec<_> = channels.map(|(a, b)| a.abs_diff(*b)).collect();
    differences.sort_unstable();
    differences
}

#[test]
fn the_stored_view_makes_the_colours_that_blender_makes() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    render(&save(at, "shown", "PNG"), &at.join("shown"), "-f 1");
    render(&save(at, "linear", "OPEN_EXR"), &at.join("linear"), "-f 1");

    assert_eq!(report(&at.join("shown"), "render")["scene"].get("view"), None);
    assert_eq!(luts(&at.join("shown")), [""; 0]);
    let view = &report(&at.join("linear"), "render")["scene"]["view"];
    assert_eq!(view["transform"], "Filmic");
    assert!((view["exposure"].as_f64().unwrap() - 1.3).abs() < 1e-6);
    let luts = luts(&at.join("linear"));
    assert_eq!(luts, [view["lut"].as_str().unwrap()]);

    let lut = fs::read(at.join("linear/reports").join(&luts[0])).unwrap();
    let view = View::Lut(Arc::new(Lut::parse(&lut).unwrap()));
    let linear = DynamicImage::from(linear(&at.join("linear/frames/0001.exr")));
    let [expected] = &pixels(&at.join("shown/frames/0001.png"), SIZE)[..] else {
        panic!("not one picture");
    };
    let mean_and_most = |view: View| {
        let shown: Vec<Rgb> =
            view.apply(linear.clone()).into_rgb8().pixels().map(|p| p.0).collect();
        (
            difference(&shown, expected),
            *differences(&shown, expected).iter().nth_back(ONE_IN_100).unwrap(),
        )
    };
    let (mean, most) = mean_and_most(view);
    assert!(mean < 1.0 && most <= 3, "mean {mean}, all but 1%: {most}");
    let (mean, most) = mean_and_most(View::Srgb);
    assert!(mean > 10.0 && most > 20, "the view makes no difference: {mean} {most}");
}

#[test]
fn a_video_of_linear_frames_looks_as_one_of_shown_frames() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let frame = |name: &str, format: &str, flags: &str| {
        let output = at.join(name);
        render(&save(at, name, format), &output, "-f 1");
        // 4:4:4, so that only the view can make a difference.
        let stitch = worker("stitch").input(&output).output(&output);
        stitch.args("--codec prores4444").args(flags).run().exits(0);
        pixels(&output.join("output.mov"), SIZE).remove(0)
    };
    let shown = frame("shown", "PNG", "");
    for (name, format) in [("linear", "OPEN_EXR"), ("layers", "OPEN_EXR_MULTILAYER")] {
        let linear = frame(name, format, "");
        let (mean, most) = (
            difference(&linear, &shown),
            *differences(&linear, &shown).iter().nth_back(ONE_IN_100).unwrap(),
        );
        assert!(mean < 1.0 && most <= 4, "{format}: mean {mean}, all but 1%: {most}");
    }
    let standard = frame("standard", "OPEN_EXR", "--view standard");
    assert!(difference(&standard, &shown) > 10.0, "--view makes no difference");
}

#[test]
fn attempts_at_one_scene_store_one_view() {
    let folder = tempfile::tempdir().unwrap();
    let (scene, output) = (scene("exr"), folder.path().join("out"));
    render(&scene, &output, "--frames 1");
    let first = luts(&output);
    assert_eq!(first.len(), 1);
    render(&scene, &output, "--frames 2");
    render(&scene, &output, "--frames 1-2");
    assert_eq!(luts(&output), first);
    let named = names(&output.join("reports")).into_iter().filter(|name| !name.contains("view-"));
    for name in named {
        let report = fs::read(output.join("reports").join(&name)).unwrap();
        let report: Value = serde_json::from_slice(&report).unwrap();
        assert_eq!(report["scene"]["view"]["lut"], first[0].as_str(), "{name}");
    }
}

/// Renders a frame of `OpenEXR` of a scene with these changes.
fn render_linear(changes: &str) -> (tempfile::TempDir, Run) {
    let folder = tempfile::tempdir().unwrap();
    let (file, output) = (folder.path().join("scene.blend"), folder.path().join("out"));
    let format = "scene.render.image_settings.file_format = 'OPEN_EXR'\n";
    save_startup_scene(&file, &[format, changes].concat());
    let run = worker("render").input(&file).output(&output).args("-f 1").run().exits(0);
    (folder, run)
}

#[test]
fn a_view_that_cannot_be_stored_is_a_warning() {
    let (folder, run) = render_linear("scene.view_settings.view_transform = 'False Color'");
    assert!(run.warnings().iter().any(|warning| warning.contains("False Color")));
    let output = folder.path().join("out");
    let view = &report(&output, "render")["scene"]["view"];
    assert_eq!((&view["transform"], view.get("lut")), (&"False Color".into(), None));
    assert_eq!(luts(&output), [""; 0]);
}

#[test]
fn a_view_that_changes_from_frame_to_frame_is_warned_of() {
    let (_folder, run) = render_linear(
        "for frame in (1, 3):
    scene.view_settings.exposure = frame
    scene.view_settings.keyframe_insert('exposure', frame=frame)",
    );
    run.logs_only_warnings(&["exposure"]);
}

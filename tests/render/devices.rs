//! The devices of Cycles. The machines of the tests have no GPU: a stand-in in Blender's Python makes
//! Blender list some, and renders on the CPU all the same.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::blender::blender_runs;
use crate::support::{Worker, names, report, scene, worker};

/// Makes Blender list two GPUs for CUDA, of which `OptiX` supports none.
const STAND_IN: &str = "\
import _cycles

def devices(kind=''):
    gpus = [('GPU %s' % n, 'CUDA', 'id-%s' % n) for n in 'AB'] if kind in ('', 'CUDA') else []
    return tuple(d + (False,) * 8 for d in [('A CPU', 'CPU', 'id-cpu'), *gpus])

_cycles.available_devices = devices
_cycles.get_device_types = lambda: (True, True) + (False,) * 4
";

fn render(name: &str, output: &Path, arguments: &str) -> Worker {
    worker("render").input(scene(name)).output(output).args("-f 1").args(arguments)
}

/// The same with the stand-in, as a script in the scene.
fn render_on_gpus(name: &str, output: &Path, arguments: &str) -> Worker {
    let file = output.join("scene.blend");
    let python = format!(
        "import bpy
script = bpy.data.texts.new('stand_in.py')
script.use_module = True
script.from_string({STAND_IN:?})
bpy.ops.wm.save_as_mainfile(filepath={:?})",
        file.to_str().expect("UTF-8")
    );
    blender_runs(Some(&scene(name)), &python);
    worker("render").input(file).output(output).args("-f 1 --enable-autoexec").args(arguments)
}

#[test]
fn all_gpus_of_the_best_type_are_used_if_the_job_or_the_scene_asks_for_them() {
    for (name, arguments, devices) in [
        ("tiny", "--cycles-device auto", "GPU A (CUDA) and GPU B (CUDA)"),
        ("gpu", "", "GPU A (CUDA) and GPU B (CUDA)"),
        ("tiny", "--cycles-device auto+CPU", "GPU A (CUDA) and GPU B (CUDA) and A CPU (CPU)"),
    ] {
        let output = tempfile::tempdir().unwrap();
        let run = render_on_gpus(name, output.path(), arguments).run().exits(0);
        run.logs_no_warnings().logs(&[&format!("CYCLES on {devices}, ")]);
        let reported = &report(output.path(), "render")["scene"]["devices"];
        let reported: Vec<_> =
            reported.as_array().unwrap().iter().map(|device| device.as_str().unwrap()).collect();
        assert_eq!(reported.join(" and "), devices);
        assert_eq!(names(&output.path().join("frames")), ["0001.png"]);
    }
}

#[test]
fn a_scene_or_job_that_asks_for_the_cpu_gets_it() {
    for (name, arguments) in [("tiny", ""), ("gpu", "--cycles-device CPU")] {
        let output = tempfile::tempdir().unwrap();
        let run = render_on_gpus(name, output.path(), arguments).run().exits(0);
        run.logs_no_warnings();
        assert!(report(output.path(), "render")["scene"]["devices"].is_null());
    }
}

#[test]
fn without_a_gpu_a_job_that_wants_one_fails_unless_the_cpu_will_do() {
    let output = tempfile::tempdir().unwrap();
    let run = render("tiny", output.path(), "--cycles-device auto").run();
    run.fails(69, &["--cycles-device"]);
    assert!(!output.path().join("frames/0001.png").exists());
    let run = render("tiny", output.path(), "--cycles-device auto+CPU").run().exits(0);
    assert!(run.warnings().iter().any(|warning| warning.contains("there is no GPU")));
    assert_eq!(names(&output.path().join("frames")), ["0001.png"]);
}

#[test]
fn compiled_shaders_outlive_the_job_in_a_cache() {
    let (output, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let cache = cache.path().join("new");
    let arguments = format!("--engine scene --no-resume --cache-dir {}", cache.display());
    render("eevee", output.path(), &arguments).run().exits(0);
    let files = || {
        let files = walkdir::WalkDir::new(&cache).into_iter().map(Result::unwrap);
        let files = files.filter(|entry| entry.file_type().is_file());
        files.map(|file| file.path().to_owned()).collect::<BTreeSet<_>>()
    };
    let compiled = files();
    render("eevee", output.path(), &arguments).run().exits(0);
    let new = files().difference(&compiled).count();
    // A driver writes in the background, and the first job may end before it has written all.
    assert!(new * 2 < compiled.len(), "{new} new files, {} old ones", compiled.len());
}

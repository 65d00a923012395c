//! The environment variables and the files that Blender and FFmpeg can access, and the flags that
//! add some. And kernels without support for the sandbox. `hostile.rs` tests what must be out of
//! reach.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::frames;
use crate::support::{Worker, fixture, names, ordered_scene, scene, worker};

/// A folder of the test.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A command line that renders one of the test scenes, copied to a folder of its own.
    fn render(&self, name: &str) -> Worker {
        let job = self.path("job");
        fs::create_dir_all(&job).unwrap();
        fs::copy(scene(name), job.join("scene.blend")).unwrap();
        worker("render").input(job.join("scene.blend")).output(self.path("out")).args("-f 1")
    }
}

/// Adds variables that programs may see, and some that they must not see.
fn with_variables(worker: Worker) -> Worker {
    worker
        .env("TZ", "UTC")
        .env("OCIO", "/colours/config.ocio")
        .env("CUDA_VISIBLE_DEVICES", "0")
        .env("HOME", "/home/somebody")
        .env("LANGUAGE", "de")
        .env("AWS_REGION", "eu-central-1")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials")
        .env("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4")
        .env("GITHUB_TOKEN", "secret")
        .env("EMPTY", "")
}

/// Returns the environment in a stand-in's record, without variables that Python adds.
fn environ(record: &Path) -> serde_json::Map<String, Value> {
    let launch: Value = serde_json::from_slice(&fs::read(record).unwrap()).unwrap();
    let mut environ = launch["environ"].as_object().unwrap().clone();
    let of_python =
        |name: &str| name.contains("PYENV_") || ["LC_CTYPE", "PWD", "SHLVL", "_"].contains(&name);
    environ.retain(|name, _| !of_python(name));
    environ
}

#[test]
fn blender_gets_a_short_environment_and_the_passed_variables() {
    let own = ["CUDA_VISIBLE_DEVICES", "HOME", "LANG", "LC_ALL", "OCIO", "PATH"];
    let own = [&own[..], &["PULSE_RUNTIME_PATH", "TMPDIR", "TZ"]].concat();
    let cases: [(&str, &[&str]); 3] = [
        ("", &[]),
        ("--pass-env AWS_REGION,EMPTY --pass-env NOT_SET", &["AWS_REGION", "EMPTY"]),
        ("--pass-env HOME", &[]),
    ];
    for (flags, passed) in cases {
        let place = Place::new();
        let orders = json!({"record": place.path("launch")});
        fs::write(place.path("scene.blend"), ordered_scene(1, 1, &orders)).unwrap();
        let render = worker("render").input(place.path("scene.blend")).output(place.path("out"));
        let render = with_variables(render.args("-f 1").args(flags).stand_in_blender());
        render.run().exits(0).logs_no_warnings();
        let environ = environ(&place.path("launch"));
        let mut expected = [&own[..], passed].concat();
        expected.sort_unstable();
        let mut names: Vec<_> = environ.keys().collect();
        names.sort();
        assert_eq!(names, expected, "{flags}");
        assert_ne!(environ["HOME"], "/home/somebody");
    }
}

#[test]
fn passing_credentials_is_a_warning() {
    let place = Place::new();
    let render = place.render("tiny").env("AWS_SECRET_ACCESS_KEY", "secret");
    let run = render.args("--pass-env AWS_SECRET_ACCESS_KEY").run();
    run.exits(0).logs(&["every script in a scene can read AWS_SECRET_ACCESS_KEY"]);
}

#[test]
fn ffmpeg_gets_a_short_environment() {
    let place = Place::new();
    frames::write(&place.path("in/frames"), 1..=2);
    symlink(fixture("stand-ins/ffmpeg"), place.path("ffmpeg")).unwrap();
    let orders = json!({"record": place.path("launch")}).to_string();
    fs::write(place.path("ffmpeg.orders"), orders).unwrap();
    let stitch = worker("stitch").input(place.path("in")).output(place.path("out"));
    let stitch = stitch.arg("--ffmpeg").arg(place.path("ffmpeg")).args("--sandbox off");
    with_variables(stitch).run().exits(0);
    let environ = environ(&place.path("launch"));
    let mut names: Vec<_> = environ.keys().collect();
    names.sort();
    assert_eq!(names, ["CUDA_VISIBLE_DEVICES", "OCIO", "PATH", "TZ"]);
}

#[test]
fn every_codec_can_be_encoded_in_the_sandbox() {
    let place = Place::new();
    frames::write(&place.path("in/frames"), 1..=5);
    for codec in ["h264", "h265", "prores"] {
        let stitch = worker("stitch").input(place.path("in")).output(place.path(codec));
        let run = stitch.args("--sandbox require --codec").arg(codec).run().exits(0);
        run.logs(&["5 frames"]);
    }
}

#[test]
fn files_outside_of_the_scenes_folder_are_named_and_can_be_allowed() {
    let place = Place::new();
    // The scene needs textures/missing.png; `textures` is a link out of the scene's folder.
    fs::create_dir(place.path("elsewhere")).unwrap();
    fs::write(place.path("elsewhere/missing.png"), frames::frame(1)).unwrap();
    let render = || place.render("missing_texture").arg("--no-resume");
    let textures = place.path("job/textures");
    render().run().exits(65).logs(&["image missing.png", "was not found"]);
    symlink(place.path("elsewhere"), textures).unwrap();
    let value = format!("--allow-read {} (ALLOW_READ)", place.path("elsewhere").display());
    render().run().fails(65, &[&value]).logs(&["image missing.png", &value]);
    let allowed = || [place.path("no-such-folder"), place.path("elsewhere")];
    for flags in [true, false] {
        let worker = allowed().iter().fold(render(), |worker, path| {
            if flags { worker.arg("--allow-read").arg(path) } else { worker }
        });
        let variable = std::env::join_paths(allowed()).unwrap();
        let worker = if flags { worker } else { worker.env("ALLOW_READ", variable) };
        worker.run().exits(0).logs_no_warnings();
    }
    render().args("--sandbox off").run().exits(0).logs_no_warnings();
}

/// Creates a copy of the shell in another folder, and a script for it that starts Blender. As an
/// interpreter of another script, it drops the name of that script from its arguments.
fn script_of_a_shell_elsewhere(place: &Place, name: &str) -> PathBuf {
    fs::create_dir(place.path("elsewhere")).unwrap();
    fs::copy("/bin/sh", place.path("elsewhere/sh")).unwrap();
    let line = format!("#!{}", place.path("elsewhere/sh").display());
    script(place, name, &format!("{line}\n[ -f \"$1\" ] && shift\nexec {} \"$@\"\n", blender()))
}

fn script(place: &Place, name: &str, text: &str) -> PathBuf {
    let path = place.path(name);
    fs::create_dir(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    path
}

/// Returns the path of the Blender on PATH.
fn blender() -> String {
    let mut shell = Command::new("sh");
    let found = shell.args(["-c", "command -v blender"]).output().unwrap().stdout;
    String::from_utf8(found).unwrap().trim().to_owned()
}

/// Returns the folder of the Blender on PATH.
fn folder_of_blender() -> PathBuf {
    Path::new(&blender()).parent().unwrap().to_owned()
}

#[test]
fn visible_files_beside_the_scene_can_be_read_if_they_existed_at_the_start() {
    let place = Place::new();
    let script = "
import bpy, os, time
def read(name):
    try:
        with open(bpy.path.abspath('//' + name)) as file: return file.read()
    except PermissionError: return 'denied'
print('here:', read('textures/deep/here'), flush=True)
while not os.path.exists(bpy.path.abspath('//textures/.late')): time.sleep(0.01)
for name in ('late', '.late', 'textures/late', 'textures/.late', 'textures/.hidden'):
    print(name, 'is', read(name), flush=True)
";
    let render = place.render("scripted").args("--enable-autoexec");
    fs::write(place.path("job/scripted.py"), script).unwrap();
    fs::create_dir_all(place.path("job/textures/deep")).unwrap();
    fs::write(place.path("job/textures/deep/here"), "open").unwrap();
    fs::write(place.path("job/textures/.hidden"), "secret").unwrap();
    let running = render.start();
    running.wait_for_log("here: open");
    let late = ["late", ".late", "textures/late", "textures/.late"];
    for name in late {
        fs::write(place.path("job").join(name), "secret").unwrap();
    }
    let run = running.finish().exits(0);
    let denied =
        late.into_iter().chain(["textures/.hidden"]).map(|name| format!("{name} is denied"));
    let denied: Vec<_> = denied.collect();
    run.logs(&denied.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn a_program_whose_interpreters_are_unreadable_is_named_with_the_flag_that_helps() {
    let place = Place::new();
    // The interpreter of the script is itself a script, and the worker follows only one level.
    let middle = script_of_a_shell_elsewhere(&place, "middle/run");
    let program = script(&place, "program/blender", &format!("#!{}\n", middle.display()));
    let render = || place.render("tiny").arg("--blender").arg(&program);
    let run = render().run().exits(69);
    let error = run.final_error();
    for text in
        [program.to_str().unwrap(), "--blender, BLENDER", "Permission denied", "--allow-read"]
    {
        assert!(error.contains(text), "{text:?} is not in {error:?}");
    }
    let allowed = render().arg("--allow-read").arg(folder_of_blender());
    allowed.arg("--allow-read").arg(place.path("elsewhere")).run().exits(0);
}

#[test]
fn the_interpreter_of_a_script_may_be_in_any_folder() {
    let place = Place::new();
    let program = script_of_a_shell_elsewhere(&place, "program/blender");
    let render = place.render("tiny").arg("--blender").arg(program);
    render.arg("--allow-read").arg(folder_of_blender()).run().exits(0);
}

#[test]
fn a_denied_system_call_is_logged_once_with_its_name() {
    let place = Place::new();
    let script = "
import ctypes, socket
libc = ctypes.CDLL(None, use_errno=True)
for _ in range(3):
    try: socket.socket()
    except PermissionError: print('no socket', flush=True)
    assert libc.inotify_init1(0) == -1 and ctypes.get_errno() == 1
    # A system call of future kernels fails as it does on older ones.
    assert libc.syscall(500) == -1 and ctypes.get_errno() == 38
";
    // At the level debug, because some Blenders create a socket at every start.
    let render = place.render("scripted").args("--enable-autoexec --log-level debug");
    fs::write(place.path("job/scripted.py"), script).unwrap();
    let run = render.run().exits(0).logs(&["no socket"]);
    let text = run.text();
    for (name, error) in [
        ("socket", "Operation not permitted"),
        ("inotify_init1", "Operation not permitted"),
        ("number 500", "Function not implemented"),
    ] {
        let warning =
            format!("blender made a system call that the sandbox does not allow: {name}; ");
        assert_eq!(text.matches(&warning).count(), 1, "{warning}: {text}");
        let line = run.messages().into_iter().find(|line| line.contains(&warning)).unwrap();
        assert!(line.contains(error), "{line}");
    }
    // An ordinary scene makes no denied call.
    place.render("tiny").run().exits(0).never_logs(&["does not allow"]);
}

#[test]
fn processes_older_than_the_worker_are_left_alone() {
    let place = Place::new();
    let background = "sleep 300 >/dev/null 2>&1 & echo $! >\"$0\"; exec \"$@\"";
    let file = place.path("pid");
    let run =
        place.render("tiny").wrapped_in(["sh", "-c", background, file.to_str().unwrap()]).run();
    let pid = Pid::from_raw(fs::read_to_string(&file).unwrap().trim().parse().unwrap());
    let alive = kill(pid, Signal::SIGKILL).is_ok();
    run.exits(0);
    assert!(alive);
}

/// Returns a command that starts a program without these system calls, as in an older kernel.
pub fn without(calls: &str) -> Vec<String> {
    const SCRIPT: &str = "\
import ctypes, os, platform, struct, sys
numbers = {'landlock': {'x86_64': 444, 'aarch64': 444}, 'seccomp': {'x86_64': 317, 'aarch64': 277}}
answer = 0x50000 | 38  # SECCOMP_RET_ERRNO, ENOSYS
steps = [(0x20, 0, 0, 0)]
for call in sys.argv[1].split(','):
    steps += [(0x15, 0, 1, numbers[call][platform.machine()]), (0x06, 0, 0, answer)]
steps += [(0x06, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *step) for step in steps))
program = ctypes.create_string_buffer(struct.pack('HP', len(steps), ctypes.addressof(code)))
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(program)) == 0
os.execvp(sys.argv[2], sys.argv[2:])
";
    ["python3", "-c", SCRIPT, calls].map(str::to_owned).to_vec()
}

#[test]
fn a_kernel_without_sandbox_features_is_a_warning_or_with_require_an_error() {
    let place = Place::new();
    for (calls, message) in [
        ("landlock", "sandbox: seccomp, no Landlock (not in this kernel)"),
        ("seccomp", "sandbox: Landlock ABI "),
        ("landlock,seccomp", "no sandbox: no Landlock (not in this kernel), no seccomp ("),
    ] {
        let run = place.render("tiny").wrapped_in(without(calls)).run().exits(0).logs(&[message]);
        let first = run.json().remove(0);
        assert_eq!(first["level"], "WARN", "{first}");
        assert!(first["message"].as_str().is_some_and(|text| text.contains(message)), "{first}");
        let strict = Place::new();
        let required = strict.render("tiny").args("--sandbox require").wrapped_in(without(calls));
        let run = required.run().exits(69).logs(&[message]);
        let error = run.final_error();
        for text in ["--sandbox (SANDBOX) require", "what to do: ", "--sandbox auto"] {
            assert!(error.contains(text), "{text:?} is not in {error:?}");
        }
        assert_eq!(names(&strict.path("out")), [""; 0]);
    }
    frames::write(&place.path("out/frames"), 1..=2);
    let stitch = worker("stitch").input(place.path("out")).output(place.path("video"));
    stitch.args("--sandbox require").wrapped_in(without("landlock")).run().exits(69);
    assert_eq!(names(&place.path("video")), [""; 0]);
}

#[test]
fn the_first_line_of_the_log_names_the_sandbox_features_in_use() {
    let place = Place::new();
    for (flags, text) in [("", "; sandbox: "), ("--sandbox off", "; no sandbox: --sandbox off")] {
        let first = place.render("tiny").args(flags).run().exits(0).json().remove(0);
        let message = first["message"].as_str().unwrap();
        assert!(message.starts_with("render-worker ") && message.contains(text), "{message}");
        assert_eq!(first["level"], "INFO", "{first}");
    }
}

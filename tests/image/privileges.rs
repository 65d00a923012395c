//! Least privilege: any user, no capability, no network, read-only file systems. A location that
//! cannot be written is an error before Blender starts.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::container::container;
use crate::stage::Stage;
use crate::support::engine::printed;
use crate::support::{Run, names, scene};

/// Renders and stitches with these options of `docker run`.
#[track_caller]
fn works(options: &str) -> Stage {
    let stage = Stage::new();
    stage.render("tiny").options(options).args("-f 2").run().exits(0);
    assert_eq!(stage.frames("out"), ["0001.png", "0002.png"], "{options}");
    stage.stitch().options(options).run().exits(0);
    assert_eq!(stage.probe("out/output.mp4")["nb_read_frames"], "2", "{options}");
    stage
}

/// Asserts that everything in a folder belongs to this user and group.
#[track_caller]
fn assert_owner(folder: &Path, user: u32, group: u32) {
    for name in names(folder) {
        let path = folder.join(name);
        let metadata = fs::symlink_metadata(&path).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (user, group), "{}", path.display());
        if metadata.is_dir() {
            assert_owner(&path, user, group);
        }
    }
}

/// Asserts that the final error names a location, and that Blender was not started: its first line
/// of output is not in the log.
#[track_caller]
fn fails_before_rendering(run: Run, code: i32, location: &str) {
    let run = run.exits(code);
    let error = run.final_error();
    assert!(error.contains(location), "{location} is not in: {error}");
    assert!(error.contains("what to do: "), "{error}");
    let of_blender = run.json().into_iter().find(|line| line["program"] == "blender");
    assert_eq!(of_blender, None);
}

#[test]
fn by_default_neither_the_worker_nor_blender_is_root() {
    let user = printed(container().arg("-u").output_of("id"));
    assert_ne!(user.trim(), "0");

    let stage = Stage::scripted(
        "import os
def user(process):
    # The owner of /proc/PID is root if the process has made its memory unreadable for others.
    with open(f'/proc/{process}/status') as status:
        return next(line.split()[1] for line in status if line.startswith('Uid:'))
with open('/work/users', 'w') as file:
    print(os.getuid(), user(1), user(os.getppid()), file=file)
",
    );
    stage.render_scripted().args("-f 1").run().exits(0);
    let users = fs::read_to_string(stage.path("users")).unwrap();
    let users: Vec<&str> = users.split_whitespace().collect();
    assert_eq!(users, [user.trim(); 3], "Blender, PID 1, the worker");
}

#[test]
fn with_the_user_option_files_belong_to_the_caller() {
    // As in the README: the scene in one folder, the results in another one.
    let stage = Stage::new();
    fs::copy(scene("tiny"), stage.path("scene.blend")).unwrap();
    let caller = fs::metadata(stage.path("")).unwrap();
    let (user, group) = (caller.uid(), caller.gid());
    let out = stage.folder("out", 0o755);
    let run = |arguments: &str| {
        container()
            .options(&format!("--user {user}:{group}"))
            .volume(&stage.path(""), "/input")
            .volume(&out, "/output")
            .args(arguments)
            .run()
            .exits(0)
    };
    run("render -i /input/scene.blend -o /output -f 10");
    run("stitch -i /output -o /output");
    assert_eq!(names(&out), ["frames", "output.mp4", "previews", "reports"]);
    assert_eq!(names(&out.join("frames")).len(), 10);
    assert_owner(&out, user, group);
}

#[test]
fn any_user_id_works_and_blender_has_a_writable_home() {
    let stage = Stage::scripted(
        "import os, tempfile
tempfile.TemporaryFile(dir=os.environ['HOME']).close()
print('home is writable')
",
    );
    for user in ["12345", "12345:54321"] {
        let output = format!("/work/{user}").replace(':', "-");
        let run = stage
            .container()
            .options("--user")
            .options(user)
            .args("render -i /work/scene.blend --enable-autoexec -f 1 -o")
            .arg(&output)
            .run();
        run.exits(0).logs(&["home is writable"]);
    }
    assert_owner(&stage.path("12345"), 12345, 0);
    assert_owner(&stage.path("12345-54321"), 12345, 54321);
}

#[test]
fn the_init_of_the_engine_may_be_used() {
    works("--init");
}

#[test]
fn no_capabilities_and_no_new_privileges_are_needed() {
    works("--cap-drop ALL --security-opt no-new-privileges");
}

#[test]
fn mounted_folders_need_no_network() {
    works("--network none");
}

#[test]
fn a_read_only_root_with_a_tmpfs_is_enough() {
    works("--read-only --tmpfs /tmp");
}

#[test]
fn all_restrictions_together_are_possible() {
    let strict = "--read-only --tmpfs /tmp --network none --cap-drop ALL --security-opt \
                  no-new-privileges --user 12345:54321";
    for init in ["", "--init"] {
        let stage = works(&format!("{strict} {init}"));
        assert_owner(&stage.path("out"), 12345, 54321);
    }
}

#[test]
fn a_read_only_root_with_a_scratch_volume_is_enough() {
    let stage = Stage::new();
    let scratch = stage.folder("scratch", 0o777);
    let render = || stage.render("tiny").options("--read-only").volume(&scratch, "/scratch");
    render().args("-f 1 --scratch-dir /scratch").run().exits(0);
    render().args("--frames 2").env("SCRATCH_DIR", "/scratch").run().exits(0);
    assert_eq!(stage.frames("out"), ["0001.png", "0002.png"]);
    let stitch = stage.stitch().options("--read-only").volume(&scratch, "/scratch");
    stitch.env("SCRATCH_DIR", "/scratch").run().exits(0);
    assert_eq!(stage.probe("out/output.mp4")["nb_read_frames"], "2");
    assert_eq!(names(&scratch), [""; 0], "files are left in scratch");
}

#[test]
fn a_scratch_folder_that_cannot_be_written_is_an_error_before_rendering() {
    let stage = Stage::new();
    let render = || stage.render("tiny").options("--read-only").args("-f 1");
    fails_before_rendering(render().run(), 74, "/tmp");
    let named = render().args("--scratch-dir /var/cache").run();
    fails_before_rendering(named, 74, "/var/cache");
    assert_eq!(stage.frames("out"), [""; 0]);
    fails_before_rendering(stage.stitch().options("--read-only").run(), 74, "/tmp");
}

#[test]
fn an_output_that_cannot_be_written_is_an_error_before_rendering() {
    let stage = Stage::new();
    let closed = stage.folder("closed", 0o555);
    let render = || stage.container().args("render -i /scenes/tiny.blend -o /closed/out -f 1");
    let denied = render().options("--user 12345").volume(&closed, "/closed").run();
    fails_before_rendering(denied, 77, "/closed/out");
    let read_only = render().volume(&closed, "/closed:ro").run();
    fails_before_rendering(read_only, 74, "/closed/out");
    // Without a volume: the default user may not create folders in the image.
    let run = render().run();
    assert!(run.final_error().contains("-v \"$PWD/out\":/closed/out"), "{}", run.final_error());
    fails_before_rendering(run, 77, "/closed/out");
}

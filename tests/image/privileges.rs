//! Least privilege: any user, no capability, no network, nothing writable but what has
//! to be. And what cannot be written is named before anything is rendered.

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

/// Everything that lies below a folder is this user's and group's.
#[track_caller]
fn belongs_to(folder: &Path, user: u32, group: u32) {
    for name in names(folder) {
        let path = folder.join(name);
        let metadata = fs::symlink_metadata(&path).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (user, group), "{}", path.display());
        if metadata.is_dir() {
            belongs_to(&path, user, group);
        }
    }
}

/// What cannot be written is named, and Blender is not even started.
#[track_caller]
fn names_before_rendering(run: Run, code: i32, what: &str) {
    let run = run.exits(code).never_says(&["starting "]);
    let words = run.last_words();
    assert!(words.contains(what), "{what} is not in: {words}");
    assert!(words.contains("what to do: "), "{words}");
}

#[test]
fn by_itself_it_is_not_root_nor_is_blender() {
    let user = printed(container().arg("-u").output_of("id"));
    assert_ne!(user.trim(), "0");

    let stage = Stage::scripted(
        "import os
def user(process):
    # The owner of /proc/1 is root whoever runs it, once its memory is closed to others.
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
fn run_as_a_person_does_it_files_belong_to_the_caller() {
    // As in the README: the scene in one folder, the results in another.
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
    assert_eq!(names(&out), ["frames", "output.mp4", "reports"]);
    assert_eq!(names(&out.join("frames")).len(), 10);
    belongs_to(&out, user, group);
}

#[test]
fn any_user_will_do_and_blender_has_a_home() {
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
        run.exits(0).says(&["home is writable"]);
    }
    belongs_to(&stage.path("12345"), 12345, 0);
    belongs_to(&stage.path("12345-54321"), 12345, 54321);
}

#[test]
fn with_an_init_of_the_engine_it_works_as_without() {
    works("--init");
}

#[test]
fn it_needs_no_capability_and_no_new_privilege() {
    works("--cap-drop ALL --security-opt no-new-privileges");
}

#[test]
fn mounted_folders_need_no_network() {
    works("--network none");
}

#[test]
fn read_only_with_a_tmpfs_is_enough() {
    works("--read-only --tmpfs /tmp");
}

#[test]
fn all_of_it_at_once_is_enough() {
    let strict = "--read-only --tmpfs /tmp --network none --cap-drop ALL --security-opt \
                  no-new-privileges --user 12345:54321";
    for init in ["", "--init"] {
        let stage = works(&format!("{strict} {init}"));
        belongs_to(&stage.path("out"), 12345, 54321);
    }
}

#[test]
fn read_only_with_one_scratch_volume_is_enough() {
    let stage = Stage::new();
    let scratch = stage.folder("scratch", 0o777);
    let render = || stage.render("tiny").options("--read-only").volume(&scratch, "/scratch");
    render().args("-f 1 --scratch-dir /scratch").run().exits(0);
    render().args("--frames 2").env("SCRATCH_DIR", "/scratch").run().exits(0);
    assert_eq!(stage.frames("out"), ["0001.png", "0002.png"]);
    let stitch = stage.stitch().options("--read-only").volume(&scratch, "/scratch");
    stitch.env("SCRATCH_DIR", "/scratch").run().exits(0);
    assert_eq!(stage.probe("out/output.mp4")["nb_read_frames"], "2");
    assert_eq!(names(&scratch), [""; 0], "nothing is left in scratch");
}

#[test]
fn scratch_that_cannot_be_written_is_named_before_rendering() {
    let stage = Stage::new();
    let render = || stage.render("tiny").options("--read-only").args("-f 1");
    names_before_rendering(render().run(), 74, "/tmp");
    let named = render().args("--scratch-dir /var/cache").run();
    names_before_rendering(named, 74, "/var/cache");
    assert_eq!(stage.frames("out"), [""; 0]);
    names_before_rendering(stage.stitch().options("--read-only").run(), 74, "/tmp");
}

#[test]
fn an_output_that_cannot_be_written_is_named_before_rendering() {
    let stage = Stage::new();
    let closed = stage.folder("closed", 0o555);
    let render = || stage.container().args("render -i /scenes/tiny.blend -o /closed/out -f 1");
    let denied = render().options("--user 12345").volume(&closed, "/closed").run();
    names_before_rendering(denied, 77, "/closed/out");
    let read_only = render().volume(&closed, "/closed:ro").run();
    names_before_rendering(read_only, 74, "/closed/out");
    // No volume at all: in the image, the default user may not make folders.
    names_before_rendering(render().run(), 77, "/closed/out");
}

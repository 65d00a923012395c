//! The scratch folder is removed, whatever a scene has created in it. If it cannot be removed, the
//! log names its path.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::support::place::Place;
use crate::support::{Worker, fixture, is_root, names, scene};

/// A command line that renders a frame with the real Blender, which runs this script first.
fn scripted(place: &Place, script: &str) -> Worker {
    fs::copy(scene("scripted"), place.path("scene.blend")).unwrap();
    fs::write(place.path("scripted.py"), script).unwrap();
    place.render("-f 1 --enable-autoexec")
}

/// Creates 15,000 nested folders, quickly, with a file in the innermost one.
const DEEP: &str = "
import os
top = os.open(os.environ['HOME'], os.O_RDONLY)
os.mkdir('a', dir_fd=top)
deep = os.open('a', os.O_RDONLY, dir_fd=top)
for _ in range(30):
    os.chdir(os.environ['HOME'])
    os.mkdir('c')
    os.chdir('c')
    for _ in range(499):
        os.mkdir('d')
        os.chdir('d')
    new = os.open('.', os.O_RDONLY)
    os.rename('c', 'd', src_dir_fd=top, dst_dir_fd=deep)
    os.close(deep)
    deep = new
open(os.open('leaf', os.O_CREAT | os.O_WRONLY, dir_fd=deep), 'w').write('x')
os.close(top), os.close(deep)
os.chdir('/')
print('the folders are there', flush=True)
";

#[test]
fn folders_nested_deeper_than_any_path_are_removed_with_few_descriptors() {
    for descriptors in ["64", "1024"] {
        let place = Place::with_scene("");
        let limited = ["prlimit", &format!("--nofile={descriptors}:4096")];
        let run = scripted(&place, DEEP).wrapped_in(limited).run().exits(0);
        // `run` checks that nothing is left.
        run.logs(&["the folders are there"]);
    }
}

#[test]
fn folders_without_permissions_are_removed_and_links_are_not_followed() {
    let place = Place::with_scene("");
    fs::create_dir(place.path("elsewhere")).unwrap();
    fs::write(place.path("elsewhere/file"), "stays").unwrap();
    // The sandbox does not allow links.
    let script = format!(
        "import os\nos.chdir(os.environ['HOME'])\nos.umask(0)\nos.makedirs('a/b')\n\
         os.mkdir('a/b/closed', 0)\nos.umask(0o777)\nos.makedirs('closed')\n\
         open('a/file', 'w').close()\nos.umask(0)\n\
         os.symlink({:?}, 'a/b/link')\nos.symlink('/', 'root')\n\
         print('the folders are there', flush=True)\n",
        place.path("elsewhere")
    );
    let worker = scripted(&place, &script).args("--sandbox off");
    fs::set_permissions(place.folder(), fs::Permissions::from_mode(0o777)).unwrap();
    // Root may enter every folder.
    let plain = ["setpriv", "--reuid=4711", "--regid=4711", "--clear-groups"];
    let worker = if is_root() {
        fs::set_permissions(worker.scratch(), fs::Permissions::from_mode(0o777)).unwrap();
        worker.wrapped_in(plain)
    } else {
        worker
    };
    worker.run().exits(0).logs(&["the folders are there"]);
    assert_eq!(fs::read_to_string(place.path("elsewhere/file")).unwrap(), "stays");
}

#[test]
fn a_scratch_folder_that_cannot_be_removed_is_named_and_the_job_succeeds() {
    let place = Place::ordered(&json!([]));
    // A mount point cannot be removed. Only the program sees it, so the test can.
    let script = format!(
        "#!/bin/sh\n[ $1 = --version ] || {{ mkdir \"$HOME/m\" && mount -t tmpfs none \"$HOME/m\"; }}\n\
         exec '{}' \"$@\"\n",
        fixture("stand-ins/blender").display()
    );
    fs::write(place.path("blender"), script).unwrap();
    fs::set_permissions(place.path("blender"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(place.path("scratch")).unwrap();
    let render = place.render("-f 1 --sandbox off --blender").arg(place.path("blender"));
    let render = render.arg("--scratch-dir").arg(place.path("scratch"));
    let user: &[&str] = if is_root() { &[] } else { &["-r"] };
    let run = render.wrapped_in([&["unshare", "-m"], user].concat()).run().exits(0);
    let left = names(&place.path("scratch"));
    assert_eq!(left.len(), 1, "{left:?}");
    let path = place.path("scratch").join(&left[0]).display().to_string();
    run.logs(&[
        &format!("cannot remove the scratch folder {path}: "),
        "busy",
        &format!("remove it by hand: rm -r {path}"),
    ]);
}

//! Folders that are not mounted, or not as they have to be: the error or warning says which option
//! of `docker run` is missing.

use std::fs;

use crate::container::container;
use crate::stage::Stage;
use crate::support::scene;

#[test]
fn an_output_that_is_lost_with_the_container_is_a_warning() {
    let stage = Stage::new();
    let run = stage.container().args("render -i /scenes/tiny.blend -o /tmp/out -f 1").run();
    let warnings = run.exits(0).warnings();
    assert!(warnings.iter().any(|warning| warning.contains("-v \"$PWD/out\":/tmp/out")));
    // A mounted one is not.
    let run = stage.render("tiny").args("-f 1").run().exits(0);
    assert!(!run.text().contains("-v "), "{}", run.text());
}

#[test]
fn a_scene_that_is_not_there_may_lie_in_a_folder_that_is_not_mounted() {
    let run = container().args("render -i scene.blend -o out -f 1").run().exits(66);
    let error = run.final_error();
    for text in ["no file scene.blend in /work", "mounted with -v", "-v \"$PWD\":/work"] {
        assert!(error.contains(text), "{text:?} is not in {error}");
    }
    // In a mounted folder, the name is wrong.
    let stage = Stage::new();
    fs::copy(scene("tiny"), stage.path("pottery.blend")).unwrap();
    let run = stage.container().args("render -i potery.blend -o out -f 1").run().exits(66);
    let error = run.final_error();
    assert!(error.contains("did you mean pottery.blend?") && !error.contains("-v"), "{error}");
}

#[test]
fn an_output_that_docker_has_made_belongs_to_root() {
    let stage = Stage::new();
    // The engine makes a folder that is not there.
    let made = stage.path("made");
    let run = container()
        .volume(&stage.path(""), "/work")
        .volume(&made, "/output")
        .volume(&crate::support::fixture("scenes"), "/scenes:ro")
        .options("--user 12345")
        .args("render -i /scenes/tiny.blend -o /output -f 1")
        .run()
        .exits(77);
    let error = run.final_error();
    for text in ["belongs to root", "make it yourself", "--user"] {
        assert!(error.contains(text), "{text:?} is not in {error}");
    }
}

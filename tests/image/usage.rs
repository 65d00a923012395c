//! What somebody sees who has just got the image.

use crate::container::container;
use crate::support::engine::printed;

#[test]
fn without_arguments_the_manual_is_printed() {
    let run = container().run().exits(0);
    for word in ["Usage:", "render", "stitch", "Exit codes:"] {
        assert!(run.stdout.contains(word), "{word:?} is not in:\n{}", run.stdout);
    }
    assert!(run.lines.is_empty(), "{}", run.text());
}

#[test]
fn the_version_is_printed() {
    let run = container().args("--version").run().exits(0);
    assert!(run.stdout.starts_with("render-worker "), "{}", run.stdout);
    assert!(run.lines.is_empty(), "{}", run.text());
}

#[test]
fn wrong_arguments_are_refused_in_words() {
    let run = container().args("render -o /tmp/out -f 1").run().exits(2);
    run.says(&["--input-uri", "INPUT_URI"]);
    container().args("render -i a.blend -o /tmp/out -f 0").run().exits(2).says(&["F_PER_JOB"]);
}

#[test]
fn the_worker_is_found_by_its_name() {
    let version = container().args("--version").output_of("render-worker");
    assert!(printed(version).starts_with("render-worker "));
}

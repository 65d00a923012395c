//! The first contact with the image: no arguments, `--version`, invalid arguments.

use crate::container::container;
use crate::support::engine::printed;

#[test]
fn without_arguments_the_help_is_printed() {
    let run = container().run().exits(0);
    for text in ["Usage:", "render", "stitch", "Exit codes:"] {
        assert!(run.stdout.contains(text), "{text:?} is not in:\n{}", run.stdout);
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
fn invalid_arguments_are_refused_with_an_explanation() {
    let run = container().args("render -o /tmp/out -f 1").run().exits(2);
    run.logs(&["--input-uri", "INPUT_URI"]);
    container().args("render -i a.blend -o /tmp/out -f 0").run().exits(2).logs(&["F_PER_JOB"]);
}

#[test]
fn manual_pages_and_completions_lie_where_systems_look_for_them() {
    for file in [
        "man/man1/render-worker.1",
        "man/man1/render-worker-render.1",
        "man/man1/render-worker-logs.1",
        "bash-completion/completions/render-worker",
        "fish/vendor_completions.d/render-worker.fish",
        "zsh/site-functions/_render-worker",
    ] {
        let path = format!("/usr/local/share/{file}");
        let text = printed(container().args(&path).output_of("cat"));
        assert!(text.contains("render"), "{path}: {text}");
    }
}

#[test]
fn the_worker_is_on_path() {
    let version = container().args("--version").output_of("render-worker");
    assert!(printed(version).starts_with("render-worker "));
}

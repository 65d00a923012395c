//! The versions of worker and image in `--version`, in the log and in the report.

use std::fs;

use serde_json::json;

use crate::support::{Worker, ordered_scene, report, worker};

const IMAGE: [(&str, &str); 4] = [
    ("RENDER_WORKER_VERSION", "0.1.57"),
    ("RENDER_WORKER_REVISION", "1a2b3c4d"),
    ("RENDER_WORKER_BRANCH", "main"),
    ("RENDER_WORKER_CREATED", "2026-11-21T10:00:00Z"),
];

fn in_an_image(worker: Worker) -> Worker {
    IMAGE.into_iter().fold(worker, |worker, (name, value)| worker.env(name, value))
}

/// Returns the version line inside of an image.
fn version_in_image() -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "render-worker {version} (image 0.1.57, revision 1a2b3c4d, branch main, \
         built 2026-11-21T10:00:00Z)"
    )
}

#[test]
fn the_version_names_the_image() {
    let run = in_an_image(worker("--version")).run().exits(0);
    assert_eq!(run.stdout, version_in_image() + "\n");
}

#[test]
fn the_first_line_of_the_log_and_the_report_name_the_image() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("scene.blend"), ordered_scene(1, 1, &json!([]))).unwrap();
    let render = |output: &str| {
        worker("render")
            .input(path("scene.blend"))
            .output(path(output))
            .stand_in_blender()
            .args("-f 1")
    };
    let report = |output: &str| report(&path(output), "render");
    let first = in_an_image(render("in")).run().exits(0).json().remove(0);
    let begins_with = |version: String| {
        move |text: &str| text.strip_prefix(&version).is_some_and(|rest| rest.starts_with("; "))
    };
    let version = version_in_image();
    assert!(first["message"].as_str().is_some_and(begins_with(version)), "{first}");
    assert_eq!(
        json!([first["version"], first["revision"], first["branch"], first["created"]]),
        json!(IMAGE.map(|(_, value)| value))
    );
    let image = json!({
        "version": "0.1.57",
        "revision": "1a2b3c4d",
        "branch": "main",
        "created": "2026-11-21T10:00:00Z",
    });
    assert_eq!(report("in")["image"], image);

    let first = render("out").run().exits(0).json().remove(0);
    let bare = format!("render-worker {}", env!("CARGO_PKG_VERSION"));
    assert!(first["message"].as_str().is_some_and(begins_with(bare)), "{first}");
    let report = report("out");
    assert_eq!(report["worker_version"], env!("CARGO_PKG_VERSION"));
    assert!(report.get("image").is_none(), "{report}");
}

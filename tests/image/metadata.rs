//! The metadata of the image: it is the same in labels, variables, `--version`, log and report.

use std::collections::BTreeMap;

use crate::container::container;
use crate::stage::Stage;
use crate::support::engine::{docker, image, printed};
use crate::support::report;

/// The metadata of a build: label, variable, the word before it in `--version`, report field.
const FACTS: [(&str, &str, &str, &str); 4] = [
    ("version", "RENDER_WORKER_VERSION", "image", "version"),
    ("revision", "RENDER_WORKER_REVISION", "revision", "revision"),
    ("ref.name", "RENDER_WORKER_BRANCH", "branch", "branch"),
    ("created", "RENDER_WORKER_CREATED", "built", "created"),
];

fn labels() -> BTreeMap<String, String> {
    let format = "{{json .Config.Labels}}";
    let labels = printed(docker(["image", "inspect", "--format", format, image()]));
    serde_json::from_str::<Option<_>>(&labels).unwrap().unwrap_or_default()
}

fn variables() -> BTreeMap<String, String> {
    let text = printed(container().output_of("env"));
    let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.into(), value.into()));
    text.lines().filter_map(pair).collect()
}

/// Returns the value of a label, which must exist.
#[track_caller]
fn label(name: &str) -> String {
    let label = format!("org.opencontainers.image.{name}");
    labels().remove(&label).unwrap_or_else(|| panic!("there is no label {label}"))
}

/// Asserts that `text` has all metadata that is known. A detached commit has no branch.
#[track_caller]
fn assert_has_metadata(text: &str) {
    for (name, _, word, _) in FACTS {
        let value = label(name);
        let found = text.contains(&format!("{word} {value}"));
        assert!(found || value.is_empty(), "{name}, {value}, is not in: {text}");
    }
}

#[test]
fn labels_and_variables_agree() {
    let variables = variables();
    for (name, variable, ..) in FACTS {
        assert_eq!(Some(&label(name)), variables.get(variable), "{variable}");
    }
    for name in ["title", "description", "licenses", "version", "revision"] {
        assert_ne!(label(name), "", "{name}");
    }
    assert!(humantime::parse_rfc3339(&label("created")).is_ok(), "{}", label("created"));
}

#[test]
fn the_version_has_the_metadata() {
    assert_has_metadata(&container().args("--version").run().exits(0).stdout);
}

#[test]
fn the_first_line_of_the_log_and_the_report_have_the_metadata() {
    let stage = Stage::new();
    let run = stage.render("tiny").args("-f 1").run().exits(0);
    assert_has_metadata(&run.messages()[0]);
    let report = report(&stage.path("out"), "render");
    for (name, _, _, field) in FACTS {
        assert_eq!(report["image"][field].as_str().unwrap_or_default(), label(name), "{name}");
    }
}

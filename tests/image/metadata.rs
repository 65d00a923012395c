//! What the image says of itself: in labels, in variables, in `--version`, in the log
//! and in reports it is the same.

use std::collections::BTreeMap;

use crate::container::{container, docker, image, printed};
use crate::stage::Stage;
use crate::support::report;

/// What a build is told about itself: the label, the variable.
const FACTS: [(&str, &str); 4] = [
    ("version", "RENDER_WORKER_VERSION"),
    ("revision", "RENDER_WORKER_REVISION"),
    ("ref.name", "RENDER_WORKER_BRANCH"),
    ("created", "RENDER_WORKER_CREATED"),
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

/// The value of a label, which has to be there.
#[track_caller]
fn label(name: &str) -> String {
    let label = format!("org.opencontainers.image.{name}");
    let value = labels().remove(&label).unwrap_or_default();
    assert!(!value.is_empty(), "there is no label {label}");
    value
}

#[test]
fn labels_and_variables_say_the_same() {
    let variables = variables();
    for (name, variable) in FACTS {
        assert_eq!(Some(&label(name)), variables.get(variable), "{variable}");
    }
    for name in ["title", "description", "licenses"] {
        label(name);
    }
    assert!(humantime::parse_rfc3339(&label("created")).is_ok(), "{}", label("created"));
}

#[test]
fn the_version_names_what_the_image_was_made_of() {
    let version = container().args("--version").run().exits(0).stdout;
    for (name, _) in FACTS {
        assert!(version.contains(&label(name)), "{name} is not in: {version}");
    }
}

#[test]
fn the_first_line_of_the_log_and_the_report_name_it_too() {
    let stage = Stage::new();
    let run = stage.render("tiny").args("-f 1").run().exits(0);
    let (first, report) = (&run.messages()[0], report(&stage.path("out"), "render").to_string());
    for (name, _) in FACTS {
        let value = label(name);
        assert!(first.contains(&value), "{name}, {value}, is not in: {first}");
        assert!(report.contains(&value), "{name}, {value}, is not in: {report}");
    }
}

//! `deploy/kubernetes`: the Jobs follow the published schemas, treat every exit code as the reference
//! says, meet the standard "restricted", and do their work when a container runs as they say.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::support::place::frame_names;
use crate::support::{Worker, names, scene, worker};
use crate::{output_of, project, tool};

/// The oldest Kubernetes that has all that the Jobs use, and the newest of the schemas.
const VERSIONS: [&str; 2] = ["1.29", "1.37"];

/// Every exit code of the worker, with what follows from it for a child, as the reference says: `again`
/// or `never`.
const RETRIED: [i64; 2] = [75, 143];

fn path(name: &str) -> String {
    format!("deploy/kubernetes/{name}.yaml")
}

/// Parses one of the Jobs.
fn job(name: &str) -> Value {
    let parse = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    serde_json::from_str(&output_of(tool("python").args(["-c", parse, &path(name)]))).expect("JSON")
}

/// Returns the only container of a Job.
fn container(job: &Value) -> &Value {
    let containers = job["spec"]["template"]["spec"]["containers"].as_array().expect("containers");
    assert_eq!(containers.len(), 1);
    &containers[0]
}

/// Returns what the rules of a Job do about an exit code.
fn action(job: &Value, code: i64) -> &str {
    let rules = job["spec"]["podFailurePolicy"]["rules"].as_array().expect("rules");
    let applies = |rule: &&Value| {
        let codes = &rule["onExitCodes"];
        assert!(codes.is_null() || codes["containerName"] == container(job)["name"]);
        let listed = codes["values"].as_array().is_some_and(|all| all.contains(&code.into()));
        match codes["operator"].as_str() {
            Some("In") => listed,
            Some("NotIn") => !listed,
            Some(other) => panic!("{other}"),
            None => false,
        }
    };
    let rule = rules.iter().find(applies).unwrap_or_else(|| panic!("no rule for {code}"));
    rule["action"].as_str().expect("an action")
}

/// Returns the exit codes of failures in the table of the reference, and whether each is worth another
/// attempt.
fn exit_codes() -> BTreeMap<i64, bool> {
    let text = std::fs::read_to_string(project("docs/reference.md")).expect("the reference");
    let (_, section) = text.split_once("\n## Exit codes\n").expect("the section");
    let rows = section.lines().skip_while(|line| !line.starts_with('|'));
    let rows = rows.take_while(|line| line.starts_with('|')).skip(2);
    let codes = rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        (cells[1].parse().expect("a code"), cells[cells.len() - 2] == "**yes**")
    });
    codes.filter(|(code, _)| *code != 0).collect()
}

#[test]
fn the_jobs_follow_the_published_schemas() {
    for name in ["render", "stitch"] {
        for version in VERSIONS {
            let mut validate = tool("kubernetes-validate");
            output_of(validate.args(["--strict", "-k", version, &path(name)]));
        }
    }
}

#[test]
fn only_exit_codes_that_may_pass_lead_to_another_pod() {
    let codes = exit_codes();
    assert!(RETRIED.iter().all(|code| codes[code]), "{codes:?}");
    let (render, stitch) = (job("render"), job("stitch"));
    for (code, again) in codes {
        let (child, video) = (action(&render, code), action(&stitch, code));
        if again {
            assert_eq!((child, video), ("Count", "Count"), "{code}");
        } else {
            assert_eq!(video, "FailJob", "{code}");
            // Wrong flags are wrong for all children.
            assert_eq!(child, if code == 2 { "FailJob" } else { "FailIndex" }, "{code}");
        }
    }
    for job in [render, stitch] {
        // What Kubernetes says of a container that a crash of its node has ended.
        assert_eq!(action(&job, 255), "Count");
        let disruption = &job["spec"]["podFailurePolicy"]["rules"][0];
        assert_eq!(disruption["action"], "Ignore");
        assert_eq!(disruption["onPodConditions"][0]["type"], "DisruptionTarget");
        // The rules need this.
        assert_eq!(job["spec"]["template"]["spec"]["restartPolicy"], "Never");
    }
}

#[test]
fn the_pods_meet_the_restricted_standard() {
    for job in ["render", "stitch"].map(job) {
        let pod = &job["spec"]["template"]["spec"];
        let security = &pod["securityContext"];
        assert_eq!(security["runAsNonRoot"], true);
        assert_ne!(security["runAsUser"], 0);
        assert_eq!(security["seccompProfile"]["type"], "RuntimeDefault");
        assert_eq!(pod["automountServiceAccountToken"], false);
        for field in ["hostNetwork", "hostPID", "hostIPC"] {
            assert!(pod[field].is_null(), "{field}");
        }
        let security = &container(&job)["securityContext"];
        assert_eq!(security["allowPrivilegeEscalation"], false);
        assert_eq!(security["capabilities"]["drop"], serde_json::json!(["ALL"]));
        assert_eq!(security["capabilities"]["add"], Value::Null);
        assert_eq!(security["readOnlyRootFilesystem"], true);
        // Only these kinds of volumes are allowed.
        for volume in pod["volumes"].as_array().unwrap() {
            let kinds = ["persistentVolumeClaim", "emptyDir"];
            assert!(kinds.iter().any(|kind| volume[kind].is_object()), "{volume}");
        }
    }
}

#[test]
fn the_worker_has_less_time_to_stop_than_its_pod() {
    for job in ["render", "stitch"].map(job) {
        let grace = &job["spec"]["template"]["spec"]["terminationGracePeriodSeconds"];
        let stop = variables(&job)["STOP_GRACE"].trim_end_matches('s').parse::<i64>().unwrap();
        assert!(stop + 5 <= grace.as_i64().unwrap(), "{stop} {grace}");
    }
}

fn variables(job: &Value) -> BTreeMap<String, String> {
    let variables = container(job)["env"].as_array().expect("variables").iter();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    variables.map(|it| (text(&it["name"]), text(&it["value"]))).collect()
}

/// The worker as the container of a Job runs it, with this folder as the volume.
fn as_in(job: &Value, volume: &Path) -> Worker {
    let arguments = container(job)["args"].as_array().expect("arguments");
    let words: Vec<_> = arguments.iter().map(|word| word.as_str().expect("text")).collect();
    let run = worker(words[0]).args(&words[1..].join(" "));
    let volume = volume.to_str().expect("UTF-8");
    let variables = variables(job).into_iter();
    variables.fold(run, |run, (name, value)| run.env(&name, value.replace("/work", volume)))
}

#[test]
fn the_children_render_the_scene_and_the_second_job_makes_the_video() {
    let volume = tempfile::tempdir().unwrap();
    std::fs::copy(scene("demo"), volume.path().join("scene.blend")).unwrap();
    let render = job("render");
    assert_eq!(render["spec"]["completionMode"], "Indexed");
    // The scene has 24 frames: the fourth child has nothing to do.
    for index in [2, 0, 3, 1] {
        let child = as_in(&render, volume.path()).env("JOB_COMPLETION_INDEX", index.to_string());
        let small = child.env("RESOLUTION", "10%").env("SAMPLES", "1");
        let run = small.run().exits(0);
        assert!(run.json().iter().all(|line| line["array_index"] == index));
    }
    assert_eq!(names(&volume.path().join("out/frames")), frame_names(1..=24));
    as_in(&job("stitch"), volume.path()).run().exits(0).logs(&["24 frames"]);
    assert!(names(&volume.path().join("out")).contains(&"output.mp4".to_owned()));
}

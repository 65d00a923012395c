//! `deploy/batch`: the template is sound, moto makes a stack of it in all its
//! variants, and its job definitions are those that lie beside it as JSON, and mean
//! what they are to mean. With such a stack `submit` and `status` do what they are to
//! do, and so do the commands of `docs/aws-batch.md`.
//!
//! `make test-deploy` installs what is needed and runs this.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends by panicking, and has an environment of its own"
)]

#[allow(dead_code, reason = "the simulator uses the rest")]
#[path = "../batch_sim/definition.rs"]
mod definition; // shared with the simulator of Batch
mod definitions; // which attempts are repeated, which command runs
mod document; // the commands of docs/aws-batch.md, as they stand there
mod jobs; // submit and status, with a stack of the template
mod moto; // an account on AWS, which has the stack
#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

const TOOLS: &str = "target/deploy-tools/venv/bin";

/// A program of the tools.
fn tool(program: &str) -> Command {
    let mut command = Command::new(project(TOOLS).join(program));
    command.current_dir(project(""));
    command
}

/// What a command prints, which succeeds.
#[track_caller]
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let [said, wrong] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "{command:?}: {said}{wrong}");
    said
}

const TEMPLATE: &str = "deploy/batch/template.yaml";

/// What `template.py` says.
#[track_caller]
fn template(action: &str, arguments: &[&str]) -> Value {
    let words = [&["tests/deploy/template.py", action, TEMPLATE][..], arguments].concat();
    serde_json::from_str(&said(tool("python").args(words))).expect("JSON")
}

#[test]
fn the_template_has_no_flaws() {
    let arguments = ["--include-checks", "I", "--", TEMPLATE];
    assert_eq!(said(tool("cfn-lint").args(arguments)), "");
}

#[test]
fn stacks_are_made_of_it() {
    let plain = template("create", &[]);
    assert_eq!(plain["status"], "CREATE_COMPLETE");
    assert_eq!(plain["definitions"], json!(["render-render", "render-stitch"]));
    assert_eq!(plain["environments"], json!(["EC2", "SPOT"]));
    assert_eq!(plain["queues"], 1);
    let images = plain["images"].as_array().unwrap();
    assert_eq!(images.len(), 1);
    assert!(images[0].as_str().unwrap().ends_with("/render-worker:1.2.3"), "{images:?}");
    assert!(plain["outputs"].get("GpuJobQueue").is_none());

    assert_eq!(template("create", &["Architecture=arm64"])["status"], "CREATE_COMPLETE");

    let gpu = template("create", &["Gpu=yes"]);
    assert_eq!(gpu["status"], "CREATE_COMPLETE");
    assert_eq!(gpu["definitions"], json!(["render-render", "render-render-gpu", "render-stitch"]));
    assert_eq!(
        (&gpu["queues"], &gpu["environments"]),
        (&json!(2), &json!(["EC2", "SPOT", "SPOT"]))
    );
    assert!(gpu["outputs"].get("GpuJobQueue").is_some());
}

#[test]
fn the_job_definitions_beside_it_are_its_own() {
    let template = template("read", &[]);
    for (resource, name) in [
        ("RenderJobDefinition", "render"),
        ("StitchJobDefinition", "stitch"),
        ("GpuRenderJobDefinition", "render-gpu"),
    ] {
        let properties = &template["Resources"][resource]["Properties"];
        let file = project("deploy/batch").join(name).with_extension("json");
        let file: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        assert_eq!(as_typed(properties, &template["Parameters"]), file, "{name}");
    }
}

#[test]
fn roles_may_do_no_more_than_they_must() {
    let template = template("read", &[]);
    let mut statements = 0;
    for (name, resource) in template["Resources"].as_object().unwrap() {
        if resource["Type"] != "AWS::IAM::Role" {
            continue;
        }
        let policies = resource["Properties"]["Policies"].as_array();
        for policy in policies.into_iter().flatten() {
            for statement in policy["PolicyDocument"]["Statement"].as_array().unwrap() {
                statements += 1;
                let actions = &statement["Action"];
                assert!(!actions.to_string().contains('*'), "{name}: {statement}");
                // What has no resource.
                if actions != "ecr:GetAuthorizationToken" {
                    assert_ne!(statement["Resource"], "*", "{name}: {statement}");
                }
            }
        }
    }
    assert_eq!(statements, 6);
}

/// A value of the template as the command line of AWS takes it: names begin with a small
/// letter, and what only a stack knows is what the files have in its place.
fn as_typed(value: &Value, parameters: &Value) -> Value {
    if let Some(object) = value.as_object() {
        if let Some(known) = reference(object, parameters) {
            return known;
        }
        let members = object.iter().map(|(name, value)| {
            let keeps_case = name.starts_with("awslogs") || name.chars().all(char::is_uppercase);
            let name = if keeps_case { name.clone() } else { uncapitalised(name) };
            (name, as_typed(value, parameters))
        });
        return Value::Object(members.collect());
    }
    match value {
        Value::Array(values) => values.iter().map(|value| as_typed(value, parameters)).collect(),
        other => other.clone(),
    }
}

/// What stands in the files for a reference.
fn reference(object: &Map<String, Value>, parameters: &Value) -> Option<Value> {
    let (kind, target) = object.iter().next().filter(|_| object.len() == 1)?;
    let target = match (kind.as_str(), target) {
        ("Ref" | "Fn::Sub", Value::String(target)) => target.clone(),
        ("Fn::GetAtt", Value::Array(path)) => path[0].as_str()?.to_owned(),
        _ => return None,
    };
    Some(match target.as_str() {
        "JobRole" => json!("JOB_ROLE_ARN"),
        "ExecutionRole" => json!("EXECUTION_ROLE_ARN"),
        "LogGroup" => json!("LOG_GROUP"),
        "AWS::Region" => json!("REGION"),
        "${Repository.RepositoryUri}:${ImageTag}" => json!("IMAGE"),
        name if name.starts_with("${AWS::StackName}-") => {
            json!(name.trim_start_matches("${AWS::StackName}-"))
        }
        // Amounts of resources are text.
        "JobVcpus" | "JobMemory" => json!(parameters[&target]["Default"].to_string()),
        parameter => parameters[parameter]["Default"].clone(),
    })
}

fn uncapitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

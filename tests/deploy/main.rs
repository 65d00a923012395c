//! `deploy/batch`: cfn-lint accepts the template, moto creates its stack in all variants, and its
//! job definitions equal the JSON files beside it and have the right meaning. Its instances prepare
//! their disks, and it sends messages for the right events. `submit`, `status` and the commands of
//! `docs/aws-batch.md` work with such a stack.
//!
//! The Jobs of `deploy/kubernetes` are valid, and treat every exit code as they should.
//!
//! `make test-deploy` installs the tools and runs these tests.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic and reads its environment"
)]

#[allow(dead_code, reason = "the simulator uses the rest")]
#[path = "../batch_sim/definition.rs"]
mod definition; // shared with the simulator of Batch
mod definitions; // retry rules and commands of the job definitions
mod document; // the commands of docs/aws-batch.md
mod instance; // what an instance does when it starts
mod jobs; // submit and status with a stack of the template
mod kubernetes; // the Jobs of deploy/kubernetes
mod moto; // a fake AWS account with the stack
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

/// Starts a command line of one of the tools.
fn tool(program: &str) -> Command {
    let mut command = Command::new(project(TOOLS).join(program));
    command.current_dir(project(""));
    command
}

/// Runs a command with success, and returns its standard output.
#[track_caller]
fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "{command:?}: {stdout}{stderr}");
    stdout
}

const TEMPLATE: &str = "deploy/batch/template.yaml";

/// Runs `template.py` and parses its output.
#[track_caller]
fn template(action: &str, arguments: &[&str]) -> Value {
    let words = [&["tests/deploy/template.py", action, TEMPLATE][..], arguments].concat();
    serde_json::from_str(&output_of(tool("python").args(words))).expect("JSON")
}

#[test]
fn cfn_lint_finds_nothing_in_the_template() {
    let arguments = ["--include-checks", "I", "--", TEMPLATE];
    assert_eq!(output_of(tool("cfn-lint").args(arguments)), "");
}

#[test]
fn every_variant_of_the_stack_can_be_created() {
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

    for more in [&["InstanceStorage=yes"][..], &["InstanceStorage=yes", "Architecture=arm64"]] {
        assert_eq!(template("create", more)["status"], "CREATE_COMPLETE", "{more:?}");
    }
}

#[test]
fn a_message_is_sent_when_a_whole_job_has_ended() {
    let events = json!([
        {"status": "SUCCEEDED"},
        {"status": "FAILED", "arrayProperties": {"size": 3, "statusSummary": {"FAILED": 3}}},
        {"status": "RUNNING"},
        {"status": "FAILED", "arrayProperties": {"index": 0}},
        {"status": "FAILED", "jobQueue": "arn:aws:batch:eu-central-1:123456789012:job-queue/other"},
    ]);
    let messages = template("messages", &[&events.to_string()]);
    assert_eq!(messages["matched"], json!([true, true, false, false, false]));
    assert_eq!(messages["receivers"], json!(["me@example.com"]));
    let text = messages["text"]["InputTemplate"].as_str().unwrap();
    for name in messages["text"]["InputPathsMap"].as_object().unwrap().keys() {
        assert!(text.contains(&format!("<{name}>")), "{name}: {text}");
    }
}

#[test]
fn the_job_definitions_in_json_equal_those_of_the_template() {
    let template = template("read", &[]);
    for (resource, name) in [
        ("RenderJobDefinition", "render"),
        ("StitchJobDefinition", "stitch"),
        ("GpuRenderJobDefinition", "render-gpu"),
    ] {
        let properties = &template["Resources"][resource]["Properties"];
        let file = project("deploy/batch").join(name).with_extension("json");
        let file: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        assert_eq!(as_cli_input(properties, &template["Parameters"]), file, "{name}");
    }
}

#[test]
fn roles_have_no_wildcards_in_actions_or_resources() {
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
                // This action has no resource.
                if actions != "ecr:GetAuthorizationToken" {
                    assert_ne!(statement["Resource"], "*", "{name}: {statement}");
                }
            }
        }
    }
    assert_eq!(statements, 6);
}

/// Converts a value of the template to the input of the AWS CLI: names begin with a lower-case
/// letter, and references are replaced by the placeholders of the JSON files.
fn as_cli_input(value: &Value, parameters: &Value) -> Value {
    if let Some(object) = value.as_object() {
        if let Some(placeholder) = placeholder(object, parameters) {
            return placeholder;
        }
        let members = object.iter().map(|(name, value)| {
            let keeps_case = name.starts_with("awslogs") || name.chars().all(char::is_uppercase);
            let name = if keeps_case { name.clone() } else { uncapitalised(name) };
            (name, as_cli_input(value, parameters))
        });
        return Value::Object(members.collect());
    }
    match value {
        Value::Array(values) => {
            values.iter().map(|value| as_cli_input(value, parameters)).collect()
        }
        other => other.clone(),
    }
}

/// Returns the placeholder for a reference.
fn placeholder(object: &Map<String, Value>, parameters: &Value) -> Option<Value> {
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
        // Resource requirements are strings.
        "JobVcpus" | "JobMemory" => json!(parameters[&target]["Default"].to_string()),
        parameter => parameters[parameter]["Default"].clone(),
    })
}

fn uncapitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

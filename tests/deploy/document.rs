//! The commands of the documents that need an AWS account, in order and in one shell, as a reader
//! types them.

use std::fs;

use serde_json::{Value, json};

use crate::moto::Moto;
use crate::support::documents::{Command, Place, blocks, commands_for};
use crate::support::{documented_scene, program};
use crate::{output_of, project, template, tool};

/// Returns the commands in the sections of `docs/aws-batch.md` that begin so.
fn commands(beginnings: &[&str]) -> Vec<Command> {
    let mut commands = commands_for(Place::Deploy);
    commands.retain(|command| {
        command.document == "docs/aws-batch.md"
            && beginnings.iter().any(|beginning| command.section.starts_with(beginning))
    });
    commands
}

/// Returns the commands as a script.
fn script(beginnings: &[&str]) -> String {
    let lines: Vec<_> = commands(beginnings).into_iter().map(|command| command.line).collect();
    assert!(!lines.is_empty(), "{beginnings:?}");
    lines.join("\n")
}

#[test]
fn the_commands_deploy_submit_wait_and_tear_down() {
    let moto = Moto::shared();
    // A checkout with a scene, and a template that moto supports.
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("deploy/batch")).unwrap();
    let adapted = template("adapt", &[]).to_string();
    fs::write(folder.path().join("deploy/batch/template.yaml"), adapted).unwrap();
    let definition = "deploy/batch/render.json";
    fs::copy(project(definition), folder.path().join(definition)).unwrap();
    fs::write(folder.path().join("pottery.blend"), documented_scene(199)).unwrap();

    let worker = format!("render-worker() {{ '{}' \"$@\"; }}", program().display());
    let own = script(&["Your own infrastructure"])
        .replace("--job-queue QUEUE", "--job-queue \"$(out JobQueue)\"")
        .replace("BUCKET", "$bucket");
    let parts = [
        format!("{worker}\nexec >output"),
        script(&["1. "]),
        // moto sets the outputs of a stack only on creation and update, not with change sets, which
        // `deploy` uses.
        "aws cloudformation update-stack --stack-name render-worker --use-previous-template".into(),
        script(&["3. ", "4. "]),
        // No job runs in moto.
        r#"echo video | aws s3 cp - "s3://$bucket/renders/pottery/output.mp4""#.into(),
        script(&["5. ", "The requests as JSON"]),
        "IMAGE=image JOB_ROLE_ARN=arn:aws:iam::123456789012:role/job".into(),
        "EXECUTION_ROLE_ARN=arn:aws:iam::123456789012:role/start LOG_GROUP=/render-worker".into(),
        own,
        r#"aws batch list-jobs --job-queue "$(out JobQueue)" >jobs; echo -n "$bucket" >bucket"#
            .into(),
        r#"aws s3 ls "s3://$bucket/scenes/" >scenes"#.into(),
    ];
    // The id of the stitch job in the output so far.
    let id = r"$(sed -n 's/^stitch *\([^ ]*\) .*/\1/p' output)";
    let typed = parts.join("\n").replace("JOB-ID", id);
    output_of(moto.shell(&typed).current_dir(folder.path()));
    // On another day, in another shell.
    output_of(moto.shell(&script(&["8. "])).current_dir(folder.path()));

    let written = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(written("scenes").contains("pottery.blend"));
    assert_eq!(written("output.mp4"), "video\n");
    for command in commands(&["3. "]) {
        let output = command.output.iter().map(|line| line.replace("BUCKET", &written("bucket")));
        let command = Command { output: output.collect(), ..command };
        assert_eq!(command.missing_from(&written("output")), [""; 0], "{}", written("output"));
    }
    let jobs: Value = serde_json::from_str(&written("jobs")).expect("JSON");
    let jobs = jobs["jobSummaryList"].as_array().unwrap().iter();
    // moto also lists the children of array jobs.
    let mut definitions: Vec<_> = jobs
        .filter(|job| !job["jobId"].as_str().unwrap().contains(':'))
        .map(|job| job["jobDefinition"].as_str().unwrap().rsplit('/').next().unwrap())
        .collect();
    definitions.sort_unstable();
    let [render, stitch, own] = ["render-worker-render:1", "render-worker-stitch:1", "render:1"];
    assert_eq!(definitions, [render, render, render, stitch, own, own]);
}

#[test]
fn commands_of_other_documents_are_accepted() {
    for command in commands_for(Place::Deploy) {
        if command.document != "docs/aws-batch.md" {
            output_of(&mut Moto::shared().shell(&command.line));
        }
    }
}

#[test]
fn the_job_definition_in_the_document_retries_like_those_of_the_template() {
    let shown: Value = serde_json::from_str(&blocks("docs/aws-batch.md", "json")[0]).unwrap();
    let shipped = fs::read_to_string(project("deploy/batch/render.json")).unwrap();
    let shipped: Value = serde_json::from_str(&shipped).unwrap();
    assert_eq!(shown["retryStrategy"], shipped["retryStrategy"]);
    for member in ["command", "jobRoleArn", "image", "resourceRequirements"] {
        let [shown, shipped] =
            [&shown, &shipped].map(|definition| &definition["containerProperties"][member]);
        assert_eq!(shown, shipped, "{member}");
    }
}

/// The order of the policies in `docs/iam.md`.
const SUBMIT: usize = 0;
const JOBS: usize = 1;
const PUBLISH: usize = 2;
const DEPLOY: usize = 3;

fn policy(number: usize) -> Value {
    let text = &blocks("docs/iam.md", "json")[number];
    let text = text.replace("REGION", "eu-central-1").replace("ACCOUNT", "123456789012");
    serde_json::from_str(&text.replace("BUCKET", "bucket")).expect("JSON")
}

#[test]
fn the_policies_name_actions_that_exist() {
    let folder = tempfile::tempdir().unwrap();
    let resources = [("Submit", SUBMIT), ("Jobs", JOBS), ("Publish", PUBLISH), ("Deploy", DEPLOY)];
    let resources: serde_json::Map<_, _> = resources
        .into_iter()
        .map(|(name, number)| {
            let properties = json!({"PolicyDocument": policy(number)});
            let resource = json!({"Type": "AWS::IAM::ManagedPolicy", "Properties": properties});
            (name.to_owned(), resource)
        })
        .collect();
    let file = folder.path().join("policies.json");
    fs::write(&file, json!({"Resources": resources}).to_string()).unwrap();
    assert_eq!(output_of(tool("cfn-lint").arg("--").arg(file)), "");
}

#[test]
fn the_policy_of_the_jobs_is_that_of_the_template() {
    let template = template("read", &[]);
    let role = &template["Resources"]["JobRole"]["Properties"]["Policies"][0]["PolicyDocument"];
    let role = role
        .to_string()
        .replace(r#"{"Fn::GetAtt":["Bucket","Arn"]}"#, r#""arn:aws:s3:::bucket""#)
        .replace("${ScenePrefix}", "scenes")
        .replace("${OutputPrefix}", "renders")
        .replace("${Bucket.Arn}", "arn:aws:s3:::bucket");
    let role: Value = serde_json::from_str(&role).unwrap();
    assert_eq!(without_functions(&role), policy(JOBS));
}

/// Replaces `{"Fn::Sub": text}` by the text.
fn without_functions(value: &Value) -> Value {
    match value {
        Value::Object(members) => members.get("Fn::Sub").cloned().unwrap_or_else(|| {
            let members = members.iter();
            members.map(|(name, value)| (name.clone(), without_functions(value))).collect()
        }),
        Value::Array(values) => values.iter().map(without_functions).collect(),
        other => other.clone(),
    }
}

#[test]
fn who_deploys_may_create_and_delete_every_kind_of_resource_in_the_template() {
    let policy = policy(DEPLOY).to_string();
    for (name, resource) in template("read", &[])["Resources"].as_object().unwrap() {
        let kind = resource["Type"].as_str().unwrap();
        let actions = match kind {
            "AWS::S3::BucketPolicy" => ["s3:PutBucketPolicy", "s3:DeleteBucketPolicy"],
            "AWS::S3::Bucket" => ["s3:CreateBucket", "s3:DeleteBucket"],
            "AWS::ECR::Repository" => ["ecr:CreateRepository", "ecr:DeleteRepository"],
            "AWS::Logs::LogGroup" => ["logs:CreateLogGroup", "logs:DeleteLogGroup"],
            "AWS::IAM::Role" => ["iam:CreateRole", "iam:DeleteRole"],
            "AWS::IAM::InstanceProfile" => {
                ["iam:CreateInstanceProfile", "iam:DeleteInstanceProfile"]
            }
            "AWS::EC2::SecurityGroup" => ["ec2:CreateSecurityGroup", "ec2:DeleteSecurityGroup"],
            "AWS::EC2::LaunchTemplate" => ["ec2:CreateLaunchTemplate", "ec2:DeleteLaunchTemplate"],
            "AWS::Batch::ComputeEnvironment" => {
                ["batch:CreateComputeEnvironment", "batch:DeleteComputeEnvironment"]
            }
            "AWS::Batch::JobQueue" => ["batch:CreateJobQueue", "batch:DeleteJobQueue"],
            "AWS::Batch::JobDefinition" => {
                ["batch:RegisterJobDefinition", "batch:DeregisterJobDefinition"]
            }
            "AWS::SNS::Topic" => ["sns:CreateTopic", "sns:DeleteTopic"],
            "AWS::SNS::TopicPolicy" => ["sns:SetTopicAttributes", "sns:GetTopicAttributes"],
            "AWS::Events::Rule" => ["events:PutRule", "events:DeleteRule"],
            other => panic!("{name} is new, {other}: add its actions to docs/iam.md and here"),
        };
        for action in actions {
            assert!(policy.contains(&format!("\"{action}\"")), "{name}: {action}");
        }
    }
}

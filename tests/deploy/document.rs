//! The commands of `docs/aws-batch.md` that moto supports, in order and in one shell, as a reader
//! types them.

use std::fs;

use serde_json::Value;

use crate::moto::Moto;
use crate::support::{program, scene};
use crate::{output_of, project, template};

const DOCUMENT: &str = "docs/aws-batch.md";

/// A command that only version 2 of the AWS CLI has, which is not on `PyPI`.
const SKIPPED: &str = "aws logs tail ";

/// Returns the commands in the sections with these numbers.
#[track_caller]
fn commands(document: &str, numbers: &[u32]) -> String {
    let mut commands = Vec::new();
    for number in numbers {
        let (_, section) = document.split_once(&format!("\n## {number}. ")).expect("a section");
        let section = section.split("\n## ").next().expect("its text");
        let blocks = section.split("```console\n").skip(1);
        let typed: String =
            blocks.map(|block| block.split("```").next().expect("its end")).collect();
        let typed = format!("\n{typed}");
        commands.extend(typed.split("\n$ ").skip(1).map(ToOwned::to_owned));
    }
    commands.retain(|command| !command.starts_with(SKIPPED));
    commands.join("\n")
}

#[test]
fn the_commands_deploy_submit_wait_and_tear_down() {
    let moto = Moto::shared();
    // A checkout with a scene, and a template that moto supports.
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("deploy/batch")).unwrap();
    let adapted = template("adapt", &[]).to_string();
    fs::write(folder.path().join("deploy/batch/template.yaml"), adapted).unwrap();
    fs::copy(scene("demo"), folder.path().join("pottery.blend")).unwrap();

    let document = fs::read_to_string(project(DOCUMENT)).unwrap();
    let script = [
        format!("render-worker() {{ '{}' \"$@\"; }}\nexec >output", program().display()),
        commands(&document, &[1]),
        // moto sets the outputs of a stack only on creation and update, not with change sets, which
        // `deploy` uses.
        "aws cloudformation update-stack --stack-name render-worker --use-previous-template".into(),
        commands(&document, &[3, 4, 5]),
        r#"aws batch list-jobs --job-queue "$(out JobQueue)" >jobs"#.into(),
        r#"aws s3 ls "s3://$bucket/scenes/" >scenes"#.into(),
        commands(&document, &[7]),
    ];
    // The id of the stitch job in the output so far.
    let id = r"$(sed -n 's/^stitch *\([^ ]*\) .*/\1/p' output)";
    let script = script.join("\n").replace("JOB-ID", id);
    output_of(moto.shell(&script).current_dir(folder.path()));

    let written = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(written("scenes").contains("pottery.blend"));
    let jobs: Value = serde_json::from_str(&written("jobs")).expect("JSON");
    let jobs = jobs["jobSummaryList"].as_array().unwrap().iter();
    // moto also lists the children of array jobs.
    let mut definitions: Vec<_> = jobs
        .filter(|job| !job["jobId"].as_str().unwrap().contains(':'))
        .map(|job| job["jobDefinition"].as_str().unwrap().rsplit('/').next().unwrap())
        .collect();
    definitions.sort_unstable();
    assert_eq!(definitions, ["render-worker-render:1", "render-worker-stitch:1"]);
}

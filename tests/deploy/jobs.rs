//! `submit` and `status` with the stack of the template, in a fake AWS account that was not written
//! for this project.

use serde_json::{Deserializer, Map, Value, json};

use crate::moto::Moto;
use crate::output_of;
use crate::support::{Run, Worker, worker};

/// A command line of `submit` for the scene in the bucket, which has frames 1 to 24, to the queue
/// of the stack.
fn submit(moto: &Moto, name: &str) -> Worker {
    submit_to(moto, name, ["JobQueue", "RenderJobDefinition", "StitchJobDefinition"])
}

/// The same with other names of queue and job definitions. Names of outputs are replaced.
fn submit_to(moto: &Moto, name: &str, [queue, render, stitch]: [&str; 3]) -> Worker {
    let [queue, render, stitch] = [queue, render, stitch].map(|it| moto.output(it).unwrap_or(it));
    worker("submit")
        .input(moto.scene())
        .output(moto.results(name))
        .args(&format!("-f 5 --job-name {name} --job-queue {queue}"))
        .args(&format!("--job-definition {render} --stitch-job-definition {stitch}"))
        .with(|command| _ = command.envs(moto.env()))
}

fn status(moto: &Moto, job: &str) -> Worker {
    worker("status").arg(job).with(|command| _ = command.envs(moto.env()))
}

/// Returns the ids of the render job and the stitch job that a run with `--json` has submitted.
#[track_caller]
fn ids(run: &Run) -> [String; 2] {
    // With `--wait`, the final states follow.
    let mut output = Deserializer::from_str(&run.stdout).into_iter::<Value>();
    let submitted = output.next().expect("output").expect("JSON");
    ["render", "stitch"].map(|job| submitted[job]["job_id"].as_str().expect("an id").to_owned())
}

/// Returns the parts of a job that moto keeps.
fn stored_job(moto: &Moto, id: &str) -> Value {
    let job = moto.batch(&["describe-jobs", "--jobs", id])["jobs"][0].take();
    let variables = job["container"]["environment"].as_array().expect("variables");
    let variables = variables.iter().map(|it| (it["name"].as_str().unwrap(), it["value"].clone()));
    let mut environment: Map<_, _> =
        variables.map(|(name, value)| (name.to_owned(), value)).collect();
    // moto adds this variable with every request.
    environment.remove("AWS_BATCH_JOB_ID");
    json!({
        "name": job["jobName"],
        "queue": job["jobQueue"],
        "definition": job["jobDefinition"],
        "size": job["arrayProperties"]["size"],
        "depends_on": job["dependsOn"],
        "parameters": job["parameters"],
        "environment": environment,
        "tags": job["tags"],
    })
}

#[test]
fn the_submitted_jobs_have_the_requested_settings() {
    let moto = Moto::shared();
    let run = submit(moto, "kept")
        .args("--env ENGINE=scene --crf 18 --tag project=pottery --json")
        .run()
        .exits(0);
    let [render, stitch] = ids(&run);

    let filter = ["--filters", "name=JOB_NAME,values=kept*"];
    let listed = moto.batch(
        &[&["list-jobs", "--job-queue", moto.expect_output("JobQueue")][..], &filter].concat(),
    );
    let listed = listed["jobSummaryList"].as_array().unwrap();
    let listed: Vec<_> = listed.iter().map(|job| job["jobId"].as_str().unwrap()).collect();
    // moto also lists the children of array jobs.
    let (children, jobs): (Vec<_>, Vec<_>) = listed.into_iter().partition(|id| id.contains(':'));
    assert_eq!(jobs, [&render, &stitch]);
    let expected: Vec<_> = (0..5).map(|index| format!("{render}:{index}")).collect();
    assert_eq!(children, expected);

    let (scene, output) = (moto.scene(), moto.results("kept"));
    assert_eq!(
        stored_job(moto, &render),
        json!({
            "name": "kept",
            "queue": moto.expect_output("JobQueue"),
            "definition": moto.expect_output("RenderJobDefinition"),
            "size": 5,
            "depends_on": [],
            "parameters": {
                "action": "render", "inputUri": scene, "outputUri": output, "framesPerJob": "5",
            },
            "environment": {
                "FIRST_FRAME": "1", "TOTAL_FRAMES": "24", "ENGINE": "scene",
                "JOB_DEFINITION": "render", "JOB_TIMEOUT": "23h 55m",
                "CACHE_DIR": "/var/cache/render-worker", "CACHE_SIZE": "16GiB",
            },
            "tags": {"project": "pottery"},
        })
    );
    assert_eq!(
        stored_job(moto, &stitch),
        json!({
            "name": "kept-stitch",
            "queue": moto.expect_output("JobQueue"),
            "definition": moto.expect_output("StitchJobDefinition"),
            "size": null,
            "depends_on": [{"jobId": render}],
            "parameters": {
                "action": "stitch", "inputUri": output, "outputUri": output, "framesPerJob": "5",
            },
            "environment": {
                "FIRST_FRAME": "1", "TOTAL_FRAMES": "24", "ENGINE": "scene", "CRF": "18",
                "JOB_DEFINITION": "stitch", "JOB_TIMEOUT": "23h 55m",
            },
            "tags": {"project": "pottery"},
        })
    );
}

#[test]
fn wait_succeeds_if_the_jobs_succeed() {
    let moto = Moto::shared();
    let run = submit(moto, "good").args("--wait --poll-interval 1s --json").run().exits(0);
    let [render, stitch] = ids(&run);
    for arguments in ["", "--wait --poll-interval 1s"] {
        let run = status(moto, &stitch).args(arguments).run().exits(0);
        assert_eq!(
            run.stdout,
            format!(
                "job         good: succeeded, 5 children (5 succeeded) ({render})\n\
                 job         good-stitch: succeeded ({stitch})\n"
            )
        );
    }
}

#[test]
fn wait_fails_if_the_jobs_fail_and_lists_the_failures() {
    let moto = Moto::with_failing_jobs();
    let run = submit(&moto, "bad").args("--wait --poll-interval 1s --json").run().exits(70);
    let error = run.final_error();
    assert!(error.contains("bad: failed, 5 children (5 failed); bad-stitch: failed"), "{error}");
    let [render, stitch] = ids(&run);
    let plain = status(&moto, &stitch).run().exits(0);
    let waited = status(&moto, &stitch).args("--wait --poll-interval 1s").run().exits(70);
    assert_eq!(plain.stdout, waited.stdout);
    let run = status(&moto, &stitch).arg("--json").run().exits(0);
    let output: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let failed = output["failed"].as_array().unwrap().iter().map(|job| job["job_id"].clone());
    let children = (0..5).map(|index| format!("{render}:{index}"));
    let expected: Vec<_> = children.chain([stitch]).map(Value::String).collect();
    assert_eq!(failed.collect::<Vec<_>>(), expected);
    assert_eq!(
        (&output["failed"][3]["index"], &output["failed"][5]["index"]),
        (&json!(3), &json!(null))
    );
}

#[test]
fn an_unknown_job_is_named() {
    let unknown = "01234567-89ab-cdef-0123-456789abcdef";
    for arguments in ["", "--wait"] {
        let run = status(Moto::shared(), unknown).args(arguments).run().exits(66);
        assert!(run.final_error().contains(unknown), "{}", run.final_error());
    }
}

#[test]
fn an_unknown_queue_or_job_definition_is_reported_in_the_words_of_aws() {
    let moto = Moto::shared();
    let (queue, definition) = ("JobQueue", "RenderJobDefinition");
    for (names, text) in [
        (["nowhere", definition, definition], "Job queue nowhere does not exist"),
        ([queue, "nothing:7", definition], "Job definition nothing:7 does not exist"),
    ] {
        let run = submit_to(moto, "none", names).run().exits(2);
        assert!(run.final_error().contains(text), "{}", run.final_error());
    }
}

#[test]
fn the_aws_cli_accepts_the_printed_requests_and_commands() {
    let moto = Moto::shared();
    // All settings that a job can have. The AWS CLI validates them against AWS's service model.
    let all = "--dry-run --vcpus 8 --memory 16GiB --share-identifier studio --tag a=b --env A=b=c";
    let shown = submit(moto, "shown").args(all).run().exits(0);
    let shown: Value = serde_json::from_str(&shown.stdout).expect("JSON");
    let taken = moto.batch(&["submit-job", "--cli-input-json", &shown["render"].to_string()]);
    assert_eq!(taken["jobName"], "shown");

    // The stitch job, with the name of an existing job definition.
    let run = submit_to(moto, "half", ["JobQueue", "RenderJobDefinition", "nothing"]);
    let run = run.args("--env NOTE=it's").run().exits(70);
    let error = run.final_error();
    assert!(error.contains("Job definition nothing does not exist"), "{error}");
    let (_, command) = run.stdout.split_once("left to do").expect("a command");
    let command = command.replace("nothing", moto.expect_output("StitchJobDefinition"));
    let taken: Value =
        serde_json::from_str(&output_of(&mut moto.shell(command.trim()))).expect("JSON");
    let stitch = taken["jobId"].as_str().unwrap();
    assert_eq!(stored_job(moto, stitch)["environment"]["NOTE"], "it's");
    let run = status(moto, stitch).run().exits(0);
    assert!(run.stdout.starts_with("job         half: succeeded, 5 children"), "{}", run.stdout);
}

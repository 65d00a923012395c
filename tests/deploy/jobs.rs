//! `submit` and `status`, with the stack of the template: what comes of them in an account
//! that somebody else has written.

use serde_json::{Deserializer, Map, Value, json};

use crate::moto::Moto;
use crate::said;
use crate::support::{Run, Worker, worker};

/// `submit` of the scene in the bucket, whose frames are 1 to 24, to the stack's queue.
fn submit(moto: &Moto, name: &str) -> Worker {
    submit_to(moto, name, ["JobQueue", "RenderJobDefinition", "StitchJobDefinition"])
}

/// The same with other words for queue and job definitions, where they are no outputs.
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

/// The ids of the jobs that a run with `--json` has submitted: that which renders, and that
/// which stitches.
#[track_caller]
fn ids(run: &Run) -> [String; 2] {
    // With `--wait` how they ended follows.
    let mut told = Deserializer::from_str(&run.stdout).into_iter::<Value>();
    let told = told.next().expect("an answer").expect("JSON");
    ["render", "stitch"].map(|job| told[job]["job_id"].as_str().expect("an id").to_owned())
}

/// What moto keeps of a job of what it was given.
fn kept(moto: &Moto, id: &str) -> Value {
    let job = moto.batch(&["describe-jobs", "--jobs", id])["jobs"][0].take();
    let variables = job["container"]["environment"].as_array().expect("variables");
    let variables = variables.iter().map(|it| (it["name"].as_str().unwrap(), it["value"].clone()));
    let mut environment: Map<_, _> =
        variables.map(|(name, value)| (name.to_owned(), value)).collect();
    // moto adds it, once more each time it is asked.
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
fn the_jobs_of_the_stack_are_what_was_asked_for() {
    let moto = Moto::shared();
    let run = submit(moto, "kept")
        .args("--env ENGINE=scene --crf 18 --tag project=pottery --json")
        .run()
        .exits(0);
    let [render, stitch] = ids(&run);

    let filter = ["--filters", "name=JOB_NAME,values=kept*"];
    let listed =
        moto.batch(&[&["list-jobs", "--job-queue", moto.known("JobQueue")][..], &filter].concat());
    let listed = listed["jobSummaryList"].as_array().unwrap();
    let listed: Vec<_> = listed.iter().map(|job| job["jobId"].as_str().unwrap()).collect();
    // moto lists children among the jobs of a queue.
    let (children, jobs): (Vec<_>, Vec<_>) = listed.into_iter().partition(|id| id.contains(':'));
    assert_eq!(jobs, [&render, &stitch]);
    let expected: Vec<_> = (0..5).map(|index| format!("{render}:{index}")).collect();
    assert_eq!(children, expected);

    let (scene, output) = (moto.scene(), moto.results("kept"));
    assert_eq!(
        kept(moto, &render),
        json!({
            "name": "kept",
            "queue": moto.known("JobQueue"),
            "definition": moto.known("RenderJobDefinition"),
            "size": 5,
            "depends_on": [],
            "parameters": {
                "action": "render", "inputUri": scene, "outputUri": output, "framesPerJob": "5",
            },
            "environment": {
                "FIRST_FRAME": "1", "TOTAL_FRAMES": "24", "ENGINE": "scene",
                "JOB_DEFINITION": "render",
            },
            "tags": {"project": "pottery"},
        })
    );
    assert_eq!(
        kept(moto, &stitch),
        json!({
            "name": "kept-stitch",
            "queue": moto.known("JobQueue"),
            "definition": moto.known("StitchJobDefinition"),
            "size": null,
            "depends_on": [{"jobId": render}],
            "parameters": {
                "action": "stitch", "inputUri": output, "outputUri": output, "framesPerJob": "5",
            },
            "environment": {
                "FIRST_FRAME": "1", "TOTAL_FRAMES": "24", "ENGINE": "scene", "CRF": "18",
                "JOB_DEFINITION": "stitch",
            },
            "tags": {"project": "pottery"},
        })
    );
}

#[test]
fn jobs_that_succeed_are_followed_to_their_end() {
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
fn jobs_that_fail_are_told_and_are_a_failure_of_who_waits() {
    let moto = Moto::with_failing_jobs();
    let run = submit(&moto, "bad").args("--wait --poll-interval 1s --json").run().exits(70);
    let words = run.last_words();
    assert!(words.contains("bad: failed, 5 children (5 failed); bad-stitch: failed"), "{words}");
    let [render, stitch] = ids(&run);
    let plain = status(&moto, &stitch).run().exits(0);
    let waited = status(&moto, &stitch).args("--wait --poll-interval 1s").run().exits(70);
    assert_eq!(plain.stdout, waited.stdout);
    let told = status(&moto, &stitch).arg("--json").run().exits(0);
    let told: Value = serde_json::from_str(&told.stdout).expect("JSON");
    let failed = told["failed"].as_array().unwrap().iter().map(|job| job["job_id"].clone());
    let children = (0..5).map(|index| format!("{render}:{index}"));
    let expected: Vec<_> = children.chain([stitch]).map(Value::String).collect();
    assert_eq!(failed.collect::<Vec<_>>(), expected);
    assert_eq!(
        (&told["failed"][3]["index"], &told["failed"][5]["index"]),
        (&json!(3), &json!(null))
    );
}

#[test]
fn a_job_that_is_not_there_is_named() {
    let unknown = "01234567-89ab-cdef-0123-456789abcdef";
    for arguments in ["", "--wait"] {
        let run = status(Moto::shared(), unknown).args(arguments).run().exits(66);
        assert!(run.last_words().contains(unknown), "{}", run.last_words());
    }
}

#[test]
fn what_the_account_does_not_have_is_told_in_its_words() {
    let moto = Moto::shared();
    let (queue, definition) = ("JobQueue", "RenderJobDefinition");
    for (places, words) in [
        (["nowhere", definition, definition], "Job queue nowhere does not exist"),
        ([queue, "nothing:7", definition], "Job definition nothing:7 does not exist"),
    ] {
        let run = submit_to(moto, "none", places).run().exits(2);
        assert!(run.last_words().contains(words), "{}", run.last_words());
    }
}

#[test]
fn what_it_prints_for_the_aws_cli_the_aws_cli_takes() {
    let moto = Moto::shared();
    // Everything that a job can have, read back by who checks it against AWS's own description.
    let all = "--dry-run --vcpus 8 --memory 16GiB --share-identifier studio --tag a=b --env A=b=c";
    let shown = submit(moto, "shown").args(all).run().exits(0);
    let shown: Value = serde_json::from_str(&shown.stdout).expect("JSON");
    let taken = moto.batch(&["submit-job", "--cli-input-json", &shown["render"].to_string()]);
    assert_eq!(taken["jobName"], "shown");

    // The second job, once the account has its definition.
    let run = submit_to(moto, "half", ["JobQueue", "RenderJobDefinition", "nothing"]);
    let run = run.args("--env NOTE=it's").run().exits(70);
    let words = run.last_words();
    assert!(words.contains("Job definition nothing does not exist"), "{words}");
    let (_, command) = run.stdout.split_once("left to do").expect("a command");
    let command = command.replace("nothing", moto.known("StitchJobDefinition"));
    let taken: Value = serde_json::from_str(&said(&mut moto.shell(command.trim()))).expect("JSON");
    let stitch = taken["jobId"].as_str().unwrap();
    assert_eq!(kept(moto, stitch)["environment"]["NOTE"], "it's");
    let run = status(moto, stitch).run().exits(0);
    assert!(run.stdout.starts_with("job         half: succeeded, 5 children"), "{}", run.stdout);
}

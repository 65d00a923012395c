//! `submit`: the requests to AWS Batch, containers that run with these requests, and errors before
//! anything is submitted.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::batch_server::{BatchServer, environment};
use crate::support::place::frame_names;
use crate::support::s3_server::{Fault, Operation, S3Server};
use crate::support::schema::parse;
use crate::support::{Worker, names, probe, scene, worker};

/// A command line of `submit` for `fixtures/scenes/demo.blend`, which has frames 1 to 24.
fn submit(arguments: &str) -> Worker {
    worker("submit")
        .input(scene("demo"))
        .args("-o s3://bucket/out --job-queue queue --job-definition render:3")
        .args(arguments)
}

/// Returns the requests that `--dry-run` prints.
#[track_caller]
fn dry_run(worker: Worker) -> Value {
    let run = worker.arg("--dry-run").run().exits(0);
    assert!(run.lines.is_empty(), "{}", run.text());
    parse("submit", run.stdout)
}

#[test]
fn an_array_job_renders_and_a_dependent_job_stitches() {
    let jobs = dry_run(submit("-f 5"));
    assert_eq!(
        jobs,
        json!({
            "render": {
                "jobName": "demo",
                "jobQueue": "queue",
                "jobDefinition": "render:3",
                "arrayProperties": {"size": 5},
                "parameters": {
                    "action": "render",
                    "inputUri": scene("demo"),
                    "outputUri": "s3://bucket/out",
                    "framesPerJob": "5",
                },
                "containerOverrides": {"environment": [
                    {"name": "FIRST_FRAME", "value": "1"},
                    {"name": "TOTAL_FRAMES", "value": "24"},
                ]},
            },
            "stitch": {
                "jobName": "demo-stitch",
                "jobQueue": "queue",
                "jobDefinition": "render:3",
                "dependsOn": [{"jobId": "RENDER_JOB_ID"}],
                "parameters": {
                    "action": "stitch",
                    "inputUri": "s3://bucket/out",
                    "outputUri": "s3://bucket/out",
                    "framesPerJob": "5",
                },
                "containerOverrides": {"environment": [
                    {"name": "FIRST_FRAME", "value": "1"},
                    {"name": "TOTAL_FRAMES", "value": "24"},
                ]},
            },
        })
    );
}

#[test]
fn the_requests_to_batch_are_those_of_the_dry_run() {
    let all = "-f 5 --tag project=pottery --tag cost=a=b --env ENGINE=scene --vcpus 8 \
               --memory 16GiB --share-identifier studio --job-name night --crf 18 --allow-gaps \
               --stitch-job-definition stitch";
    let shown = dry_run(submit(all));
    let batch = BatchServer::start();
    let run = submit(all).arg("--json").batch(&batch).run().exits(0);
    let output = parse("submit", run.stdout);
    let [render, stitch]: [Value; 2] = batch.requests_for("submitjob").try_into().unwrap();
    assert_eq!(render, shown["render"]);
    let mut expected = shown["stitch"].clone();
    expected["dependsOn"][0]["jobId"] = output["render"]["job_id"].clone();
    assert_eq!(stitch, expected);
    assert_eq!(batch.operations().len(), 2);
    assert_eq!(
        (&output["render"]["job_name"], &output["render"]["array_size"]),
        (&json!("night"), &json!(5))
    );
    assert_eq!(output["stitch"]["job_name"], "night-stitch");

    assert_eq!(render["shareIdentifier"], "studio");
    assert_eq!(render["tags"], json!({"project": "pottery", "cost": "a=b"}));
    assert_eq!(
        render["containerOverrides"]["resourceRequirements"],
        json!([{"type": "VCPU", "value": "8"}, {"type": "MEMORY", "value": "16384"}])
    );
    assert_eq!(environment(&render)["ENGINE"], "scene");
    assert_eq!(environment(&render).get("CRF"), None);
    assert_eq!(stitch["jobDefinition"], "stitch");
    assert_eq!(stitch["containerOverrides"].get("resourceRequirements"), None);
    let variables = environment(&stitch);
    assert_eq!((&variables["CRF"], &variables["ALLOW_GAPS"]), (&json!("18"), &json!("true")));
}

#[test]
fn the_output_names_the_jobs_and_the_command_to_wait_for_them() {
    let batch = BatchServer::start();
    let run = submit("-f 5").batch(&batch).run().exits(0);
    assert!(run.lines.is_empty(), "{}", run.text());
    assert_eq!(
        run.stdout,
        "render      00000001-aaaa-bbbb-cccc-ddddeeeeffff (demo, 5 children)\n\
         stitch      00000002-aaaa-bbbb-cccc-ddddeeeeffff (demo-stitch, when all is rendered)\n\
         follow      render-worker status 00000002-aaaa-bbbb-cccc-ddddeeeeffff --wait\n"
    );
    let run = submit("-f 5 --no-stitch").batch(&batch).run().exits(0);
    assert!(run.stdout.ends_with("status 00000003-aaaa-bbbb-cccc-ddddeeeeffff --wait\n"));
    assert_eq!(batch.requests_for("submitjob").len(), 3);
}

#[test]
fn the_jobs_have_the_requested_frames() {
    for (arguments, size, variables) in [
        ("-f 10", json!(3), json!({"FIRST_FRAME": "1", "TOTAL_FRAMES": "24"})),
        ("-f 10 -t 15", json!(2), json!({"FIRST_FRAME": "1", "TOTAL_FRAMES": "15"})),
        ("-f 10 --first-frame 20", json!(null), json!({"FIRST_FRAME": "20", "TOTAL_FRAMES": "5"})),
        ("-f 2 --first-frame -3 -t 4", json!(2), json!({"FIRST_FRAME": "-3", "TOTAL_FRAMES": "4"})),
        ("-f 2 --frames 1-9x2,100", json!(3), json!({"FRAMES": "1-9x2,100"})),
        // Batch does not accept an array of size 1.
        ("-f 24", json!(null), json!({"FIRST_FRAME": "1", "TOTAL_FRAMES": "24"})),
        ("--auto", json!(24), json!({"FIRST_FRAME": "1", "TOTAL_FRAMES": "24"})),
    ] {
        let jobs = dry_run(submit(arguments));
        assert_eq!(jobs["render"]["arrayProperties"]["size"], size, "{arguments}");
        for job in ["render", "stitch"] {
            assert_eq!(environment(&jobs[job]), variables, "{arguments}: {job}");
        }
    }
}

#[test]
fn too_many_children_are_an_error_unless_auto_raises_the_frames_per_job() {
    let refused = submit("-f 2 -t 20001 --dry-run").run().exits(2);
    let error = refused.final_error();
    assert!(error.contains("10001 children") && error.contains("(F_PER_JOB) 3 fits"), "{error}");
    let jobs = dry_run(submit("-f 2 -t 20001 --auto"));
    assert_eq!(jobs["render"]["arrayProperties"]["size"], 6667);
    assert_eq!(jobs["stitch"]["parameters"]["framesPerJob"], "3");
    // A sufficient value is kept.
    let jobs = dry_run(submit("-f 50 -t 20001 --auto"));
    assert_eq!(jobs["render"]["arrayProperties"]["size"], 401);
}

/// Runs a job like Batch: with the command of the reference job definition, the parameters and
/// variables of the job, and as child `index` of an array.
fn run_job(job: &Value, index: Option<u64>) {
    let parameter = |name: &str| job["parameters"][name].as_str().expect("a parameter").to_owned();
    let mut container = worker(&parameter("action"))
        .input(parameter("inputUri"))
        .output(parameter("outputUri"))
        .arg("-f")
        .arg(parameter("framesPerJob"))
        .env("AWS_BATCH_JOB_ID", "0a1b");
    for (name, value) in environment(job).as_object().unwrap() {
        container = container.env(name, value.as_str().unwrap());
    }
    if let Some(index) = index {
        container = container
            .env("AWS_BATCH_JOB_ID", format!("0a1b:{index}"))
            .env("AWS_BATCH_JOB_ARRAY_INDEX", index.to_string())
            .env("AWS_BATCH_JOB_ARRAY_SIZE", job["arrayProperties"]["size"].to_string());
    }
    container.run().exits(0);
}

fn run_jobs(jobs: &Value) {
    match jobs["render"]["arrayProperties"]["size"].as_u64() {
        Some(size) => (0..size).for_each(|index| run_job(&jobs["render"], Some(index))),
        None => run_job(&jobs["render"], None),
    }
    run_job(&jobs["stitch"], None);
}

#[test]
fn containers_with_these_requests_render_every_frame_and_make_the_video() {
    for (arguments, frames) in [
        ("-f 5", frame_names(1..=12)),
        ("-f 2 --frames 2,4-5", frame_names([2, 4, 5])),
        ("-f 9 --first-frame 3 -t 2", frame_names([3, 4])),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let jobs = worker("submit")
            .input(scene("tiny"))
            .output(folder.path())
            .args("--job-queue queue --job-definition render --codec h265 --output-name film.mp4")
            .args("--env ENGINE=scene")
            .args(arguments);
        run_jobs(&dry_run(jobs));
        assert_eq!(names(&folder.path().join("frames")), frames, "{arguments}");
        let video = probe(&folder.path().join("film.mp4"));
        let stream = &video["streams"][0];
        assert_eq!(stream["codec_name"], "hevc", "{arguments}");
        assert_eq!(stream["nb_read_frames"], frames.len().to_string(), "{arguments}");
    }
}

#[test]
fn invalid_jobs_are_refused_before_anything_is_submitted() {
    let scene = scene("demo");
    let scene = scene.to_str().unwrap();
    for (arguments, text) in [
        ("-o s3://bucket/o -f 1 --job-definition d", "--job-queue (JOB_QUEUE): is required"),
        ("-o s3://bucket/o -f 1 --job-queue q", "--job-definition (JOB_DEFINITION): is required"),
        ("-o s3://bucket/o --job-queue q --job-definition d", "--auto"),
        ("-o out -f 1 --job-queue q --job-definition d", "`out` is relative to a folder"),
    ] {
        let run = worker("submit").input(scene).args(arguments).run().exits(2);
        assert!(run.final_error().contains(text), "{arguments}: {}", run.final_error());
    }
    for (arguments, text) in [
        ("--codec divx", "the stitch job would refuse this: --codec (CODEC): `divx`"),
        ("--codec prores --crf 18", "--crf (CRF): means nothing to"),
        ("--env STALL_TIMEOUT=never", "the render job would refuse this: --stall-timeout"),
        ("--env TOTAL_FRAMES=9", "say it with --total-frames"),
        ("--env AWS_BATCH_JOB_ID=1", "AWS Batch's own"),
        ("--env ENGINE", "give NAME=VALUE"),
        ("--tag =b", "give KEY=VALUE"),
        ("--vcpus 0", "a whole number from 1"),
        ("--memory 1kB", "give 1MiB or more"),
        ("--job-name a.b", "up to 128 letters"),
        ("--poll-interval 0", "1s to 1h"),
        ("--first-frame 25", "the scene's last frame is 24"),
        ("--frames 1-3 -t 3", "contradicts"),
        ("--tag a=1 --tag a=2", "a is given twice"),
        ("--env A=1 --env A=2", "A is given twice"),
        ("--codec h265 --env CODEC=h264", "CODEC is given twice"),
        ("--no-stitch --codec h265", "cannot be used with"),
    ] {
        let run = submit("-f 1").args(arguments).run().exits(2);
        assert!(run.final_error().contains(text), "{arguments}: {}", run.final_error());
    }
    // A damaged scene is found here, and not by ten thousand children.
    let folder = tempfile::tempdir().unwrap();
    let damaged = folder.path().join("damaged.blend");
    std::fs::write(&damaged, &std::fs::read(scene).unwrap()[..40]).unwrap();
    let damaged = worker("submit").input(damaged).args("-o /out -f 1 --dry-run");
    damaged.args("--job-queue q --job-definition d").run().exits(65);
    let missing = worker("submit").args("-i /nowhere/scene.blend -o /out -f 1");
    let missing = missing.args("--job-queue q --job-definition d").run().exits(66);
    assert!(missing.final_error().contains("/nowhere/scene.blend"));
}

#[test]
fn a_missing_region_is_an_error() {
    let run = submit("-f 1").run().exits(2);
    assert!(run.final_error().contains("AWS_REGION"), "{}", run.final_error());
}

/// Creates the body of an error response.
fn rejection(code: &str, message: &str) -> Value {
    json!({"__type": code, "message": message})
}

#[test]
fn errors_of_batch_are_reported_with_the_exit_code_for_who_must_act() {
    let no_queue = "JobQueue queue not found.";
    for (status, body, exit, text) in [
        (400, rejection("ClientException", no_queue), 2, no_queue),
        (
            403,
            rejection("AccessDeniedException", "not authorized to perform"),
            77,
            "not authorized",
        ),
    ] {
        let batch = BatchServer::start();
        batch.reject_next("submitjob", status, body);
        let run = submit("-f 1").batch(&batch).run().exits(exit);
        let error = run.final_error();
        assert!(error.contains("submit the job demo") && error.contains(text), "{error}");
        assert_eq!(batch.requests_for("submitjob").len(), 1);
    }
}

#[test]
fn a_request_that_batch_may_have_accepted_is_not_repeated() {
    let batch = BatchServer::start();
    batch.reject_next("submitjob", 500, rejection("ServerException", "try later"));
    let run = submit("-f 1").batch(&batch).run().exits(70);
    let error = run.final_error();
    assert!(error.contains("try later"), "{error}");
    assert!(error.contains("look for the job in its queue"), "{error}");
    assert_eq!(batch.requests_for("submitjob").len(), 1);
    // A throttled request was not accepted, so it is repeated.
    batch.reject_next("submitjob", 429, rejection("TooManyRequestsException", "too fast"));
    submit("-f 1 --no-stitch").batch(&batch).run().exits(0);
    assert_eq!(batch.requests_for("submitjob").len(), 3);
}

#[test]
fn ctrl_c_during_a_submission_takes_effect_after_both_jobs_are_submitted() {
    let batch = BatchServer::start();
    batch.hold_responses(true);
    let running = submit("-f 5 --wait").batch(&batch).start();
    batch.wait_for_request("submitjob");
    running.signal(Signal::SIGINT);
    running.wait_for_log("finishing the submission first");
    batch.hold_responses(false);
    let run = running.finish().exits(130);
    assert_eq!(batch.requests_for("submitjob").len(), 2);
    let command = "render-worker status 00000002-aaaa-bbbb-cccc-ddddeeeeffff --wait";
    assert!(run.stdout.ends_with(&format!("follow      {command}\n")), "{}", run.stdout);
    assert!(run.final_error().contains(&format!("the jobs continue; to follow them: {command}")));
}

#[test]
fn a_submission_without_a_response_in_time_is_not_retryable() {
    for signals in [1, 2] {
        let batch = BatchServer::start();
        batch.hold_responses(true);
        let running = submit("-f 5").batch(&batch).start();
        batch.wait_for_request("submitjob");
        running.signal(Signal::SIGTERM);
        running.wait_for_log("finishing the submission first");
        if signals == 2 {
            running.signal(Signal::SIGINT);
        }
        let run = running.finish().exits(70);
        let error = run.final_error();
        assert!(error.contains("no time left to wait for the response"), "{error}");
        batch.hold_responses(false);
        assert_eq!(batch.requests_for("submitjob").len(), 1);
    }
}

#[test]
fn unusual_retry_settings_of_the_aws_sdk_are_accepted() {
    let batch = BatchServer::start();
    let set = |worker: Worker| worker.env("AWS_RETRY_MODE", "legacy").env("AWS_MAX_ATTEMPTS", "0");
    set(submit("-f 5").batch(&batch)).run().exits(0);
    let server = S3Server::start();
    server.put("scene.blend", &std::fs::read(scene("demo")).unwrap());
    let inspect = worker("inspect").input(server.uri("scene.blend")).s3(&server);
    set(inspect).run().exits(0);
}

#[test]
fn if_standard_output_fails_the_error_has_the_job_id() {
    let batch = BatchServer::start();
    let full = submit("-f 5 --json").batch(&batch).wrapped_in([
        "sh",
        "-c",
        "exec \"$@\" >/dev/full",
        "sh",
    ]);
    let run = full.run().exits(74);
    assert!(run.final_error().contains("00000001-aaaa-bbbb-cccc-ddddeeeeffff"));
}

#[test]
fn if_the_stitch_job_is_rejected_the_output_has_the_command_to_submit_it() {
    let batch = BatchServer::start();
    let refused =
        json!({"__type": "ClientException", "message": "JobDefinition stitch not found."});
    let arguments = "-f 5 --stitch-job-definition stitch --tag who=O'Neil";
    let shown = dry_run(submit(arguments));
    for as_json in [false, true] {
        batch.reject_after("submitjob", 1, 400, refused.clone());
        let arguments = if as_json { format!("{arguments} --json") } else { arguments.to_owned() };
        let run = submit(&arguments).batch(&batch).run().exits(70);
        let id = format!("0000000{}-aaaa-bbbb-cccc-ddddeeeeffff", 1 + u8::from(as_json));
        let error = run.final_error();
        assert!(error.contains(&format!("{id} is submitted")), "{error}");
        assert!(error.contains("JobDefinition stitch not found"), "{error}");
        let request = if as_json {
            let output = parse("submit", run.stdout);
            assert_eq!(output["render"]["job_id"], id);
            output["not_submitted"].clone()
        } else {
            let (_, command) = run.stdout.split_once("left to do").expect("a command");
            let words = shell_words::split(command.trim()).expect("a command");
            assert_eq!(words[..4], ["aws", "batch", "submit-job", "--cli-input-json"]);
            serde_json::from_str(&words[4]).expect("JSON")
        };
        let mut expected = shown["stitch"].clone();
        expected["dependsOn"][0]["jobId"] = json!(id);
        assert_eq!(request, expected);
    }
}

#[test]
fn a_frame_range_with_a_flipped_bit_is_detected() {
    let (batch, server) = (BatchServer::start(), S3Server::start());
    let mut scene = std::fs::read(scene("demo")).unwrap();
    // Too large for one request, so its beginning has no checksum.
    scene.resize(scene.len().max(2 * 1024 * 1024), 0);
    server.put("scene.blend", &scene);
    // The lowest byte of the last frame's number.
    server.inject(Fault::on(Operation::GetObject).times(1).flip_bit(40));
    let submit = worker("submit").input(server.uri("scene.blend"));
    let submit = submit.args("-o s3://bucket/out --job-queue q --job-definition d -f 5");
    let run = submit.batch(&batch).s3(&server).run().exits(75);
    assert!(run.final_error().contains("in two versions"), "{}", run.final_error());
    assert!(batch.operations().is_empty());
}

#[test]
fn of_a_scene_on_s3_only_the_beginning_is_fetched() {
    let server = S3Server::start();
    server.put("scene.blend", &std::fs::read(scene("demo")).unwrap());
    let run = worker("submit")
        .input(server.uri("scene.blend"))
        .output(server.uri("out"))
        .args("-f 5 --job-queue queue --job-definition render --dry-run")
        .s3(&server)
        .run()
        .exits(0);
    let jobs: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(jobs["render"]["arrayProperties"]["size"], 5);
    assert_eq!(jobs["render"]["jobName"], "scene");
    // The beginning is fetched twice and compared.
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn settings_of_the_pictures_reach_the_children() {
    let jobs = dry_run(submit("-f 5 --engine scene --samples 8 --resolution 50% --preview"));
    let render = environment(&jobs["render"]);
    assert_eq!(render["ENGINE"], "scene");
    assert_eq!(render["SAMPLES"], "8");
    assert_eq!(render["RESOLUTION"], "50%");
    assert_eq!(render["PREVIEW"], "true");
    // The video is made of the frames of the preview.
    let parameters = &jobs["stitch"]["parameters"];
    for name in ["inputUri", "outputUri"] {
        assert!(parameters[name].as_str().unwrap().ends_with("/preview"), "{parameters}");
    }
}

#[test]
fn previews_are_switched_off_in_both_jobs() {
    let jobs = dry_run(submit("-f 5 --no-previews"));
    for job in ["render", "stitch"] {
        assert_eq!(environment(&jobs[job])["NO_PREVIEWS"], "true", "{job}");
    }
    let jobs = dry_run(submit("-f 5"));
    assert_eq!(environment(&jobs["render"]).get("NO_PREVIEWS"), None);
    submit("-f 5 --no-previews --env NO_PREVIEWS=true").run().exits(2).logs(&["NO_PREVIEWS"]);
}

#[test]
fn a_scene_of_a_blender_later_than_that_of_the_image_is_not_submitted() {
    let batch = BatchServer::start();
    let run = submit("-f 5 --blender-version 2.93").batch(&batch).run().exits(65);
    assert!(run.final_error().contains("and Blender 2.93 is to render it"), "{}", run.text());
    // Also if the frame range of the scene is not needed.
    let run = submit("-f 5 --frames 1-3 --blender-version 2.93").batch(&batch).run();
    run.exits(65).logs(&["--allow-missing newer-blender"]);
    assert!(batch.operations().is_empty());
    let jobs = dry_run(submit("-f 5 --blender-version 2.93 --allow-missing newer-blender,osl"));
    assert_eq!(environment(&jobs["render"])["ALLOW_MISSING"], "newer-blender,osl");
    assert_eq!(environment(&jobs["stitch"]).get("ALLOW_MISSING"), None);
    dry_run(submit("-f 5 --blender-version 5.2.3"));
    let jobs = dry_run(submit("-f 5 --missing-files warn"));
    assert_eq!(environment(&jobs["render"])["MISSING_FILES"], "warn");
    assert_eq!(environment(&jobs["stitch"]).get("MISSING_FILES"), None);
    let jobs = dry_run(submit("-f 5 --denoise off"));
    assert_eq!(environment(&jobs["render"])["DENOISE"], "off");
}

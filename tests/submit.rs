//! Jobs for AWS Batch: what is asked of it, that containers who are given that render every
//! frame and make the video, and what is refused before anything is submitted.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::batch_server::BatchServer;
use crate::support::place::frame_names;
use crate::support::s3_server::{Fault, Operation, S3Server};
use crate::support::{Worker, names, probe, scene, worker};

/// `submit` of a scene whose frames are those of `fixtures/scenes/demo.blend`: 1 to 24.
fn submit(arguments: &str) -> Worker {
    worker("submit")
        .input(scene("demo"))
        .args("-o s3://bucket/out --job-queue queue --job-definition render:3")
        .args(arguments)
}

/// What would be submitted.
#[track_caller]
fn shown(worker: Worker) -> Value {
    let run = worker.arg("--dry-run").run().exits(0);
    assert!(run.lines.is_empty(), "{}", run.text());
    serde_json::from_str(&run.stdout).expect("JSON")
}

/// The variables of a job that would be submitted.
fn environment(job: &Value) -> Value {
    let variables = job["containerOverrides"]["environment"].as_array().expect("variables");
    variables
        .iter()
        .map(|it| (it["name"].as_str().unwrap().to_owned(), it["value"].clone()))
        .collect()
}

#[test]
fn an_array_renders_the_scene_and_a_job_that_waits_for_it_makes_the_video() {
    let jobs = shown(submit("-f 5"));
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
fn what_is_shown_is_what_is_asked_of_batch() {
    let all = "-f 5 --tag project=pottery --tag cost=a=b --env ENGINE=scene --vcpus 8 \
               --memory 16GiB --share-identifier studio --job-name night --crf 18 --allow-gaps \
               --stitch-job-definition stitch";
    let shown = shown(submit(all));
    let batch = BatchServer::start();
    let run = submit(all).arg("--json").batch(&batch).run().exits(0);
    let told: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let [render, stitch]: [Value; 2] = batch.asked("submitjob").try_into().unwrap();
    assert_eq!(render, shown["render"]);
    let mut expected = shown["stitch"].clone();
    expected["dependsOn"][0]["jobId"] = told["render"]["job_id"].clone();
    assert_eq!(stitch, expected);
    assert_eq!(batch.operations().len(), 2);
    assert_eq!(
        (&told["render"]["job_name"], &told["render"]["array_size"]),
        (&json!("night"), &json!(5))
    );
    assert_eq!(told["stitch"]["job_name"], "night-stitch");

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
fn it_is_told_what_was_submitted_and_how_to_follow_it() {
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
    assert_eq!(batch.asked("submitjob").len(), 3);
}

#[test]
fn the_frames_are_those_that_are_asked_for() {
    for (arguments, size, variables) in [
        ("-f 10", json!(3), json!({"FIRST_FRAME": "1", "TOTAL_FRAMES": "24"})),
        ("-f 10 -t 15", json!(2), json!({"FIRST_FRAME": "1", "TOTAL_FRAMES": "15"})),
        ("-f 10 --first-frame 20", json!(null), json!({"FIRST_FRAME": "20", "TOTAL_FRAMES": "5"})),
        ("-f 2 --first-frame -3 -t 4", json!(2), json!({"FIRST_FRAME": "-3", "TOTAL_FRAMES": "4"})),
        ("-f 2 --frames 1-9x2,100", json!(3), json!({"FRAMES": "1-9x2,100"})),
        // Batch refuses an array of one.
        ("-f 24", json!(null), json!({"FIRST_FRAME": "1", "TOTAL_FRAMES": "24"})),
        ("--auto", json!(24), json!({"FIRST_FRAME": "1", "TOTAL_FRAMES": "24"})),
    ] {
        let jobs = shown(submit(arguments));
        assert_eq!(jobs["render"]["arrayProperties"]["size"], size, "{arguments}");
        for job in ["render", "stitch"] {
            assert_eq!(environment(&jobs[job]), variables, "{arguments}: {job}");
        }
    }
}

#[test]
fn too_many_children_are_refused_unless_each_may_render_more() {
    let refused = submit("-f 2 -t 20001 --dry-run").run().exits(2);
    let words = refused.last_words();
    assert!(words.contains("10001 children") && words.contains("(F_PER_JOB) 3 fits"), "{words}");
    let jobs = shown(submit("-f 2 -t 20001 --auto"));
    assert_eq!(jobs["render"]["arrayProperties"]["size"], 6667);
    assert_eq!(jobs["stitch"]["parameters"]["framesPerJob"], "3");
    // More than enough stays.
    let jobs = shown(submit("-f 50 -t 20001 --auto"));
    assert_eq!(jobs["render"]["arrayProperties"]["size"], 401);
}

/// Runs a job as Batch would: the command of the definition of the reference script, with
/// what the job says, in the place of `index`.
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
fn containers_that_are_given_it_render_every_frame_and_make_the_video() {
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
        run_jobs(&shown(jobs));
        assert_eq!(names(&folder.path().join("frames")), frames, "{arguments}");
        let video = probe(&folder.path().join("film.mp4"));
        let stream = &video["streams"][0];
        assert_eq!(stream["codec_name"], "hevc", "{arguments}");
        assert_eq!(stream["nb_read_frames"], frames.len().to_string(), "{arguments}");
    }
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_submitted() {
    let scene = scene("demo");
    let scene = scene.to_str().unwrap();
    for (arguments, words) in [
        ("-o s3://bucket/o -f 1 --job-definition d", "--job-queue (JOB_QUEUE): is required"),
        ("-o s3://bucket/o -f 1 --job-queue q", "--job-definition (JOB_DEFINITION): is required"),
        ("-o s3://bucket/o --job-queue q --job-definition d", "--auto"),
        ("-o out -f 1 --job-queue q --job-definition d", "`out` is relative to a folder"),
    ] {
        let run = worker("submit").input(scene).args(arguments).run().exits(2);
        assert!(run.last_words().contains(words), "{arguments}: {}", run.last_words());
    }
    for (arguments, words) in [
        ("--codec gif", "the stitch job would refuse this: --codec (CODEC): `gif`"),
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
        assert!(run.last_words().contains(words), "{arguments}: {}", run.last_words());
    }
    // A file that makes no sense is not left to ten thousand children.
    let folder = tempfile::tempdir().unwrap();
    let damaged = folder.path().join("damaged.blend");
    std::fs::write(&damaged, &std::fs::read(scene).unwrap()[..40]).unwrap();
    let damaged = worker("submit").input(damaged).args("-o /out -f 1 --dry-run");
    damaged.args("--job-queue q --job-definition d").run().exits(65);
    let missing = worker("submit").args("-i /nowhere/scene.blend -o /out -f 1");
    let missing = missing.args("--job-queue q --job-definition d").run().exits(66);
    assert!(missing.last_words().contains("/nowhere/scene.blend"));
}

#[test]
fn it_is_not_asked_of_batch_nobody_knows_where() {
    let run = submit("-f 1").run().exits(2);
    assert!(run.last_words().contains("AWS_REGION"), "{}", run.last_words());
}

fn refusal(code: &str, message: &str) -> Value {
    json!({"__type": code, "message": message})
}

#[test]
fn what_batch_says_is_told_and_who_must_act() {
    let no_queue = "JobQueue queue not found.";
    for (status, body, exit, words) in [
        (400, refusal("ClientException", no_queue), 2, no_queue),
        (403, refusal("AccessDeniedException", "not authorized to perform"), 77, "not authorized"),
    ] {
        let batch = BatchServer::start();
        batch.refuses("submitjob", status, body);
        let run = submit("-f 1").batch(&batch).run().exits(exit);
        let said = run.last_words();
        assert!(said.contains("submit the job demo") && said.contains(words), "{said}");
        assert_eq!(batch.asked("submitjob").len(), 1);
    }
}

#[test]
fn a_job_is_not_submitted_again_where_batch_may_have_taken_it() {
    let batch = BatchServer::start();
    batch.refuses("submitjob", 500, refusal("ServerException", "try later"));
    let run = submit("-f 1").batch(&batch).run().exits(70);
    let said = run.last_words();
    assert!(said.contains("try later") && said.contains("look for the job in its queue"), "{said}");
    assert_eq!(batch.asked("submitjob").len(), 1);
    // What is refused for want of time is not taken.
    batch.refuses("submitjob", 429, refusal("TooManyRequestsException", "too fast"));
    submit("-f 1 --no-stitch").batch(&batch).run().exits(0);
    assert_eq!(batch.asked("submitjob").len(), 3);
}

#[test]
fn what_is_being_submitted_is_submitted_before_ctrl_c_counts() {
    let batch = BatchServer::start();
    batch.holds(true);
    let running = submit("-f 5 --wait").batch(&batch).start();
    batch.is_asked("submitjob");
    running.signal(Signal::SIGINT);
    running.wait_for_log("what is being submitted is submitted first");
    batch.holds(false);
    let run = running.finish().exits(130);
    assert_eq!(batch.asked("submitjob").len(), 2);
    let command = "render-worker status 00000002-aaaa-bbbb-cccc-ddddeeeeffff --wait";
    assert!(run.stdout.ends_with(&format!("follow      {command}\n")), "{}", run.stdout);
    assert!(run.last_words().contains(&format!("the jobs go on: {command}")));
}

#[test]
fn where_there_is_no_time_for_an_answer_nobody_is_told_to_submit_it_again() {
    for signals in [1, 2] {
        let batch = BatchServer::start();
        batch.holds(true);
        let running = submit("-f 5").batch(&batch).start();
        batch.is_asked("submitjob");
        running.signal(Signal::SIGTERM);
        running.wait_for_log("what is being submitted is submitted first");
        if signals == 2 {
            running.signal(Signal::SIGINT);
        }
        let run = running.finish().exits(70);
        let last = run.last_words();
        assert!(last.contains("no time left to wait for its answer"), "{last}");
        assert!(!last.contains("run the job again"), "{last}");
        batch.holds(false);
        assert_eq!(batch.asked("submitjob").len(), 1);
    }
}

#[test]
fn what_others_set_for_the_sdk_is_no_fault() {
    let batch = BatchServer::start();
    let set = |worker: Worker| worker.env("AWS_RETRY_MODE", "legacy").env("AWS_MAX_ATTEMPTS", "0");
    set(submit("-f 5").batch(&batch)).run().exits(0);
    let server = S3Server::start();
    server.put("scene.blend", &std::fs::read(scene("demo")).unwrap());
    let inspect = worker("inspect").input(server.uri("scene.blend")).s3(&server);
    set(inspect).run().exits(0);
}

#[test]
fn an_answer_that_nobody_can_read_is_not_lost() {
    let batch = BatchServer::start();
    let full =
        submit("-f 5 --json").batch(&batch).behind(["sh", "-c", "exec \"$@\" >/dev/full", "sh"]);
    let run = full.run().exits(74);
    assert!(run.last_words().contains("00000001-aaaa-bbbb-cccc-ddddeeeeffff"));
}

#[test]
fn where_the_second_job_is_not_taken_it_is_told_how_to_submit_it() {
    let batch = BatchServer::start();
    let refused =
        json!({"__type": "ClientException", "message": "JobDefinition stitch not found."});
    let arguments = "-f 5 --stitch-job-definition stitch --tag who=O'Neil";
    let shown = shown(submit(arguments));
    for as_json in [false, true] {
        batch.refuses_later("submitjob", 1, 400, refused.clone());
        let arguments = if as_json { format!("{arguments} --json") } else { arguments.to_owned() };
        let run = submit(&arguments).batch(&batch).run().exits(70);
        let id = format!("0000000{}-aaaa-bbbb-cccc-ddddeeeeffff", 1 + u8::from(as_json));
        let words = run.last_words();
        assert!(words.contains(&format!("{id} is submitted")), "{words}");
        assert!(words.contains("JobDefinition stitch not found"), "{words}");
        let request = if as_json {
            let told: Value = serde_json::from_str(&run.stdout).expect("JSON");
            assert_eq!(told["render"]["job_id"], id);
            told["not_submitted"].clone()
        } else {
            let (_, command) = run.stdout.split_once("left to do").expect("what is left");
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
fn frames_that_came_once_are_not_believed() {
    let (batch, server) = (BatchServer::start(), S3Server::start());
    let mut scene = std::fs::read(scene("demo")).unwrap();
    // So that it does not come whole, with a checksum.
    scene.resize(scene.len().max(2 * 1024 * 1024), 0);
    server.put("scene.blend", &scene);
    // The lowest byte of the last frame.
    server.inject(Fault::on(Operation::GetObject).times(1).flip_bit(40));
    let submit = worker("submit").input(server.uri("scene.blend"));
    let submit = submit.args("-o s3://bucket/out --job-queue q --job-definition d -f 5");
    let run = submit.batch(&batch).s3(&server).run().exits(75);
    assert!(run.last_words().contains("in two versions"), "{}", run.last_words());
    assert!(batch.operations().is_empty());
}

#[test]
fn a_scene_on_s3_is_asked_for_its_frames_alone() {
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
    let asked = server.requests().len();
    assert_eq!(asked, 2, "its beginning is read, and compared");
}

#[test]
fn a_scene_that_the_image_is_too_old_for_is_not_submitted() {
    let batch = BatchServer::start();
    let run = submit("-f 5 --blender-version 2.93").batch(&batch).run().exits(65);
    assert!(run.last_words().contains("and Blender 2.93 is to render it"), "{}", run.text());
    // Also where the scene has nothing else to say.
    let run = submit("-f 5 --frames 1-3 --blender-version 2.93").batch(&batch).run();
    run.exits(65).says(&["--allow-missing newer-blender"]);
    assert!(batch.operations().is_empty());
    let jobs = shown(submit("-f 5 --blender-version 2.93 --allow-missing newer-blender,osl"));
    assert_eq!(environment(&jobs["render"])["ALLOW_MISSING"], "newer-blender,osl");
    assert_eq!(environment(&jobs["stitch"]).get("ALLOW_MISSING"), None);
    shown(submit("-f 5 --blender-version 5.2.3"));
    let jobs = shown(submit("-f 5 --denoise off"));
    assert_eq!(environment(&jobs["render"])["DENOISE"], "off");
}

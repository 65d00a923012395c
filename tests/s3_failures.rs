//! What S3 can refuse, and what it loses or spoils for good: the job ends with the exit
//! code that tells Batch whether to try again, and with words that name the URI, the
//! cause as S3 puts it, and what to do. What passes by itself is in `s3_recovery`.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::s3_server::{Fault, Operation, S3Server};
use crate::support::{Run, Worker, ordered_scene, worker};

/// Advice, by exit code.
const CHECK_THE_URI: &str = "what to do: check the URI";
pub const RUN_AGAIN: &str = "what to do: run the job again";
const GIVE_THE_RIGHT: &str = "what to do: give the job's role or user the right";

/// A server with a scene in `a.blend`, and a place to see what Blender did.
pub struct Setting {
    pub server: S3Server,
    pub folder: TempDir,
}

impl Setting {
    /// The scene has frames 1 to 4.
    pub fn new() -> Self {
        Self::with_steps(json!([]))
    }

    /// The stand-in for Blender has orders.
    #[expect(clippy::needless_pass_by_value, reason = "a literal")]
    pub fn with_steps(steps: Value) -> Self {
        let this = Self { server: S3Server::start(), folder: tempfile::tempdir().unwrap() };
        let orders = json!({"steps": steps, "record": this.launches()});
        this.server.put("a.blend", &ordered_scene(1, 4, &orders));
        this
    }

    /// And with these frames, put there by the program itself, in `out`.
    pub fn rendered() -> Self {
        let this = Self::new();
        this.render().run().exits(0);
        this
    }

    pub fn inject(self, fault: Fault) -> Self {
        self.server.inject(fault);
        self
    }

    pub fn render(&self) -> Worker {
        self.render_to(&self.server.uri("a.blend"), &self.server.uri("out"))
    }

    fn render_to(&self, scene: &str, output: &str) -> Worker {
        let job = worker("render").input(scene).output(output).args("-f 4").stand_in_blender();
        job.s3(&self.server).env("AWS_BATCH_JOB_ID", "j0b")
    }

    pub fn stitch(&self) -> Worker {
        let out = self.server.uri("out");
        let job = worker("stitch").input(&out).output(&out).args("-f 4");
        job.s3(&self.server).env("AWS_BATCH_JOB_ID", "j0b")
    }

    fn launches(&self) -> PathBuf {
        self.folder.path().join("launches")
    }

    fn blender_was_started(&self) -> bool {
        self.launches().exists()
    }

    /// The numbers of the frames that are stored.
    pub fn frames(&self) -> Vec<String> {
        let keys = self.server.keys("out/frames/");
        let name = |key: String| key["out/frames/".len()..].trim_end_matches(".png").to_owned();
        keys.into_iter().map(name).collect()
    }

    fn report(&self) -> Value {
        let report = self.server.get("out/reports/render-j0b-attempt-1.json");
        serde_json::from_slice(&report.expect("a report")).unwrap()
    }
}

/// Asserts how a run ended, and that its last words have all of `words`.
#[track_caller]
pub fn ends(run: Run, code: i32, words: &[&str]) -> Run {
    let run = run.exits(code);
    let said = run.last_words();
    for word in words {
        assert!(said.contains(word), "{word:?} is not in the last words: {said}");
    }
    run
}

/// Takes away the credentials that every job here has.
pub fn without_credentials(command: &mut Command) {
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
}

/// An address at which nobody listens: no port of it is ever handed out.
const NOWHERE: &str = "http://127.0.0.1:1";

// What does not pass --------------------------------------------------------------------

#[test]
fn what_is_not_there_is_missing() {
    let setting = Setting::new();
    let (scene, out) = (setting.server.uri("a.blend"), setting.server.uri("out"));
    let no_scene = setting.server.uri("no such.blend");
    let run = setting.render_to(&no_scene, &out).run();
    ends(run, 66, &[&format!("cannot read {no_scene}"), "NoSuchKey", "404", CHECK_THE_URI]);

    let no_bucket = "s3://no-such-bucket/a";
    let cause = "there is no bucket \"no-such-bucket\"";
    let run = setting.render_to(no_bucket, &out).run();
    ends(run, 66, &[&format!("cannot read {no_bucket}"), cause, CHECK_THE_URI]);
    let run = setting.render_to(&scene, no_bucket).run();
    ends(run, 66, &[&format!("cannot write {no_bucket}"), cause, CHECK_THE_URI]);

    ends(setting.stitch().run(), 66, &["no numbered images", &out, CHECK_THE_URI]);
    assert!(!setting.blender_was_started());
}

#[test]
fn render_ends_with_the_cause_when_the_scene_cannot_be_had() {
    use Operation::GetObject;
    for (fault, code, words) in [
        (Fault::on(GetObject).respond(403, "AccessDenied"), 77, ["AccessDenied", GIVE_THE_RIGHT]),
        (Fault::on(GetObject).respond(503, "SlowDown"), 75, ["SlowDown", RUN_AGAIN]),
        (Fault::on(GetObject).respond(500, "InternalError"), 75, ["InternalError", RUN_AGAIN]),
        (Fault::on(GetObject).respond(429, "TooManyRequests"), 75, ["TooManyRequests", RUN_AGAIN]),
        (
            Fault::on(GetObject).respond(403, "RequestTimeTooSkewed"),
            75,
            ["RequestTimeTooSkewed", RUN_AGAIN],
        ),
        (Fault::on(GetObject).reset(), 75, ["reset", RUN_AGAIN]),
        (Fault::on(GetObject).close(), 75, ["connection closed", RUN_AGAIN]),
        (Fault::on(GetObject).truncate_body(40), 75, ["body", RUN_AGAIN]),
        (Fault::on_any().respond(403, "AccessDenied"), 77, ["AccessDenied", GIVE_THE_RIGHT]),
    ] {
        let setting = Setting::new().inject(fault);
        let read = format!("cannot read {}", setting.server.uri("a.blend"));
        let run = ends(setting.render().run(), code, &words);
        ends(run, code, &[&read]);
        assert!(!setting.blender_was_started());
    }
}

#[test]
fn nothing_is_decided_by_a_beginning_that_was_spoilt_on_its_way() {
    // Frame 1 to 9; too large to come in one request, with a checksum.
    let mut scene = ordered_scene(1, 9, &json!({}));
    scene.resize(2 * 1024 * 1024, 0);
    let no_scene = vec![0; scene.len()];
    let index = |job: Worker, index: &str| {
        job.env("AWS_BATCH_JOB_ARRAY_SIZE", "3").env("AWS_BATCH_JOB_ARRAY_INDEX", index)
    };
    // The magic word, and the last frame: with 8 of them the third job had nothing to do.
    for (at, index_of_job) in [(0, "0"), (40, "2")] {
        let setting = Setting::new().inject(Fault::on(Operation::GetObject).times(1).flip_bit(at));
        setting.server.put("a.blend", &scene);
        let job = index(setting.render().args("-t scene"), index_of_job);
        ends(job.run(), 75, &["in two versions", RUN_AGAIN]);
        assert!(!setting.blender_was_started());

        setting.server.put("a.blend", &no_scene);
        let job = index(setting.render().args("-t scene"), index_of_job);
        ends(job.run(), 65, &["is no usable scene"]);
    }
}

#[test]
fn stitch_ends_with_the_cause_when_something_cannot_be_had_or_stored() {
    use Operation::{GetObject, ListObjectsV2, PutObject};
    for (fault, code, words) in [
        (
            Fault::on(ListObjectsV2).respond(403, "AccessDenied"),
            77,
            ["cannot list s3://render-test/out/frames", "AccessDenied", GIVE_THE_RIGHT],
        ),
        (
            Fault::on(ListObjectsV2).respond(503, "SlowDown"),
            75,
            ["cannot list s3://render-test/out/frames", "SlowDown", RUN_AGAIN],
        ),
        (
            Fault::on(ListObjectsV2).truncate_body(100),
            75,
            ["cannot list s3://render-test/out/frames", "end of file", RUN_AGAIN],
        ),
        (
            // As a proxy may answer that has something else to say.
            Fault::on(ListObjectsV2).respond(200, "Welcome"),
            75,
            ["cannot list s3://render-test/out/frames", "Welcome", RUN_AGAIN],
        ),
        (
            Fault::on(GetObject).key("0003.png").respond(403, "AccessDenied"),
            77,
            ["cannot read s3://render-test/out/frames/0003.png", "AccessDenied", GIVE_THE_RIGHT],
        ),
        (
            Fault::on(GetObject).key("0003.png").respond(503, "SlowDown"),
            75,
            ["cannot read s3://render-test/out/frames/0003.png", "SlowDown", RUN_AGAIN],
        ),
        (
            Fault::on(GetObject).key("0004.png").respond(404, "NoSuchKey"),
            66,
            ["cannot read s3://render-test/out/frames/0004.png", "NoSuchKey", CHECK_THE_URI],
        ),
        (
            Fault::on(PutObject).key("output.mp4").respond(403, "AccessDenied"),
            77,
            ["cannot write s3://render-test/out/output.mp4", "AccessDenied", GIVE_THE_RIGHT],
        ),
        (
            Fault::on(PutObject).key("output.mp4").respond(503, "SlowDown"),
            75,
            ["cannot write s3://render-test/out/output.mp4", "SlowDown", RUN_AGAIN],
        ),
    ] {
        let setting = Setting::rendered().inject(fault);
        ends(setting.stitch().run(), code, &words);
        assert_eq!(setting.server.get("out/output.mp4"), None);
    }
}

#[test]
fn who_may_not_write_is_told_before_anything_is_rendered() {
    let denied = || Fault::on(Operation::PutObject).respond(403, "AccessDenied");
    let setting = Setting::new().inject(denied());
    let words = ["cannot write s3://render-test/out/", "AccessDenied", GIVE_THE_RIGHT];
    ends(setting.render().run(), 77, &words);
    assert!(!setting.blender_was_started());

    let setting = Setting::rendered().inject(denied());
    ends(setting.stitch().run(), 77, &words).never_says(&["starting ", "ffmpeg"]);
}

#[test]
fn a_frame_that_cannot_be_stored_is_named_and_the_others_are_stored() {
    let put = Fault::on(Operation::PutObject).key("0003.png");
    let setting = Setting::new().inject(put.respond(503, "SlowDown"));
    let run = setting.render().run();
    let uri = setting.server.uri("out/frames/0003.png");
    ends(run, 75, &["frame 3 is not stored", &uri, "SlowDown", RUN_AGAIN]);
    assert_eq!(setting.frames(), ["0001", "0002", "0004"]);

    let report = setting.report();
    assert_eq!((&report["status"], &report["exit_code"]), (&json!("failed"), &json!(75)));
    let stored: Vec<_> = report["frames"].as_object().unwrap().keys().collect();
    assert_eq!(stored, ["1", "2", "4"]);
    assert!(report["cause"].as_str().unwrap().contains("SlowDown"), "{report}");
}

#[test]
fn when_storing_is_denied_blender_is_stopped() {
    // Only being stopped can end this Blender.
    let setting = Setting::with_steps(json!([{"at": 4, "do": "hang"}]));
    let put = Fault::on(Operation::PutObject).key("0003.png");
    let setting = setting.inject(put.respond(403, "AccessDenied"));
    let run = setting.render().run();
    let uri = setting.server.uri("out/frames/0003.png");
    ends(run, 77, &["frames 3-4 are not stored", &uri, "AccessDenied", GIVE_THE_RIGHT]);
    assert_eq!(setting.frames(), ["0001", "0002"]);
    assert_eq!(setting.report()["exit_code"], 77);
}

#[test]
fn the_report_of_a_failure_says_its_cause() {
    let get = Fault::on(Operation::GetObject).respond(403, "AccessDenied");
    let setting = Setting::new().inject(get);
    let run = setting.render().run().exits(77);
    let report = setting.report();
    assert_eq!((&report["status"], &report["exit_code"]), (&json!("failed"), &json!(77)));
    let cause = report["cause"].as_str().unwrap();
    assert!(cause.contains("cannot read s3://render-test/a.blend: AccessDenied"), "{cause}");
    assert!(run.last_words().starts_with(cause), "{}", run.last_words());
}

// The way to S3 --------------------------------------------------------------------

#[test]
fn a_server_that_cannot_be_reached_can_be_tried_again() {
    let setting = Setting::new();
    let scene = setting.server.uri("a.blend");
    for (endpoint, cause) in [
        (NOWHERE, "Connection refused"),
        ("http://no-such-host.invalid", "cannot resolve the host name"),
    ] {
        let run = setting.render().env("AWS_ENDPOINT_URL", endpoint).run();
        ends(run, 75, &[&scene, cause, RUN_AGAIN]);
    }
    assert_eq!(setting.server.requests().len(), 0);
}

#[test]
fn the_endpoint_for_s3_wins_over_the_general_one() {
    let setting = Setting::new();
    let endpoint = setting.server.endpoint();
    let render = setting.render().env("AWS_ENDPOINT_URL", NOWHERE);
    render.env("AWS_ENDPOINT_URL_S3", endpoint).run().exits(0);
    assert_eq!(setting.frames().len(), 4);
}

#[test]
pub fn without_credentials_the_job_can_be_tried_again() {
    let setting = Setting::new();
    let run = setting.render().with(without_credentials).run();
    ends(run, 75, &[&setting.server.uri("a.blend"), "credentials", RUN_AGAIN]);
    assert_eq!(setting.server.requests().len(), 0);
}

#[test]
fn credentials_that_are_not_accepted_are_no_missing_right() {
    const OTHERS: &str = "give it credentials that are accepted";
    let setting = Setting::new();
    let run = setting.render().env("AWS_SECRET_ACCESS_KEY", "wrong").run();
    let uri = setting.server.uri("a.blend");
    ends(run, 77, &[&uri, "SignatureDoesNotMatch", OTHERS]).never_says(&[GIVE_THE_RIGHT]);
    for (status, code) in
        [(403, "InvalidAccessKeyId"), (400, "InvalidToken"), (400, "ExpiredToken")]
    {
        let setting = Setting::new().inject(Fault::on_any().respond(status, code));
        ends(setting.render().run(), 77, &[code, OTHERS]).never_says(&[GIVE_THE_RIGHT]);
    }
}

#[test]
fn what_a_store_cannot_do_or_hand_out_is_told_as_that() {
    for (status, code, exit, advice) in [
        (403, "InvalidObjectState", 66, "restore the object"),
        (501, "NotImplemented", 77, "check that it is the store you mean"),
        (405, "MethodNotAllowed", 77, "check that it is the store you mean"),
        (400, "KeyTooLongError", 2, "correct what it names"),
        (403, "AccessDenied", 77, "--request-payer requester (REQUEST_PAYER)"),
    ] {
        let get = Fault::on(Operation::GetObject).respond(status, code);
        let setting = Setting::new().inject(get);
        ends(setting.render().run(), exit, &[code, advice]);
        let tried = setting.server.requests();
        let tried = tried.iter().filter(|request| request.operation == Operation::GetObject);
        assert_eq!(tried.count(), 1, "{code}");
    }
}

#[test]
fn a_directory_bucket_that_is_not_there_is_missing() {
    let setting = Setting::new();
    setting.server.inject(Fault::on_any().respond(404, "NoSuchBucket"));
    let inspect = worker("inspect").input("s3://gone--use1-az4--x-s3/a.blend").s3(&setting.server);
    ends(inspect.run(), 66, &["gone--use1-az4--x-s3", CHECK_THE_URI]);
    assert_eq!(setting.server.requests().len(), 1);
}

#[test]
fn who_pays_for_requests_is_said_in_each_of_them() {
    let setting = Setting::rendered();
    let before = setting.server.requests().len();
    assert!(setting.server.requests().iter().all(|r| r.header("x-amz-request-payer").is_none()));
    setting.render().args("--no-resume --request-payer requester").run().exits(0);
    setting.stitch().env("REQUEST_PAYER", "requester").run().exits(0);
    let inspect = worker("inspect").input(setting.server.uri("a.blend")).s3(&setting.server);
    inspect.env("REQUEST_PAYER", "requester").run();
    let requests = setting.server.requests();
    assert!(requests.len() > before + 10, "{}", requests.len());
    for request in &requests[before..] {
        assert_eq!(request.header("x-amz-request-payer"), Some("requester"), "{request:?}");
    }
    setting.render().args("--request-payer me").run().exits(2).says(&["REQUEST_PAYER"]);
}

#[test]
fn a_region_that_cannot_be_one_is_named() {
    let setting = Setting::new();
    let render = setting.render().env("AWS_REGION", "eu west/1");
    // Only AWS's own host names are made of it.
    let run = render.with(|command| _ = command.env_remove("AWS_ENDPOINT_URL")).run();
    ends(run, 2, &[&setting.server.uri("a.blend"), "AWS_REGION: `eu west/1`"]);
}

//! Permanent failures of S3. The exit code tells Batch whether to run the job again. The final
//! error names the URI, the cause in the words of S3, and what to do. Temporary failures are in
//! `s3_recovery`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::s3_server::{Fault, Operation, S3Server};
use crate::support::{Run, Worker, fixture, ordered_scene, worker};

/// The advice for exit code 66; below, for 75 and 77.
const CHECK_THE_URI: &str = "what to do: check the URI";
pub const RUN_AGAIN: &str = "what to do: run the job again";
const GIVE_THE_RIGHT: &str = "what to do: grant the job's role or user this permission";

/// An S3 server with a scene in `a.blend`, and a folder for the stand-in's records.
pub struct Setting {
    pub server: S3Server,
    pub folder: TempDir,
}

impl Setting {
    /// Creates a scene of frames 1 to 4.
    pub fn new() -> Self {
        Self::with_steps(json!([]))
    }

    /// Creates a scene with orders for the stand-in.
    #[expect(clippy::needless_pass_by_value, reason = "a literal")]
    pub fn with_steps(steps: Value) -> Self {
        let this = Self { server: S3Server::start(), folder: tempfile::tempdir().unwrap() };
        let orders = json!({"steps": steps, "record": this.launches()});
        this.server.put("a.blend", &ordered_scene(1, 4, &orders));
        this
    }

    /// Creates a scene and renders its frames to `out`.
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

    /// Returns the numbers of the stored frames.
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

/// Asserts the exit code and the texts of the final error.
#[track_caller]
pub fn ends(run: Run, code: i32, texts: &[&str]) -> Run {
    let run = run.exits(code);
    let error = run.final_error();
    for text in texts {
        assert!(error.contains(text), "{text:?} is not in {error:?}");
    }
    run
}

/// Removes the credentials from the environment.
pub fn without_credentials(command: &mut Command) {
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
}

/// An address without a listener: the system never assigns this port.
const NOWHERE: &str = "http://127.0.0.1:1";

// Permanent failures --------------------------------------------------------------------

#[test]
fn objects_and_buckets_that_do_not_exist_are_missing_input() {
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
fn if_the_scene_cannot_be_fetched_render_ends_with_the_cause() {
    use Operation::GetObject;
    for (fault, code, texts) in [
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
        let run = ends(setting.render().run(), code, &texts);
        ends(run, code, &[&read]);
        assert!(!setting.blender_was_started());
    }
}

#[test]
fn a_corrupt_beginning_of_a_scene_decides_nothing() {
    // Frames 1 to 9; too large for one request, so its beginning has no checksum.
    let mut scene = ordered_scene(1, 9, &json!({}));
    scene.resize(2 * 1024 * 1024, 0);
    let no_scene = vec![0; scene.len()];
    let index = |job: Worker, index: &str| {
        job.env("AWS_BATCH_JOB_ARRAY_SIZE", "3").env("AWS_BATCH_JOB_ARRAY_INDEX", index)
    };
    // A bit of the magic bytes, and one of the last frame: with 8 frames, the third job would have
    // nothing to do.
    for (at, index_of_job) in [(0, "0"), (40, "2")] {
        let setting = Setting::new().inject(Fault::on(Operation::GetObject).times(1).flip_bit(at));
        setting.server.put("a.blend", &scene);
        let job = index(setting.render().args("-t scene"), index_of_job);
        ends(job.run(), 75, &["in two versions", RUN_AGAIN]);
        assert!(!setting.blender_was_started());

        setting.server.put("a.blend", &no_scene);
        let job = index(setting.render().args("-t scene"), index_of_job);
        ends(job.run(), 65, &["is not a usable scene"]);
    }
}

#[test]
fn if_a_listing_a_frame_or_the_video_fails_stitch_ends_with_the_cause() {
    use Operation::{GetObject, ListObjectsV2, PutObject};
    for (fault, code, texts) in [
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
            // As from a proxy with a login page.
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
        ends(setting.stitch().run(), code, &texts);
        assert_eq!(setting.server.get("out/output.mp4"), None);
    }
}

#[test]
fn without_permission_to_write_the_job_ends_before_blender_or_ffmpeg_starts() {
    let denied = || Fault::on(Operation::PutObject).respond(403, "AccessDenied");
    let setting = Setting::new().inject(denied());
    let texts = ["cannot write s3://render-test/out/", "AccessDenied", GIVE_THE_RIGHT];
    ends(setting.render().run(), 77, &texts);
    assert!(!setting.blender_was_started());

    let setting = Setting::rendered().inject(denied());
    let path = |name: &str| setting.folder.path().join(name);
    symlink(fixture("stand-ins/ffmpeg"), path("ffmpeg")).unwrap();
    let orders = json!({"record": path("ffmpeg-launches")}).to_string();
    fs::write(path("ffmpeg.orders"), orders).unwrap();
    ends(setting.stitch().arg("--ffmpeg").arg(path("ffmpeg")).run(), 77, &texts);
    assert!(!path("ffmpeg-launches").exists());
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
fn if_a_frame_may_not_be_stored_blender_is_stopped() {
    // This Blender never ends by itself.
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
fn the_report_of_a_failure_has_its_cause() {
    let get = Fault::on(Operation::GetObject).respond(403, "AccessDenied");
    let setting = Setting::new().inject(get);
    let run = setting.render().run().exits(77);
    let report = setting.report();
    assert_eq!((&report["status"], &report["exit_code"]), (&json!("failed"), &json!(77)));
    let cause = report["cause"].as_str().unwrap();
    assert!(cause.contains("cannot read s3://render-test/a.blend: AccessDenied"), "{cause}");
    assert!(run.final_error().starts_with(cause), "{}", run.final_error());
}

// Endpoints, credentials and settings ------------------------------------------------------

#[test]
fn an_unreachable_server_ends_the_job_with_a_retryable_code() {
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
fn the_endpoint_for_s3_overrides_the_general_one() {
    let setting = Setting::new();
    let endpoint = setting.server.endpoint();
    let render = setting.render().env("AWS_ENDPOINT_URL", NOWHERE);
    render.env("AWS_ENDPOINT_URL_S3", endpoint).run().exits(0);
    assert_eq!(setting.frames().len(), 4);
}

#[test]
fn missing_credentials_end_the_job_with_a_retryable_code() {
    let setting = Setting::new();
    let run = setting.render().with(without_credentials).run();
    ends(run, 75, &[&setting.server.uri("a.blend"), "credentials", RUN_AGAIN]);
    assert_eq!(setting.server.requests().len(), 0);
}

#[test]
fn rejected_credentials_and_missing_permissions_have_different_advice() {
    const OTHERS: &str = "use valid credentials";
    let setting = Setting::new();
    let run = setting.render().env("AWS_SECRET_ACCESS_KEY", "wrong").run();
    let uri = setting.server.uri("a.blend");
    ends(run, 77, &[&uri, "SignatureDoesNotMatch", OTHERS]);
    for (status, code) in
        [(403, "InvalidAccessKeyId"), (400, "InvalidToken"), (400, "ExpiredToken")]
    {
        let setting = Setting::new().inject(Fault::on_any().respond(status, code));
        ends(setting.render().run(), 77, &[code, OTHERS]);
    }
}

#[test]
fn archived_objects_and_unsupported_operations_are_reported_and_not_retried() {
    for (status, code, exit, advice) in [
        (403, "InvalidObjectState", 66, "restore the object"),
        (501, "NotImplemented", 77, "check that this is the store you mean"),
        (405, "MethodNotAllowed", 77, "check that this is the store you mean"),
        (400, "KeyTooLongError", 2, "correct the value that the message names"),
        (403, "AccessDenied", 77, "--request-payer requester (REQUEST_PAYER)"),
    ] {
        let get = Fault::on(Operation::GetObject).respond(status, code);
        let setting = Setting::new().inject(get);
        ends(setting.render().run(), exit, &[code, advice]);
        assert_eq!(setting.server.count(Operation::GetObject), 1, "{code}");
    }
}

#[test]
fn a_directory_bucket_that_does_not_exist_is_missing_input() {
    let setting = Setting::new();
    setting.server.inject(Fault::on_any().respond(404, "NoSuchBucket"));
    let inspect = worker("inspect").input("s3://gone--use1-az4--x-s3/a.blend").s3(&setting.server);
    ends(inspect.run(), 66, &["gone--use1-az4--x-s3", CHECK_THE_URI]);
    assert_eq!(setting.server.requests().len(), 1);
}

#[test]
fn request_payer_is_sent_with_every_request() {
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
    setting.render().args("--request-payer me").run().exits(2).logs(&["REQUEST_PAYER"]);
}

#[test]
fn an_invalid_region_is_named() {
    let setting = Setting::new();
    let render = setting.render().env("AWS_REGION", "eu west/1");
    // Only host names of AWS contain the region.
    let run = render.with(|command| _ = command.env_remove("AWS_ENDPOINT_URL")).run();
    ends(run, 2, &[&setting.server.uri("a.blend"), "AWS_REGION: `eu west/1`"]);
}

//! `serve`: outputs that the page watches. What they have, what changes, their pictures, and what may be
//! read.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::batch_server::BatchServer;
use crate::support::frames::{self, frame};
use crate::support::place::Place;
use crate::support::s3_server::{Operation, S3Server};
use crate::support::server::Server;
use crate::support::{Worker, fixture, scene, wait_until, worker};

/// A server that may watch the outputs in `folder`.
fn server(folder: &Path) -> Server {
    server_with(folder, |worker| worker)
}

fn server_with(folder: &Path, change: impl FnOnce(Worker) -> Worker) -> Server {
    let data = folder.join("server-data");
    Server::start_with(&data, |worker| change(worker.env("WATCH_DIR", folder)))
}

/// Adds an output, and returns its path in the API.
fn add(server: &Server, uri: impl AsRef<Path>) -> String {
    let output = server.json("POST", "/api/outputs", &json!({"uri": uri.as_ref()}));
    format!("/api/outputs/{}", output["id"].as_str().unwrap())
}

fn show(server: &Server, path: &str) -> Value {
    server.json("GET", path, &Value::Null)
}

/// The events of an output.
struct Events(BufReader<TcpStream>);

impl Events {
    fn follow(server: &Server, path: &str) -> Self {
        let mut stream = server.connect();
        let host = server.authority();
        write!(stream, "GET {path}/events HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
        Self(BufReader::new(stream))
    }

    /// The next event.
    fn next(&mut self) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream has ended");
            if let Some(data) = line.strip_prefix("data: ") {
                return serde_json::from_str(data).unwrap();
            }
        }
    }

    /// The first event of which something is true.
    fn until(&mut self, is: impl Fn(&Value) -> bool) -> Value {
        loop {
            let event = self.next();
            if is(&event) {
                return event;
            }
        }
    }
}

fn set_modified(file: &Path, at: SystemTime) {
    fs::File::options().write(true).open(file).unwrap().set_modified(at).unwrap();
}

#[test]
fn a_render_is_watched_from_its_first_frame_to_its_video() {
    let place = Place::ordered_with(
        |place| json!([{"at": 3, "do": "wait_for_file", "path": place.path("go")}]),
    );
    let out = place.path("out");
    fs::create_dir(&out).unwrap();
    let server = server(place.folder());
    let path = add(&server, &out);
    assert_eq!(show(&server, &path)["figures"]["stored"], 0);
    let mut events = Events::follow(&server, &path);
    let revision = events.next();
    assert_eq!(revision["revision"], show(&server, &path)["revision"]);
    assert_eq!(revision.as_object().unwrap().len(), 1);

    let render = place.stand_in().env("NO_PREVIEWS", "false").start();
    let event = events.until(|event| event["figures"]["stored"] == 2);
    let figures = &event["figures"];
    assert_eq!((&figures["total"], &figures["pending"]), (&json!(12), &json!(10)));
    assert_eq!(figures["running"], 1);
    let whole = show(&server, &path);
    assert_eq!(whole["frames"]["standing"], "sspppppppppp");
    let attempt = &whole["attempts"][0];
    assert_eq!((&attempt["activity"], &attempt["done"]), (&json!("running"), &json!(2)));
    assert_eq!((&attempt["asked"], &attempt["count"]), (&json!("1-12"), &json!(12)));

    fs::write(place.path("go"), "").unwrap();
    let event = events.until(|event| event["figures"]["running"] == 0);
    assert_eq!(event["figures"]["stored"], 12);
    assert_eq!(event["attempts"][0]["activity"], "succeeded");
    render.finish().exits(0);
    let whole = show(&server, &path);
    let seconds = whole["frames"]["seconds"].as_array().unwrap();
    assert!(seconds.iter().all(Value::is_f64), "{seconds:?}");

    let video = server.send("GET", &format!("{path}/video"), b"");
    assert_eq!(video.status, 404, "{video:?}");
    worker("stitch").input(&out).output(&out).args("--fps 5").run().exits(0);
    let event = events.until(|event| event["video"].is_object());
    assert_eq!(event["video"]["name"], "output.mp4");
    let stored = fs::read(out.join("output.mp4")).unwrap();
    let video = server.send("GET", &format!("{path}/video"), b"");
    assert_eq!((video.status, video.header("content-type")), (200, Some("video/mp4")));
    assert_eq!(video.body, stored);
    let host = ("Host", server.authority());
    let range = [host, ("Range", "bytes=10-19")];
    let part = server.send_with("GET", &format!("{path}/video"), &range, b"");
    assert_eq!((part.status, &part.body[..]), (206, &stored[10..20]));
}

#[test]
fn what_a_real_blender_has_rendered_is_shown_in_its_own_view() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let render = worker("render").input(scene("exr")).output(&out);
    render.args("--frames 1-2 --samples 1 --denoise off --resolution 64x48").run().exits(0);
    let server = server(folder.path());
    let path = add(&server, &out);
    let whole = show(&server, &path);
    assert_eq!(whole["frames"]["extension"], "exr");
    assert_eq!((&whole["figures"]["stored"], &whole["size"]), (&json!(2), &json!([64, 48])));
    let full = server.send("GET", &format!("{path}/frames/0001.exr"), b"");
    assert_eq!((full.status, full.header("content-type")), (200, Some("image/jpeg")));
    let full = image::load_from_memory(&full.body).unwrap().to_rgb8();
    // The preview that `render` has stored is in the view of the scene.
    let preview = server.send("GET", &format!("{path}/previews/0001.exr"), b"");
    assert_eq!(preview.body, fs::read(out.join("previews/0001.jpg")).unwrap());
    let preview = image::load_from_memory(&preview.body).unwrap().to_rgb8();
    assert_eq!(full.dimensions(), preview.dimensions());
    let pairs = full.as_raw().iter().zip(preview.as_raw());
    let difference: u64 = pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    assert!(difference / (full.as_raw().len() as u64) < 4, "{difference}");
    let file = server.send("GET", &format!("{path}/frames/0001.exr?download"), b"");
    assert_eq!(file.body, fs::read(out.join("frames/0001.exr")).unwrap());
    assert!(file.header("content-disposition").unwrap().starts_with("attachment"), "{file:?}");
}

#[test]
fn an_output_without_reports_has_frames_and_thumbnails() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    fs::create_dir_all(out.join("frames")).unwrap();
    for n in [1, 2, 10] {
        let file = out.join(format!("frames/{n:04}.png"));
        fs::write(&file, frame(n)).unwrap();
        set_modified(&file, SystemTime::now() - Duration::from_mins(1) * n.unsigned_abs());
    }
    fs::write(out.join("frames/.0003.png.part"), "half").unwrap();
    fs::write(out.join("frames/0011.png"), &frame(1)[..40]).unwrap();
    fs::write(out.join("output.mp4"), "video").unwrap();
    let server = server(folder.path());
    let path = add(&server, &out);
    let whole = show(&server, &path);
    assert_eq!(whole["frames"]["number"], json!([1, 2, 10, 11]));
    let figures = &whole["figures"];
    assert_eq!((&figures["stored"], &figures["total"]), (&json!(4), &Value::Null));
    assert_eq!((&whole["attempts"], &whole["video"]["size"]), (&json!([]), &json!(5)));
    let version =
        whole["frames"]["from"].as_u64().unwrap() + whole["frames"]["picture"][1].as_u64().unwrap();
    let of = |name: &str| server.send("GET", &format!("{path}/previews/{name}?of={version}"), b"");
    let preview = of("0002.png");
    assert_eq!((preview.status, preview.header("content-type")), (200, Some("image/jpeg")));
    assert!(preview.header("cache-control").unwrap().contains("immutable"), "{preview:?}");
    assert!(!of("0001.png").header("cache-control").unwrap().contains("immutable"));
    let damaged = of("0011.png");
    assert_eq!((damaged.status, &damaged.json()["picture"]), (422, &json!("0011.png")));
    assert_eq!(server.send("GET", &format!("{path}/frames/0002.png"), b"").body, frame(2));
    assert_eq!(of("0003.png").status, 404);
}

#[test]
fn the_preview_of_the_version_before_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    frames::write(&out.join("frames"), [1, 2]);
    let server = server(folder.path());
    let path = add(&server, &out);
    assert_eq!(show(&server, &path)["frames"]["renders"], json!({}));
    let preview =
        |query: &str| server.send("GET", &format!("{path}/previews/0001.png{query}"), b"");
    let first = preview("");
    assert_eq!(first.status, 200);
    assert_eq!(preview("?before").status, 404);
    let file = out.join("frames/0001.png");
    fs::write(&file, frame(9)).unwrap();
    set_modified(&file, SystemTime::now() + Duration::from_mins(1));
    let mut events = Events::follow(&server, &path);
    wait_until("the new version", || show(&server, &path)["frames"]["renders"] == json!({"0": 2}));
    events.next();
    assert_eq!(preview("?before").body, first.body);
    let second = preview("");
    assert_ne!(second.body, first.body);
    assert_eq!(preview("?before").body, first.body);
}

#[test]
fn failed_and_missing_frames_are_told_with_their_causes() {
    let place = Place::ordered(&json!([{"at": 3, "do": "crash"}]));
    let out = place.path("out");
    place.stand_in().args("--blender-attempts 1").run().exits(70);
    fs::write(out.join("reports/render-x.json"), "{\"schema\": 1").unwrap();
    let server = server(place.folder());
    let whole = show(&server, &add(&server, &out));
    assert_eq!(&whole["frames"]["standing"].as_str().unwrap()[..3], "ssf");
    let failures = whole["figures"]["failures"].as_array().unwrap();
    assert!(failures.iter().any(|group| group["exit_codes"] == json!([70])), "{failures:?}");
    let of_frame = failures.iter().find(|group| group["frames"] == "3").unwrap();
    assert!(of_frame["cause"].as_str().unwrap().contains("crashed"), "{of_frame}");
    assert_eq!(whole["skipped"], 1);
    assert_eq!(whole["attempts"][0]["exit_code"], 70);
}

#[test]
fn an_output_on_s3_is_watched_and_read_only_while_somebody_does() {
    let (s3, folder) = (S3Server::start(), tempfile::tempdir().unwrap());
    for n in 1..=3 {
        s3.put(&format!("shot/frames/{n:04}.png"), &frame(n));
    }
    let video: Vec<_> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    s3.put("shot/output.mp4", &video);
    let server = server_with(folder.path(), |worker| worker.s3(&s3));
    let path = add(&server, s3.uri("shot"));
    let lists = || s3.count(Operation::ListObjectsV2);
    assert_eq!(lists(), 0, "nobody has watched yet");
    let whole = show(&server, &path);
    assert_eq!((&whole["figures"]["stored"], &whole["error"]), (&json!(3), &Value::Null));
    let once = lists();
    // Several watchers cause no more looks than one.
    for _ in 0..3 {
        show(&server, &path);
    }
    assert_eq!(lists(), once);
    let mut events = Events::follow(&server, &path);
    events.next();
    s3.put("shot/frames/0004.png", &frame(4));
    let event = events.until(|event| event["figures"]["stored"] == 4);
    assert_eq!(event["frames"]["number"], json!([4]));
    let preview = server.send("GET", &format!("{path}/previews/0004.png"), b"");
    assert_eq!(preview.status, 200, "{preview:?}");
    assert_eq!(server.send("GET", &format!("{path}/frames/0003.png"), b"").body, frame(3));
    let host = ("Host", server.authority());
    let at = format!("{path}/video");
    assert!(server.send("GET", &at, b"").body == video);
    for (range, expected) in [
        ("bytes=0-4", &video[..5]),
        ("bytes=1048570-1048580", &video[1_048_570..1_048_581]),
        ("bytes=2500000-", &video[2_500_000..]),
        ("bytes=1000000-2900000", &video[1_000_000..2_900_001]),
    ] {
        let part = server.send_with("GET", &at, &[host, ("Range", range)], b"");
        assert_eq!((part.status, part.body == expected), (206, true), "{range}");
    }
    // The bucket is gone: the page says so, and keeps what it knows.
    let lost = add(&server, "s3://no-such-bucket-of-ours/shot");
    let whole = show(&server, &lost);
    assert!(whole["error"].as_str().unwrap().contains("no-such-bucket-of-ours"), "{whole}");
}

#[test]
fn the_jobs_on_batch_are_told_in_one_line_each() {
    let (batch, folder) = (BatchServer::start(), tempfile::tempdir().unwrap());
    let out = folder.path().join("out");
    fs::create_dir_all(out.join("reports")).unwrap();
    let job = "11111111-aaaa-bbbb-cccc-ddddeeeeffff";
    for index in 0..2 {
        let report = json!({
            "schema": 1, "action": "render", "status": "running", "job_id": format!("{job}:{index}"),
            "started": "2026-11-29T10:00:00.000Z", "frames_asked": "1-2", "array_index": index,
        });
        fs::write(out.join(format!("reports/render-{index}.json")), report.to_string()).unwrap();
    }
    batch.set_job(json!({
        "jobId": job, "jobArn": format!("arn:aws:batch:eu-central-1:123456789012:job/{job}"),
        "jobName": "shot", "jobQueue": "q", "jobDefinition": "d", "status": "PENDING",
        "startedAt": 1, "arrayProperties": {"size": 2, "statusSummary": {"RUNNING": 2}},
    }));
    let asked = server_with(folder.path(), |worker| worker.batch(&batch));
    let jobs = show(&asked, &format!("{}/jobs", add(&asked, &out)));
    assert_eq!(jobs["why"], Value::Null);
    assert_eq!(jobs["jobs"].as_array().unwrap().len(), 1, "{jobs}");
    let text = jobs["jobs"][0]["text"].as_str().unwrap();
    assert!(text.contains("shot") && text.contains("2 running"), "{text}");
    asked.stop().exits(143);

    // Without a region, AWS cannot be asked. That fails nothing.
    let alone =
        server_with(folder.path(), |worker| worker.env("AWS_EC2_METADATA_DISABLED", "true"));
    let jobs = show(&alone, &format!("{}/jobs", add(&alone, &out)));
    assert_eq!(jobs["jobs"], json!([]));
    assert!(jobs["why"].is_string(), "{jobs}");
}

#[test]
fn outputs_are_remembered_and_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    frames::write(&out.join("frames"), [1]);
    let first = server(folder.path());
    let path = add(&first, &out);
    assert_eq!(add(&first, folder.path().join("out/.")), path, "it is there already");
    show(&first, &path);
    let listed = show(&first, "/api/outputs");
    assert_eq!(listed["outputs"].as_array().unwrap().len(), 1);
    assert_eq!(listed["folders"], json!([folder.path()]));
    first.stop().exits(143);
    let again = server(folder.path());
    assert_eq!(show(&again, &path)["figures"]["stored"], 1);
    assert_eq!(again.send("DELETE", &path, b"").status, 204);
    assert_eq!(again.send("GET", &path, b"").status, 404);
    assert!(out.join("frames/0001.png").exists(), "the output itself stays");
    again.stop().exits(143);
    let last = server(folder.path());
    assert_eq!(show(&last, "/api/outputs")["outputs"], json!([]));
}

#[test]
fn nothing_but_outputs_in_allowed_folders_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in ["in/shot/frames", "in/linked", "out/frames"] {
        fs::create_dir_all(path(name)).unwrap();
    }
    fs::write(path("out/frames/0001.png"), frame(1)).unwrap();
    fs::write(path("in/shot/frames/0001.png"), frame(1)).unwrap();
    symlink(path("out/frames/0001.png"), path("in/shot/frames/0002.png")).unwrap();
    symlink("/etc/passwd", path("in/shot/frames/0003.png")).unwrap();
    symlink(path("out/frames"), path("in/linked/frames")).unwrap();
    symlink(path("out"), path("in/away")).unwrap();
    let data = path("data");
    let server = Server::start_with(&data, |worker| worker.arg("--watch").arg(path("in")));
    let refused = |uri: &str| {
        let body = json!({"uri": uri}).to_string();
        let answer = server.send("POST", "/api/outputs", body.as_bytes());
        assert!(!answer.error().is_empty(), "{answer:?}");
        answer.status
    };
    let text = |name: &str| path(name).to_str().unwrap().to_owned();
    for (uri, status) in [
        (text("out"), 403),
        (text("in/../out"), 403),
        (text("in/away"), 403),
        (text("in/linked"), 403),
        (text(""), 403),
        (text("data"), 403),
        (text("nothing"), 403),
        (text("in/nothing"), 404),
        (text("in/shot/frames/0001.png"), 400),
        ("/".to_owned(), 400),
        ("/etc".to_owned(), 403),
        ("file:///etc".to_owned(), 403),
        ("in/shot".to_owned(), 400),
        (String::new(), 400),
        ("https://example.com/x".to_owned(), 400),
        ("s3://".to_owned(), 400),
        ("s3:/b/x".to_owned(), 400),
        ("/\u{0}".to_owned(), 403),
        ("x".repeat(20_000), 413),
    ] {
        assert_eq!(refused(&uri), status, "{uri:.80}");
    }
    assert_eq!(server.send("POST", "/api/outputs", b"[]").status, 400);
    assert_eq!(server.send("POST", "/api/outputs", b"{\"url\": \"s3://b/x\"}").status, 400);

    let shot = add(&server, path("in/shot"));
    assert_eq!(server.send("GET", &format!("{shot}/frames/0001.png"), b"").status, 200);
    for (name, status) in [
        ("0002.png", 403),
        ("0003.png", 403),
        ("0004.png", 404),
        ("..", 404),
        ("%2e%2e%2f0001.png", 404),
        ("..%2f..%2f..%2fout%2fframes%2f0001.png", 404),
        ("0001.png%00", 404),
        ("%2fetc%2fpasswd", 404),
        ("0001.txt", 404),
        ("00000000000000000000000000000001.png", 404),
    ] {
        for part in ["frames", "previews"] {
            let answer = server.send("GET", &format!("{shot}/{part}/{name}"), b"");
            assert_eq!(answer.status, status, "{part}/{name}: {answer:?}");
        }
    }
    for id in ["0", "..", "0123456789abcdef0123", "%2e%2e"] {
        assert_eq!(server.send("GET", &format!("/api/outputs/{id}"), b"").status, 404, "{id}");
    }
    // A link that comes later leads nowhere either.
    fs::remove_dir_all(path("in/shot/frames")).unwrap();
    symlink(path("out/frames"), path("in/shot/frames")).unwrap();
    wait_until("another look", || show(&server, &shot)["error"].is_string());
    let picture = server.send("GET", &format!("{shot}/frames/0001.png"), b"");
    assert_eq!(picture.status, 403, "{picture:?}");

    // Without the flag, no folder is allowed.
    let server = Server::start();
    let answer = server.send("POST", "/api/outputs", json!({"uri": "/"}).to_string().as_bytes());
    assert!(matches!(answer.status, 400 | 403), "{answer:?}");
    let uri = json!({"uri": path("in/shot")}).to_string();
    let answer = server.send("POST", "/api/outputs", uri.as_bytes());
    assert_eq!(answer.status, 403);
    assert!(answer.error().contains("--watch"), "{answer:?}");
}

#[test]
fn answers_are_as_the_api_describes_them() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    frames::write(&out.join("frames"), [1, 2]);
    fs::create_dir_all(out.join("reports")).unwrap();
    fs::copy(fixture("frames/blender-rgb.jpg"), out.join("frames/0003.jpg")).unwrap();
    let report = json!({
        "schema": 1, "action": "render", "status": "failed", "exit_code": 70, "cause": "it failed",
        "said": ["a line"], "started": "2026-11-29T10:00:00.000Z",
        "finished": "2026-11-29T10:00:01.000Z", "frames_asked": "1-5", "set_aside": {"4": "crashed"},
        "frames": {"1": {"state": "rendered", "file": "0001.png", "bytes": 1, "seconds": 1.0}},
    });
    fs::write(out.join("reports/render-1.json"), report.to_string()).unwrap();
    fs::write(out.join("output.mp4"), "video").unwrap();
    let server = server(folder.path());
    let path = add(&server, &out);
    let api = show(&server, "/openapi.json");
    let check = |schema: &str, value: &Value| {
        let mut document = api.clone();
        document["$ref"] = format!("#/components/schemas/{schema}").into();
        let validator = jsonschema::draft202012::new(&document).unwrap();
        let errors: Vec<_> = validator.iter_errors(value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{schema}: {errors:?}: {value}");
        // Every field is described.
        let described = api["components"]["schemas"][schema]["properties"].as_object().unwrap();
        for field in value.as_object().unwrap().keys() {
            assert!(described.contains_key(field), "{schema}: {field}");
        }
    };
    let whole = show(&server, &path);
    check("Output", &whole);
    check("OutputFigures", &whole["figures"]);
    check("OutputFrames", &whole["frames"]);
    check("OutputAttempt", &whole["attempts"][0]);
    check("OutputSummary", &show(&server, "/api/outputs")["outputs"][0]);
    assert_eq!(whole["frames"]["standing"], "sssfm");
    assert_eq!(whole["frames"]["names"], json!({"2": "0003.jpg"}));
}

#[test]
fn the_output_of_a_render_is_watched_under_the_id_of_the_render() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start_with(&data, |worker| worker);
    let render = server.json("POST", "/api/renders", &json!({"name": "Shot"}));
    let id = render["id"].as_str().unwrap();
    let paths = [format!("/api/outputs/{id}"), format!("/api/outputs/{id}-preview")];
    for path in &paths {
        let whole = show(&server, path);
        assert_eq!((&whole["figures"]["stored"], &whole["error"]), (&json!(0), &Value::Null));
    }
    let output = data.join("renders").join(id).join("output");
    frames::write(&output.join("frames"), 1..=2);
    frames::write(&output.join("preview/frames"), 1..=3);
    for (path, count) in paths.iter().zip([2, 3]) {
        wait_until("the frames", || show(&server, path)["figures"]["stored"] == count);
        assert_eq!(server.send("GET", &format!("{path}/previews/0001.png"), b"").status, 200);
        assert_eq!(server.send("DELETE", path, b"").status, 404);
    }
    let listed = show(&server, "/api/outputs");
    assert_eq!(listed["outputs"], json!([]), "it is in the list of renders");
    assert_eq!(server.send("DELETE", &format!("/api/renders/{id}"), b"").status, 204);
    for path in &paths {
        assert_eq!(server.send("GET", path, b"").status, 404);
    }
}

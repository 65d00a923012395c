//! The program on S3, with the command line of a Batch job definition: the keys that it writes, the
//! requests that it makes, regions and TLS.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::support::s3_server::{BUCKET, Operation, REGION, S3Server};
use crate::support::{
    LONG, Worker, fixture, names, ordered_scene, pixel_hashes, probe, scene, worker,
};

/// A command line with the argv of the job definition:
/// `["Ref::action", "-i", "Ref::inputUri", "-o", "Ref::outputUri", "-f", "Ref::framesPerJob"]`.
fn job(server: &S3Server, action: &str, input: &str, output: &str) -> Worker {
    worker(action).input(input).output(output).args("-f 4").s3(server)
}

/// Makes a job the child `index` of an array of three.
fn child(job: Worker, index: u32) -> Worker {
    job.env("AWS_BATCH_JOB_ID", format!("0a1b2c3d-feed:{index}"))
        .env("AWS_BATCH_JOB_ARRAY_INDEX", index.to_string())
        .env("AWS_BATCH_JOB_ARRAY_SIZE", "3")
        .env("AWS_BATCH_JOB_ATTEMPT", "1")
}

fn stand_in(job: Worker) -> Worker {
    // No sandbox: the stand-in writes files of the test.
    job.env("BLENDER", fixture("stand-ins/blender")).env("SANDBOX", "off")
}

/// Stores a scene of frames 1 to 4 with orders for the stand-in.
fn put_scene(server: &S3Server, key: &str, orders: &Value) {
    server.put(key, &ordered_scene(1, 4, orders));
}

fn frame_keys(folder: &str, count: usize) -> Vec<String> {
    (1..=count).map(|frame| format!("{folder}/{frame:04}.png")).collect()
}

/// Counts the requests by operation.
fn operations(server: &S3Server) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for request in server.requests() {
        *counts.entry(format!("{:?}", request.operation)).or_default() += 1;
    }
    counts
}

fn counts<const N: usize>(counts: [(&str, usize); N]) -> BTreeMap<String, usize> {
    counts.map(|(operation, count)| (operation.to_owned(), count)).into()
}

/// Renders the three children of an array, and stitches the video. Returns its stream.
fn render_and_stitch(server: &S3Server, set: impl Fn(Worker) -> Worker) -> Value {
    for index in 0..3 {
        let render = job(server, "render", &server.uri("in/scene.blend"), &server.uri("out"));
        set(child(render, index)).run().exits(0);
    }
    let out = server.uri("out");
    job(server, "stitch", &out, &out)
        .env("AWS_BATCH_JOB_ID", "4e5f6071-cafe")
        .env("AWS_BATCH_JOB_ATTEMPT", "2")
        .run()
        .exits(0);

    let reports = [
        "out/reports/render-0a1b2c3d-feed-0-attempt-1.json",
        "out/reports/render-0a1b2c3d-feed-1-attempt-1.json",
        "out/reports/render-0a1b2c3d-feed-2-attempt-1.json",
        "out/reports/stitch-4e5f6071-cafe-attempt-2.json",
    ];
    let mut expected = frame_keys("out/frames", 12);
    expected.push("out/output.mp4".to_owned());
    expected.extend((1..=12).map(|frame| format!("out/previews/{frame:04}.jpg")));
    expected.push("out/previews/contact-sheet.jpg".to_owned());
    expected.extend(reports.map(str::to_owned));
    let mut keys = server.keys("out/");
    // The list of the scene's files is the same for every child.
    let scenes: Vec<_> = keys.extract_if(.., |key| key.starts_with("out/reports/scene-")).collect();
    assert_eq!((scenes.len(), keys), (1, expected));

    for (key, content_type) in [
        ("out/frames/0012.png", "image/png"),
        ("out/output.mp4", "video/mp4"),
        ("out/previews/0001.jpg", "image/jpeg"),
        (reports[0], "application/json"),
    ] {
        let stored = server.stored(key).unwrap();
        assert_eq!(stored.content_type.as_deref(), Some(content_type), "{key}");
    }
    let folder = tempfile::tempdir().unwrap();
    let video = folder.path().join("output.mp4");
    fs::write(&video, server.get("out/output.mp4").unwrap()).unwrap();
    let found = probe(&video)["streams"][0].take();
    assert_eq!(found["nb_read_frames"], "12");
    found
}

#[test]
fn an_array_job_renders_all_frames_and_stitch_makes_the_video() {
    let server = S3Server::start();
    server.put("in/scene.blend", &ordered_scene(1, 12, &json!({})));
    let video = render_and_stitch(&server, stand_in);
    assert_eq!(video["r_frame_rate"], "24/1", "the frame rate of the scene");
}

#[test]
fn a_real_blender_renders_from_s3_to_s3() {
    let server = S3Server::start();
    server.put("in/scene.blend", &fs::read(scene("tiny")).unwrap());
    let video = render_and_stitch(&server, |job| job);
    assert_eq!((&video["width"], &video["height"]), (&json!(64), &json!(48)));
    let folder = tempfile::tempdir().unwrap();
    let mut pictures = Vec::new();
    for key in server.keys("out/frames/") {
        let file = folder.path().join("frame.png");
        fs::write(&file, server.get(&key).unwrap()).unwrap();
        pictures.extend(pixel_hashes(&file));
    }
    pictures.sort();
    pictures.dedup();
    assert_eq!(pictures.len(), 12, "some frames are identical");
}

#[test]
fn storing_and_fetching_a_frame_costs_one_request_each() {
    let server = S3Server::start();
    put_scene(&server, "a.blend", &json!({}));
    let render = job(&server, "render", &server.uri("a.blend"), &server.uri("out"));
    stand_in(render).arg("--no-previews").run().exits(0);
    // One GET for the scene, one listing for existing frames. PUTs: two for the report (begin and
    // end), one for the list of the scene's files, one for each frame.
    let render = counts([("GetObject", 1), ("ListObjectsV2", 1), ("PutObject", 2 + 1 + 4)]);
    assert_eq!(operations(&server), render);

    let before = server.requests().len();
    let out = server.uri("out");
    job(&server, "stitch", &out, &out).arg("--no-previews").run().exits(0);
    let mut gets = Vec::new();
    for request in &server.requests()[before..] {
        if request.operation == Operation::GetObject && request.key.contains("/frames/") {
            gets.push(request.key.clone());
        }
    }
    gets.sort();
    assert_eq!(gets, frame_keys("out/frames", 4));
    let listed = server.requests()[before..].to_vec();
    let listed = listed.iter().filter(|request| request.operation == Operation::ListObjectsV2);
    assert_eq!(listed.count(), 2, "one listing of frames, one of reports");
}

#[test]
fn a_preview_costs_one_request_and_the_contact_sheet_reads_it_again() {
    let server = S3Server::start();
    put_scene(&server, "a.blend", &json!({}));
    let render = job(&server, "render", &server.uri("a.blend"), &server.uri("out"));
    stand_in(render).run().exits(0);
    // Besides those without previews: one PUT for each of them and one for the contact sheet, which
    // takes a listing, and a GET for each frame that it shows.
    let render = counts([("GetObject", 1 + 4), ("ListObjectsV2", 1 + 1), ("PutObject", 7 + 4 + 1)]);
    assert_eq!(operations(&server), render);
    // The contact sheet is that of the whole array, so its children make none.
    let render = job(&server, "render", &server.uri("a.blend"), &server.uri("array"));
    let before = operations(&server);
    stand_in(render.env("AWS_BATCH_JOB_ARRAY_INDEX", "0")).run().exits(0);
    let count = |name: &str| operations(&server)[name] - before[name];
    assert_eq!((count("GetObject"), count("ListObjectsV2"), count("PutObject")), (1, 1, 7 + 4));
}

#[test]
fn a_child_lists_only_its_own_frames() {
    let server = S3Server::start();
    put_scene(&server, "a.blend", &json!({}));
    server.put_many(frame_keys("out/frames", 3000).into_iter().map(|key| (key, vec![b'x'])));
    let render = job(&server, "render", &server.uri("a.blend"), &server.uri("out"));
    stand_in(render.env("AWS_BATCH_JOB_ARRAY_INDEX", "250")).run().exits(0);
    let requests = server.requests();
    let lists: Vec<_> =
        requests.iter().filter(|r| r.operation == Operation::ListObjectsV2).collect();
    assert_eq!(lists.len(), 1);
    // Four frames in five formats, plus one to see the end.
    // One name for each frame and format, and one more.
    assert!(lists[0].query.contains("max-keys=37"), "{}", lists[0].query);
    assert!(lists[0].bytes_out < 8000, "{} bytes", lists[0].bytes_out);
}

#[test]
fn frames_are_stored_while_blender_renders_the_next_one() {
    let server = S3Server::start();
    let folder = tempfile::tempdir().unwrap();
    let go = |frame: usize| folder.path().join(format!("go {frame}"));
    let wait = |frame| json!({"at": frame, "do": "wait_for_file", "path": go(frame)});
    let mut steps: Vec<Value> = (2..=4).map(wait).collect();
    steps.push(json!({"at": "end", "do": "wait_for_file", "path": go(5)}));
    put_scene(&server, "a.blend", &json!(steps));

    let render = job(&server, "render", &server.uri("a.blend"), &server.uri("out"));
    let running = stand_in(render).start();
    for (frame, key) in frame_keys("out/frames", 4).iter().enumerate() {
        let put = server.wait_for(|request| request.key == *key, LONG);
        assert_eq!((put.operation, put.status), (Operation::PutObject, Some(200)));
        // Blender waits before the next frame.
        assert_eq!(server.keys("out/frames/").len(), frame + 1);
        fs::write(go(frame + 2), "").unwrap();
    }
    running.finish().exits(0);
}

#[test]
fn a_bucket_in_another_region_is_found() {
    let server = S3Server::start_in_region("eu-central-1");
    assert_ne!(REGION, "eu-central-1");
    put_scene(&server, "a.blend", &json!({}));
    let (input, out) = (server.uri("a.blend"), server.uri("out"));
    stand_in(job(&server, "render", &input, &out)).run().exits(0).logs_no_warnings();
    job(&server, "stitch", &out, &out).run().exits(0);
    let requests = server.requests();
    let redirected = requests.iter().filter(|request| request.status == Some(301)).count();
    // Only requests that are sent before the first response are redirected: up to three of render
    // (scene, listing, report), and up to two of stitch (listings).
    assert!((2..=3 + 2).contains(&redirected), "{redirected}");
    assert_eq!(requests.iter().filter(|request| request.status >= Some(400)).count(), 0);
    assert!(server.get("out/output.mp4").is_some());
}

#[test]
fn a_bucket_is_found_without_a_configured_region() {
    let server = S3Server::start_in_region("eu-central-1");
    put_scene(&server, "a.blend", &json!({}));
    let render = job(&server, "render", &server.uri("a.blend"), &server.uri("out"));
    let render = render.with(|command| _ = command.env_remove("AWS_REGION"));
    stand_in(render).run().exits(0);
    assert_eq!(server.keys("out/frames/"), frame_keys("out/frames", 4));
}

#[test]
fn keys_with_special_characters_are_used_verbatim() {
    let server = S3Server::start();
    for prefix in ["a b+c%20d%2Fe ü日本🎬 #1?x=1&y=2", "/begins//with slashes", "a/../../b/./c", ""]
    {
        let slash = if prefix.is_empty() { "" } else { "/" };
        let scene = format!("{prefix}{slash}scene +%.blend");
        put_scene(&server, &scene, &json!({}));
        let (input, out) = (server.uri(&scene), server.uri(prefix));
        stand_in(job(&server, "render", &input, &out)).run().exits(0);
        job(&server, "stitch", &out, &out).run().exits(0);
        let frames = format!("{prefix}{slash}frames");
        assert_eq!(server.keys(&frames), frame_keys(&frames, 4));
        assert!(server.get(&format!("{prefix}{slash}output.mp4")).is_some());
    }
}

#[test]
fn frames_on_every_page_of_a_long_listing_are_stitched() {
    const FRAMES: usize = 1_100;
    let server = S3Server::start();
    let frame = fs::read(fixture("frames/blender-rgb-8.png")).unwrap();
    server.put_many(frame_keys("out/frames", FRAMES).into_iter().map(|key| (key, frame.clone())));
    let out = server.uri("out");
    let run = job(&server, "stitch", &out, &out).args("--preset ultrafast").run().exits(0);
    run.logs(&["1100 frames"]);
    let folder = tempfile::tempdir().unwrap();
    let video = folder.path().join("output.mp4");
    fs::write(&video, server.get("out/output.mp4").unwrap()).unwrap();
    assert_eq!(probe(&video)["streams"][0]["nb_read_frames"], FRAMES.to_string());
}

#[test]
fn max_prefetch_limits_the_frames_fetched_ahead_of_ffmpeg() {
    let server = S3Server::start();
    let frame = fs::read(fixture("frames/blender-rgb-8.png")).unwrap();
    server.put_many(frame_keys("out/frames", 40).into_iter().map(|key| (key, frame.clone())));
    let out = server.uri("out");
    // Without room for any frame, only the next one is fetched, one at a time.
    let run = job(&server, "stitch", &out, &out).args("--max-prefetch 0").run().exits(0);
    run.logs(&["40 frames"]);
    let mut frames = server.requests();
    frames.retain(|request| request.key.starts_with("out/frames/0"));
    assert_eq!(frames.len(), 40);
    for (one, next) in frames.iter().zip(frames.iter().skip(1)) {
        assert!(one.key < next.key && one.finished <= Some(next.started), "{one:?} {next:?}");
    }
}

#[test]
fn keys_in_a_listing_never_become_local_paths() {
    let server = S3Server::start();
    put_scene(&server, "a.blend", &json!({}));
    let out = server.uri("out");
    stand_in(job(&server, "render", &server.uri("a.blend"), &out)).run().exits(0);
    let frame = server.get("out/frames/0001.png").unwrap();
    for name in [
        "../../escaped.png",
        "../0005.png",
        "/etc/0005.png",
        "./0005.png",
        "",
        "..",
        "0005/0005.png",
        "report\u{1}.png",
        "\u{1b}[2J.png",
        "a\r\nb.txt",
    ] {
        server.put(&format!("out/frames/{name}"), &frame);
    }
    server.put("out/reports/render-../../escaped.json", b"{}");
    server.put("out/reports/render-\n\u{7}.json", b"{}");

    // `finish` checks the folder for temporary files.
    let folder = tempfile::tempdir().unwrap();
    let run = job(&server, "stitch", &out, &out)
        .with(|command| _ = command.current_dir(folder.path()))
        .run()
        .exits(0)
        .logs(&["stitching 4 PNG frames, 1-4,"]);
    assert!(names(folder.path()).is_empty());
    assert!(run.text().chars().all(|c| c == '\n' || !c.is_control()), "{:?}", run.text());
    let requests = server.requests();
    let unexpected = requests.iter().find(|r| r.key.contains("escaped") || r.key.contains("0005"));
    assert!(unexpected.is_none(), "{unexpected:?}");
}

#[test]
fn control_characters_in_the_name_of_a_frame_are_replaced_in_the_log() {
    let server = S3Server::start();
    put_scene(&server, "a.blend", &json!({}));
    let out = server.uri("out");
    stand_in(job(&server, "render", &server.uri("a.blend"), &out)).run().exits(0);
    server.put("out/frames/\u{1b}[2J\n0005.png", b"x");
    let stitch = job(&server, "stitch", &out, &out).args("--log-format text");
    let run = stitch.run().exits(65);
    assert!(run.text().contains("several sequences"), "{}", run.text());
    assert!(run.text().chars().all(|c| c == '\n' || !c.is_control()), "{:?}", run.text());
}

#[test]
fn a_server_with_a_trusted_certificate_is_used_over_tls() {
    let server = S3Server::start_tls();
    put_scene(&server, "a.blend", &json!({}));
    let out = server.uri("out");
    let render = job(&server, "render", &server.uri("a.blend"), &out);
    stand_in(render.env("SSL_CERT_FILE", server.ca_file())).run().exits(0);
    assert_eq!(server.keys("out/frames/"), frame_keys("out/frames", 4));
    for put in server.requests().iter().filter(|r| r.operation == Operation::PutObject) {
        // TLS protects the transfer; the checksum also protects the data behind it.
        assert_eq!(put.header("x-amz-content-sha256"), Some("UNSIGNED-PAYLOAD"));
        assert!(put.header("x-amz-checksum-crc32").is_some());
    }
}

#[test]
fn a_server_with_an_untrusted_certificate_is_refused() {
    let server = S3Server::start_tls();
    // The trust store is not empty, but has another certificate.
    let other = S3Server::start_tls();
    let scene = server.uri("a.blend");
    let render = job(&server, "render", &scene, &server.uri("out"));
    let run = stand_in(render.env("SSL_CERT_FILE", other.ca_file())).run().exits(69);
    let error = run.final_error();
    for text in [&scene, "certificate", "SSL_CERT_FILE"] {
        assert!(error.contains(text), "{text:?} is not in {error:?}");
    }
    assert_eq!(server.requests().len(), 0);

    let plain = S3Server::start();
    let https = plain.endpoint().replace("http:", "https:");
    let render = job(&plain, "render", &plain.uri("a.blend"), &plain.uri("out"));
    let render = render.env("AWS_ENDPOINT_URL", https).env("SSL_CERT_FILE", other.ca_file());
    let error = stand_in(render).run().exits(2).final_error();
    assert!(error.contains("AWS_ENDPOINT_URL says https:"), "{error}");
}

#[test]
fn input_and_output_may_be_in_different_buckets() {
    let server = S3Server::start();
    server.add_bucket("another-bucket");
    put_scene(&server, "a.blend", &json!({}));
    let render = job(&server, "render", &server.uri("a.blend"), "s3://another-bucket/");
    stand_in(render).run().exits(0);
    let requests = server.requests();
    let put = |bucket: &str| {
        let puts = requests.iter().filter(|r| r.operation == Operation::PutObject);
        puts.filter(|r| r.bucket == bucket).count()
    };
    assert_eq!((put(BUCKET), put("another-bucket")), (0, 4 + 2 + 1 + 4 + 1));
}

//! The program on S3: called as a Batch job definition calls it, it leaves the keys
//! that a job expects, asks for nothing twice, and stores frames as they come.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::support::s3_server::{BUCKET, Operation, REGION, S3Server};
use crate::support::{
    LONG, Worker, fixture, names, ordered_scene, pixel_hashes, probe, scene, worker,
};

/// The program with the argv of the job definition:
/// `["Ref::action", "-i", "Ref::inputUri", "-o", "Ref::outputUri", "-f", "Ref::framesPerJob"]`.
fn job(server: &S3Server, action: &str, input: &str, output: &str) -> Worker {
    worker(action).input(input).output(output).args("-f 4").s3(server)
}

/// As child `index` of an array of three.
fn child(job: Worker, index: u32) -> Worker {
    job.env("AWS_BATCH_JOB_ID", format!("0a1b2c3d-feed:{index}"))
        .env("AWS_BATCH_JOB_ARRAY_INDEX", index.to_string())
        .env("AWS_BATCH_JOB_ARRAY_SIZE", "3")
        .env("AWS_BATCH_JOB_ATTEMPT", "1")
}

fn stand_in(job: Worker) -> Worker {
    // It tells the test what it does by files, which no sandbox would let it write.
    job.env("BLENDER", fixture("stand-ins/blender")).env("SANDBOX", "off")
}

/// A scene of frames 1 to 4 with orders for the stand-in for Blender.
fn put_scene(server: &S3Server, key: &str, orders: &Value) {
    server.put(key, &ordered_scene(1, 4, orders));
}

fn frame_keys(folder: &str, count: usize) -> Vec<String> {
    (1..=count).map(|frame| format!("{folder}/{frame:04}.png")).collect()
}

/// How often each operation was asked for.
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

/// Renders three shards and stitches them; says what the video holds.
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
    expected.extend(reports.map(str::to_owned));
    let mut keys = server.keys("out/");
    // What Blender said of the scene, which is the same for every child.
    let scenes: Vec<_> = keys.extract_if(.., |key| key.starts_with("out/reports/scene-")).collect();
    assert_eq!((scenes.len(), keys), (1, expected));

    for (key, content_type) in [
        ("out/frames/0012.png", "image/png"),
        ("out/output.mp4", "video/mp4"),
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
fn an_array_renders_its_shards_and_stitch_makes_the_video_of_them() {
    let server = S3Server::start();
    server.put("in/scene.blend", &ordered_scene(1, 12, &json!({})));
    let video = render_and_stitch(&server, stand_in);
    assert_eq!(video["r_frame_rate"], "24/1", "the scene's own");
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
    assert_eq!(pictures.len(), 12, "no two frames are alike");
}

#[test]
fn a_frame_costs_one_request() {
    let server = S3Server::start();
    put_scene(&server, "a.blend", &json!({}));
    let render = job(&server, "render", &server.uri("a.blend"), &server.uri("out"));
    stand_in(render).run().exits(0);
    // The scene; what is there; a report before and after, what Blender
    // says of the scene, and the frames.
    let render = counts([("GetObject", 1), ("ListObjectsV2", 1), ("PutObject", 2 + 1 + 4)]);
    assert_eq!(operations(&server), render);

    let before = server.requests().len();
    let out = server.uri("out");
    job(&server, "stitch", &out, &out).run().exits(0);
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
    assert_eq!(listed.count(), 2, "the frames and the reports");
}

#[test]
fn a_child_lists_its_own_frames_and_not_those_of_thousands() {
    let server = S3Server::start();
    put_scene(&server, "a.blend", &json!({}));
    server.put_many(frame_keys("out/frames", 3000).into_iter().map(|key| (key, vec![b'x'])));
    let render = job(&server, "render", &server.uri("a.blend"), &server.uri("out"));
    stand_in(render.env("AWS_BATCH_JOB_ARRAY_INDEX", "250")).run().exits(0);
    let requests = server.requests();
    let lists: Vec<_> =
        requests.iter().filter(|r| r.operation == Operation::ListObjectsV2).collect();
    assert_eq!(lists.len(), 1);
    // Four frames in five formats, and one name more.
    assert!(lists[0].query.contains("max-keys=21"), "{}", lists[0].query);
    assert!(lists[0].bytes_out < 8000, "{} bytes", lists[0].bytes_out);
}

#[test]
fn frames_are_stored_while_blender_renders_the_next() {
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
        assert_eq!(server.keys("out/frames/").len(), frame + 1, "the next one is not begun");
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
    let run = stand_in(job(&server, "render", &input, &out)).run().exits(0);
    assert!(run.json().iter().all(|line| line["level"] == "INFO"), "{}", run.text());
    job(&server, "stitch", &out, &out).run().exits(0);
    let requests = server.requests();
    let redirected = requests.iter().filter(|request| request.status == Some(301)).count();
    // Those that are sent before the first one is answered: of render the scene, the listing
    // and the report, of stitch two listings.
    assert!((2..=3 + 2).contains(&redirected), "{redirected}");
    assert_eq!(requests.iter().filter(|request| request.status >= Some(400)).count(), 0);
    assert!(server.get("out/output.mp4").is_some());
}

#[test]
fn a_bucket_is_found_without_a_region() {
    let server = S3Server::start_in_region("eu-central-1");
    put_scene(&server, "a.blend", &json!({}));
    let render = job(&server, "render", &server.uri("a.blend"), &server.uri("out"));
    let render = render.with(|command| _ = command.env_remove("AWS_REGION"));
    stand_in(render).run().exits(0);
    assert_eq!(server.keys("out/frames/"), frame_keys("out/frames", 4));
}

#[test]
fn keys_are_taken_as_they_are() {
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
fn every_page_of_a_long_listing_is_stitched() {
    const FRAMES: usize = 1_100;
    let server = S3Server::start();
    let frame = fs::read(fixture("frames/blender-rgb-8.png")).unwrap();
    server.put_many(frame_keys("out/frames", FRAMES).into_iter().map(|key| (key, frame.clone())));
    let out = server.uri("out");
    let run = job(&server, "stitch", &out, &out).args("--preset ultrafast").run().exits(0);
    run.says(&["1100 frames"]);
    let folder = tempfile::tempdir().unwrap();
    let video = folder.path().join("output.mp4");
    fs::write(&video, server.get("out/output.mp4").unwrap()).unwrap();
    assert_eq!(probe(&video)["streams"][0]["nb_read_frames"], FRAMES.to_string());
}

#[test]
fn what_is_fetched_ahead_of_ffmpeg_has_a_bound() {
    let server = S3Server::start();
    let frame = fs::read(fixture("frames/blender-rgb-8.png")).unwrap();
    server.put_many(frame_keys("out/frames", 40).into_iter().map(|key| (key, frame.clone())));
    let out = server.uri("out");
    // No room even for one: the next one is fetched all the same, and no other with it.
    let run = job(&server, "stitch", &out, &out).args("--max-prefetch 0").run().exits(0);
    run.says(&["40 frames"]);
    let mut frames = server.requests();
    frames.retain(|request| request.key.starts_with("out/frames/0"));
    assert_eq!(frames.len(), 40);
    for (one, next) in frames.iter().zip(frames.iter().skip(1)) {
        assert!(one.key < next.key && one.finished <= Some(next.started), "{one:?} {next:?}");
    }
}

#[test]
fn a_listed_key_never_becomes_a_path() {
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

    // What is left in its folder for temporary files, the harness looks for itself.
    let folder = tempfile::tempdir().unwrap();
    let run = job(&server, "stitch", &out, &out)
        .with(|command| _ = command.current_dir(folder.path()))
        .run()
        .exits(0)
        .says(&["stitching 4 PNG frames, 1-4,"]);
    assert!(names(folder.path()).is_empty());
    assert!(run.text().chars().all(|c| c == '\n' || !c.is_control()), "{:?}", run.text());
    let asked = server.requests();
    let strange = asked.iter().find(|r| r.key.contains("escaped") || r.key.contains("0005"));
    assert!(strange.is_none(), "{strange:?}");
}

#[test]
fn a_frame_whose_name_has_control_characters_is_named_readably() {
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
fn a_server_with_a_certificate_that_is_trusted_is_talked_to_over_tls() {
    let server = S3Server::start_tls();
    put_scene(&server, "a.blend", &json!({}));
    let out = server.uri("out");
    let render = job(&server, "render", &server.uri("a.blend"), &out);
    stand_in(render.env("SSL_CERT_FILE", server.ca_file())).run().exits(0);
    assert_eq!(server.keys("out/frames/"), frame_keys("out/frames", 4));
    for put in server.requests().iter().filter(|r| r.operation == Operation::PutObject) {
        // TLS protects it already; the checksum is for what lies behind.
        assert_eq!(put.header("x-amz-content-sha256"), Some("UNSIGNED-PAYLOAD"));
        assert!(put.header("x-amz-checksum-crc32").is_some());
    }
}

#[test]
fn a_server_with_a_certificate_that_is_not_trusted_is_refused() {
    let server = S3Server::start_tls();
    // Some certificate is trusted, as in every image that has any.
    let other = S3Server::start_tls();
    let scene = server.uri("a.blend");
    let render = job(&server, "render", &scene, &server.uri("out"));
    let run = stand_in(render.env("SSL_CERT_FILE", other.ca_file())).run().exits(69);
    let words = run.last_words();
    for word in [&scene, "certificate", "SSL_CERT_FILE"] {
        assert!(words.contains(word), "{word:?} is not in {words:?}");
    }
    assert_eq!(server.requests().len(), 0);

    let plain = S3Server::start();
    let https = plain.endpoint().replace("http:", "https:");
    let render = job(&plain, "render", &plain.uri("a.blend"), &plain.uri("out"));
    let render = render.env("AWS_ENDPOINT_URL", https).env("SSL_CERT_FILE", other.ca_file());
    let words = stand_in(render).run().exits(2).last_words();
    assert!(words.contains("AWS_ENDPOINT_URL says https:"), "{words}");
}

#[test]
fn two_buckets_can_be_used_at_once() {
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
    assert_eq!((put(BUCKET), put("another-bucket")), (0, 4 + 2 + 1));
}

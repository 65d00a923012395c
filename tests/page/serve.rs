//! `serve`: the API of the page, who may use it, uploads within limits, and what survives.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::support::frames::{assert_shows, frame};
use crate::support::server::{Answer, Server, write_pictures};
use crate::support::{Worker, names, probe, scene, wait_until, worker};

/// A video with three small pictures.
fn three(server: &Server) -> String {
    let id = server.create("Three");
    for n in 1..=3 {
        server.upload(&id, &format!("p{n}.png"), &frame(n));
    }
    id
}

#[test]
fn pictures_become_a_video_in_the_order_of_the_user() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start();
    let id = three(&server);
    assert_eq!(server.order(&id), ["p1.png", "p2.png", "p3.png"]);
    let path = format!("/api/videos/{id}");
    let change = json!({"order": ["p3.png", "p1.png"], "settings": {"fps": "10", "codec": "h264"}});
    assert_eq!(server.json("PATCH", &path, &change)["order"], "own");
    assert_eq!(server.order(&id), ["p3.png", "p1.png", "p2.png"]);
    assert_eq!(server.make(&id), json!({"state": "done", "warnings": []}));
    let video = folder.path().join("a.mp4");
    server.download(&id, &video);
    assert_eq!(probe(&video)["streams"][0]["nb_read_frames"], "3");
    assert_shows(&video, [3, 1, 2]);
    // Nothing is left of the way there.
    let left = names(&server.video(&id));
    assert_eq!(left, ["log.jsonl", "made", "pictures", "sound", "thumbnails", "video.json"]);
    server.stop().exits(143);
}

#[test]
fn everything_is_there_after_a_restart_and_what_was_being_made_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start_with(&data, |worker| worker);
    let id = three(&server);
    server.json("PATCH", &format!("/api/videos/{id}"), &json!({"order": ["p2.png"]}));
    assert_eq!(server.make(&id)["state"], "done");
    let failed = server.create("Failed");
    server.upload(&failed, "bad.png", b"no picture");
    let failure = server.make(&failed);
    assert_eq!((&failure["state"], &failure["picture"]), (&json!("failed"), &json!("bad.png")));

    // An encoder that never ends: the videos are still to be made when the server stops.
    let slow = folder.path().join("slow");
    fs::write(&slow, "#!/bin/sh\nexec sleep 1000\n").unwrap();
    fs::set_permissions(&slow, fs::Permissions::from_mode(0o755)).unwrap();
    let [before, failed_before] = [&id, &failed].map(|id| server.show(id));
    server.stop().exits(143);
    let server =
        Server::start_with(&data, |worker| worker.env("FFMPEG", &slow).env("SANDBOX", "off"));
    for (id, before) in [(&id, &before), (&failed, &failed_before)] {
        let now = server.show(id);
        for field in ["name", "created", "order", "settings", "pictures", "making", "video"] {
            assert_eq!(now[field], before[field], "{field}");
        }
    }
    let [first, second] = ["a", "b"].map(|_| three(&server));
    for id in [&first, &second] {
        server.json("POST", &format!("/api/videos/{id}/make"), &Value::Null);
    }
    wait_until("the first is being made", || server.show(&first)["making"]["state"] == "running");
    assert_eq!(server.show(&second)["making"], json!({"state": "waiting", "ahead": 1}));
    let began = Instant::now();
    server.stop().exits(143).logs(&["SIGTERM"]);
    assert!(began.elapsed().as_secs() < 15, "{:?}", began.elapsed());

    // A broken upload of a server that was killed.
    fs::write(data.join(format!("videos/{id}/pictures/.partial-x")), "half").unwrap();
    let server = Server::start_with(&data, |worker| worker);
    assert_eq!(server.ended(&first)["state"], "done");
    assert_eq!(server.ended(&second)["state"], "done");
    assert!(!server.video(&id).join("pictures/.partial-x").exists());
}

#[test]
fn a_video_that_is_being_made_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let slow = folder.path().join("slow");
    fs::write(&slow, "#!/bin/sh\nexec sleep 1000\n").unwrap();
    fs::set_permissions(&slow, fs::Permissions::from_mode(0o755)).unwrap();
    let server = Server::start_with(&folder.path().join("data"), |worker| {
        worker.env("FFMPEG", &slow).env("SANDBOX", "off")
    });
    let [first, second] = ["a", "b"].map(|_| three(&server));
    for id in [&first, &second] {
        server.json("POST", &format!("/api/videos/{id}/make"), &Value::Null);
    }
    let removed = server.send("DELETE", &format!("/api/videos/{first}"), b"");
    assert_eq!(removed.status, 409, "{removed:?}");
    for id in [&second, &first] {
        server.json("POST", &format!("/api/videos/{id}/stop"), &Value::Null);
        assert_eq!(server.ended(id), json!({"state": "stopped"}));
    }
    let removed = server.send("DELETE", &format!("/api/videos/{first}"), b"");
    assert_eq!((removed.status, server.video(&first).exists()), (204, false));
    assert_eq!(server.show(&second)["pictures"].as_array().unwrap().len(), 3);
}

#[test]
fn pictures_of_the_server_become_a_video_without_an_upload() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input");
    fs::create_dir_all(input.join("day 1")).unwrap();
    for n in 1..=2 {
        fs::write(input.join(format!("day 1/p{n}.png")), frame(n)).unwrap();
    }
    let server =
        Server::start_with(&folder.path().join("data"), |worker| worker.env("INPUT_DIR", &input));
    let found = server.json("GET", "/api/folders", &Value::Null);
    assert_eq!(found, json!({"folders": [{"path": "day 1", "pictures": 2}]}));
    let new = json!({"name": "Day", "folder": "day 1"});
    let video = server.json("POST", "/api/videos", &new);
    let id = video["id"].as_str().unwrap();
    assert_eq!(server.order(id), ["p1.png", "p2.png"]);
    server.json("PATCH", &format!("/api/videos/{id}"), &json!({"remove": ["p1.png"]}));
    assert_eq!(server.make(id)["state"], "done");
    assert!(input.join("day 1/p1.png").exists(), "the folder of the server stays as it is");
    for path in ["..", "day 1/..", "/", "day 2", ""] {
        let new = json!({ "folder": path }).to_string();
        let refused = server.send("POST", "/api/videos", new.as_bytes());
        assert_eq!(refused.status, 404, "{path}: {refused:?}");
    }
    let videos = server.json("GET", "/api/videos", &Value::Null)["videos"].clone();
    assert_eq!(videos.as_array().unwrap().len(), 1, "{videos}");
}

#[test]
fn the_output_folder_gets_each_video_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out");
    let server =
        Server::start_with(&folder.path().join("data"), |worker| worker.env("OUTPUT_DIR", &output));
    let id = three(&server);
    assert_eq!(server.make(&id)["state"], "done");
    assert_eq!(server.make(&id)["state"], "done");
    assert_eq!(names(&output), [format!("Three {}.mp4", &id[..6])]);
}

#[test]
fn ranges_of_the_video_are_answered() {
    let server = Server::start();
    let id = three(&server);
    server.make(&id);
    let path = format!("/api/videos/{id}/video");
    let whole = server.send("GET", &path, b"");
    assert_eq!((whole.status, whole.header("accept-ranges")), (200, Some("bytes")));
    assert_eq!(whole.header("content-type"), Some("video/mp4"));
    let length = whole.body.len();
    let get = |range: &str| {
        let headers = [("Host", server.authority()), ("Range", range)];
        server.send_with("GET", &path, &headers, b"")
    };
    for (range, bytes) in [
        ("bytes=0-9".to_owned(), 0..10),
        ("bytes=10-".to_owned(), 10..length),
        ("bytes=-7".to_owned(), length - 7..length),
        (format!("bytes=5-{}", length * 2), 5..length),
    ] {
        let part = get(&range);
        let expected = format!("bytes {}-{}/{length}", bytes.start, bytes.end - 1);
        assert_eq!((part.status, part.header("content-range")), (206, Some(&*expected)), "{range}");
        assert_eq!(part.body, whole.body[bytes], "{range}");
    }
    assert_eq!(get(&format!("bytes={length}-")).status, 416);
    assert_eq!(get("bytes=0-1,4-5").status, 200);
    let tag = whole.header("etag").unwrap();
    let headers = [("Host", server.authority()), ("If-None-Match", tag)];
    assert_eq!(server.send_with("GET", &path, &headers, b"").status, 304);
    let stored = server.send("GET", &format!("{path}?download"), b"");
    let disposition = stored.header("content-disposition").unwrap();
    assert_eq!(disposition, "attachment; filename*=UTF-8''Three.mp4");
}

/// A request to a server, and the status of its answer.
fn refused(server: &Server, method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
    server.send_with(method, path, headers, b"").status
}

#[test]
fn nobody_else_gets_in() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), |worker| {
        worker.env("LISTEN", "0.0.0.0:0").args("--allow-host studio.example")
    });
    let (base, token) = server.link.split_once("/?token=").unwrap();
    assert_eq!(base, format!("http://{}", server.authority()));
    let (host, bearer) = (("Host", server.authority()), format!("Bearer {token}"));
    let bearer = ("Authorization", bearer.as_str());
    for path in ["/", "/api/videos", "/assets/main.js", "/openapi.json", "/nothing"] {
        assert_eq!(refused(&server, "GET", path, &[host]), 401, "{path}");
    }
    assert_eq!(refused(&server, "GET", "/?token=0", &[host]), 401);
    let signed_in = server.send_with("GET", &format!("/?token={token}"), &[host], b"");
    assert_eq!((signed_in.status, signed_in.header("location")), (303, Some("/")));
    let cookie = signed_in.header("set-cookie").unwrap();
    assert!(cookie.ends_with("; HttpOnly; SameSite=Strict; Path=/"), "{cookie}");
    let cookie = ("Cookie", cookie.split(';').next().unwrap());
    let studio = ("Host", "studio.example");
    let foreign = ("Origin", "http://evil.example");
    for (headers, method, status) in [
        (vec![host, cookie], "GET", 200),
        (vec![host, bearer], "GET", 200),
        (vec![studio, cookie], "GET", 200),
        (vec![studio, cookie, ("Origin", "https://studio.example")], "POST", 201),
        (vec![host, cookie, foreign], "POST", 403),
        (vec![host, cookie, ("Origin", "null")], "POST", 403),
        (vec![host, cookie, ("Sec-Fetch-Site", "cross-site")], "GET", 403),
        (vec![("Host", "evil.example"), cookie], "GET", 421),
        (vec![("Host", "evil.example"), bearer], "POST", 421),
    ] {
        assert_eq!(refused(&server, method, "/api/videos", &headers), status, "{headers:?}");
    }
    // A browser is told what to do.
    let page = server.send_with("GET", "/", &[host, ("Accept", "text/html")], b"");
    assert!(String::from_utf8_lossy(&page.body).contains("Open the link"), "{page:?}");
    server.stop().exits(143);
}

#[test]
fn every_answer_tells_the_browser_to_be_careful() {
    let server = Server::start();
    let id = three(&server);
    server.upload(&id, "a.tif", b"<script>");
    for path in ["/", "/nothing", "/api/videos", &format!("/api/videos/{id}/pictures/p1.png")] {
        let answer = server.send("GET", path, b"");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"));
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    }
    let picture = server.send("GET", &format!("/api/videos/{id}/pictures/p1.png"), b"");
    assert_eq!(picture.header("content-type"), Some("image/png"));
    let other = server.send("GET", &format!("/api/videos/{id}/pictures/a.tif"), b"");
    assert_eq!(other.header("content-type"), Some("application/octet-stream"));
    assert_eq!(other.header("content-disposition"), Some("attachment; filename*=UTF-8''a.tif"));
}

#[test]
fn hostile_names_and_uploads_are_refused_and_leave_nothing() {
    let server = Server::start();
    let id = three(&server);
    let base = format!("/api/videos/{id}");
    for (path, status) in [
        ("pictures/..%2f..%2fvideo.json", 400),
        ("pictures/%2e%2e", 400),
        ("pictures/.hidden.png", 400),
        ("pictures/a%00.png", 400),
        ("pictures/a%0a.png", 400),
        ("pictures/a%5cb.png", 400),
        ("pictures/a%e2%80%aegnp.png", 400),
        ("pictures/a.exe", 415),
        ("pictures/a.svg", 415),
        ("pictures/a.html", 415),
        ("sound/..%2fx.wav", 400),
        ("../../../etc/passwd", 404),
        ("pictures/../../x.png", 404),
    ] {
        let answer = server.send("PUT", &format!("{base}/{path}"), b"x");
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert!(!answer.error().is_empty(), "{path}");
    }
    for id in ["..", "%2e%2e", "0123456789abcdef0123", "ABCDEF", "x/../y"] {
        assert_eq!(server.send("GET", &format!("/api/videos/{id}"), b"").status, 404, "{id}");
    }
    for (method, path, body, status) in [
        ("PATCH", &*base, &br#"{"settings": {"fps": "-1"}}"#[..], 400),
        ("PATCH", &*base, br#"{"settings": {"exec": "x"}}"#, 400),
        ("PATCH", &*base, br#"{"remove": ["../video.json"]}"#, 400),
        ("PATCH", &*base, b"{", 400),
        ("PATCH", &*base, b"[]", 400),
        ("POST", "/api/videos", b"\xff", 400),
        ("POST", "/", b"", 405),
        ("DELETE", &*format!("{base}/pictures/none.png"), b"", 404),
        ("GET", &*format!("{base}/pictures/none.png/thumbnail"), b"", 404),
        ("GET", &*format!("{base}/video"), b"", 404),
    ] {
        let answer = server.send(method, path, body);
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
    }
    assert_eq!(server.order(&id), ["p1.png", "p2.png", "p3.png"]);
    assert_eq!(names(&server.video(&id).join("pictures")), ["p1.png", "p2.png", "p3.png"]);
}

/// The head of an upload that says how large it is.
fn upload_head(server: &Server, path: &str, length: u64) -> String {
    let host = server.authority();
    format!("PUT {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n")
}

#[test]
fn uploads_that_are_too_large_are_refused_before_anything_is_written() {
    let server = Server::start();
    let id = server.create("large");
    for (path, length, says) in [
        ("pictures/a.png", 200 << 30, "512 MiB"),
        ("archive", 200 << 30, "65536 MiB"),
        ("sound/a.wav", 5 << 30, "4096 MiB"),
    ] {
        let path = format!("/api/videos/{id}/{path}");
        // A program waits for leave to send. It gets none.
        let head = upload_head(&server, &path, length) + "Expect: 100-continue\r\n\r\n";
        let answer = server.exchange(head.as_bytes());
        assert_eq!(answer.status, 413, "{answer:?}");
        assert!(answer.error().contains(says), "{answer:?}");
    }
    let pictures = server.video(&id).join("pictures");
    assert_eq!(names(&pictures), [""; 0]);
}

#[test]
fn a_disk_that_is_too_small_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("disk");
    fs::create_dir(&data).unwrap();
    let mount = ["--mount", "-t", "tmpfs", "-o", "size=300M", "tmpfs"];
    let mounted = Command::new("mount").args(&mount[1..]).arg(&data).status();
    if !mounted.is_ok_and(|status| status.success()) {
        // Only root may mount.
        return;
    }
    let server = Server::start_with(&data, |worker| worker);
    let id = server.create("large");
    let path = format!("/api/videos/{id}/pictures/a.png");
    let head = upload_head(&server, &path, 100 << 20) + "Expect: 100-continue\r\n\r\n";
    let answer = server.exchange(head.as_bytes());
    assert_eq!(answer.status, 507, "{answer:?}");
    assert!(answer.error().contains("100 MiB more do not fit"), "{answer:?}");
    server.upload(&id, "small.png", &frame(1));
    server.stop().exits(143);
    assert!(Command::new("umount").arg(&data).status().unwrap().success());
}

#[test]
fn a_broken_upload_costs_nothing() {
    let server = Server::start();
    let id = server.create("broken");
    let path = format!("/api/videos/{id}/pictures/a.png");
    let pictures = server.video(&id).join("pictures");
    let hidden = || fs::read_dir(&pictures).unwrap().count();
    let mut stream = server.connect();
    let head = upload_head(&server, &path, 1 << 20) + "\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&[0; 1000]).unwrap();
    wait_until("the upload has begun", || hidden() == 1);
    drop(stream);
    wait_until("it is gone", || hidden() == 0);
    // The end of the body is missing, too, if the client says so in chunks.
    let host = server.authority();
    let chunked = format!(
        "PUT {path} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nxyz"
    );
    let answer = server.exchange(chunked.as_bytes());
    assert!(answer.status == 400 || answer.status == 0, "{answer:?}");
    wait_until("it is gone", || hidden() == 0);
    assert_eq!(server.order(&id), [""; 0]);
}

#[test]
fn malformed_requests_do_no_harm() {
    let server = Server::start();
    let long = "a".repeat(600 * 1024);
    for bytes in [
        "\r\n\r\n".to_owned(),
        "GET\r\n\r\n".to_owned(),
        "GET / HTTP/9.9\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned(),
        format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {long}\r\n\r\n"),
        "POST /api/videos HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1}".to_owned() + "a TLS client says hello\r\n\r\n",
    ] {
        let mut stream = server.connect();
        // The server may close before it has read everything.
        drop(stream.write_all(bytes.as_bytes()));
        drop(stream.shutdown(Shutdown::Write));
        let answer = Answer::read(stream);
        let start = bytes.chars().take(40).collect::<String>();
        assert!(answer.status == 0 || (400..500).contains(&answer.status), "{start}: {answer:?}");
    }
    assert_eq!(server.send("GET", "/", b"").status, 200);
    server.stop().exits(143);
}

#[test]
fn slow_clients_are_cut_off() {
    let server = Server::start();
    let id = server.create("slow");
    let path = format!("/api/videos/{id}/pictures/a.png");
    let mut half_a_head = server.connect();
    half_a_head.write_all(b"GET / HTTP/1.1\r\nHost: local").unwrap();
    let mut half_a_body = server.connect();
    let head = upload_head(&server, &path, 1 << 20) + "\r\n";
    half_a_body.write_all(head.as_bytes()).unwrap();
    half_a_body.write_all(&[0; 1000]).unwrap();
    let idle = server.connect();
    assert_eq!(Answer::read(half_a_body).status, 408);
    let status = Answer::read(half_a_head).status;
    assert!(status == 0 || status == 408, "{status}");
    assert_eq!(Answer::read(idle).status, 0);
    assert_eq!(fs::read_dir(server.video(&id).join("pictures")).unwrap().count(), 0);
}

#[test]
fn an_archive_is_unpacked_or_refused_as_a_whole() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    write_pictures(folder.path(), "p", 2, "160x120");
    let zip = |name: &str, script: &str| {
        let file = folder.path().join(name);
        let script = format!(
            "import sys, zipfile, stat\n\
             z = zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED)\n{script}\nz.close()"
        );
        let status = Command::new("python3")
            .args(["-c", &script])
            .arg(&file)
            .current_dir(folder.path())
            .status();
        assert!(status.unwrap().success());
        fs::read(file).unwrap()
    };
    let id = server.create("archive");
    let send = |bytes: &[u8]| server.send("PUT", &format!("/api/videos/{id}/archive"), bytes);
    let good = zip(
        "good.zip",
        "z.write('p01.jpg', 'shot/one/1.jpg'); z.write('p02.jpg', 'shot/two/1.jpg')\n\
         z.writestr('shot/readme.txt', 'x'); z.writestr('__MACOSX/shot/._1.jpg', 'x')",
    );
    let answer = send(&good);
    assert_eq!((answer.status, answer.json()), (201, json!({"pictures": 2, "left_out": 1})));
    assert_eq!(server.order(&id), ["one_1.jpg", "two_1.jpg"]);
    for (script, says) in [
        ("z.write('p01.jpg', '../out.jpg')", "leads out"),
        (
            "z.write('p01.jpg', 'ok.jpg'); i = zipfile.ZipInfo('x.jpg'); i.filename = '/abs.jpg'\n\
             z.writestr(i, 'x')",
            "leads out",
        ),
        (
            "i = zipfile.ZipInfo('link.jpg'); i.create_system = 3\n\
             i.external_attr = (stat.S_IFLNK | 0o777) << 16; z.writestr(i, '/etc/passwd')",
            "is a link",
        ),
        ("z.writestr('bomb.bmp', b'\\0' * (400 << 20))", "more content than"),
        ("z.writestr('notes.txt', 'x')", "has no pictures"),
    ] {
        let answer = send(&zip("bad.zip", script));
        assert!(answer.error().contains(says), "{script}: {answer:?}");
    }
    let mut cut = good.clone();
    cut.truncate(good.len() / 2);
    assert_eq!(send(&cut).status, 422);
    let mut damaged = good.clone();
    damaged[100] ^= 0xff;
    assert_eq!(send(&damaged).status, 422);
    assert_eq!(server.order(&id), ["one_1.jpg", "two_1.jpg"]);
    let left: Vec<_> =
        names(&server.video(&id)).into_iter().filter(|it| it.starts_with('.')).collect();
    assert_eq!(left, [""; 0]);
}

#[test]
fn events_tell_every_change() {
    let server = Server::start();
    let id = server.create("events");
    let mut stream = server.connect();
    let host = server.authority();
    let request = format!("GET /api/videos/{id}/events HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let (mut received, mut buffer) = (String::new(), [0; 4096]);
    let mut wait_for = |text: &str| {
        while !received.contains(text) {
            let length = stream.read(&mut buffer).unwrap();
            assert!(length > 0, "{text} never came: {received}");
            received += &String::from_utf8_lossy(&buffer[..length]);
        }
    };
    wait_for(r#""making":{"state":"none"}"#);
    for n in 1..=3 {
        server.upload(&id, &format!("p{n}.png"), &frame(n));
    }
    server.json("POST", &format!("/api/videos/{id}/make"), &Value::Null);
    wait_for(r#""state":"done""#);
    // A page that is open keeps no server from ending.
    server.stop().exits(143);
}

#[test]
fn two_servers_do_not_share_a_folder_and_a_port_is_used_once() {
    let server = Server::start();
    let run = worker("serve")
        .env("LISTEN", "127.0.0.1:0")
        .arg("--data")
        .arg(server.folder())
        .run()
        .exits(74);
    assert!(run.final_error().contains("another server uses it"), "{}", run.final_error());
    let folder = tempfile::tempdir().unwrap();
    let run = worker("serve")
        .arg("--listen")
        .arg(server.authority())
        .arg("--data")
        .arg(folder.path())
        .run()
        .exits(2);
    assert!(run.final_error().contains("--listen (LISTEN)"), "{}", run.final_error());
}

#[test]
fn ctrl_c_ends_the_server_with_its_exit_code() {
    let server = Server::start();
    server.stop_by(Signal::SIGINT).exits(130);
}

#[test]
fn the_server_works_as_pid_1() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start_with(folder.path(), Worker::in_pid_namespace);
    let id = three(&server);
    assert_eq!(server.make(&id)["state"], "done");
    // The program is the child of the one that makes the namespace.
    let unshare = server.running().pid();
    let children = fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children")).unwrap();
    kill(Pid::from_raw(children.trim().parse().unwrap()), Signal::SIGTERM).unwrap();
    server.finish().exits(143);
}

#[test]
fn the_description_of_the_api_has_every_route_and_answers_follow_it() {
    let server = Server::start();
    let api = server.json("GET", "/openapi.json", &Value::Null);
    assert_eq!(api["openapi"], "3.1.0");
    // The routes in the source, with their methods.
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/serve/api/mod.rs");
    let source = fs::read_to_string(source).unwrap();
    let mut routes = BTreeSet::new();
    for route in source.split(".route(").skip(1) {
        let path = route.split('"').nth(1).unwrap().replace("{*", "{");
        let handlers = route.split(".fallback").next().unwrap();
        for method in ["get", "post", "put", "patch", "delete"] {
            if handlers.contains(&format!("{method}(")) {
                routes.insert(format!("{method} {path}"));
            }
        }
    }
    let pages = [
        "get /",
        "get /assets/{path}",
        "get /videos/{id}",
        "get /renders/{id}",
        "get /outputs/{id}",
    ];
    for page in pages {
        assert!(routes.remove(page), "{page}");
    }
    let mut described = BTreeSet::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys().filter(|key| *key != "parameters") {
            described.insert(format!("{method} {path}"));
        }
    }
    assert_eq!(described, routes);

    let check = |schema: &str, value: &Value| {
        let mut document = api.clone();
        document["$ref"] = format!("#/components/schemas/{schema}").into();
        let validator = jsonschema::draft202012::new(&document).unwrap();
        let errors: Vec<_> = validator.iter_errors(value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{schema}: {errors:?}: {value}");
    };
    let id = three(&server);
    check("Video", &server.show(&id));
    server.make(&id);
    check("Video", &server.show(&id));
    let list = server.json("GET", "/api/videos", &Value::Null);
    check("Summary", &list["videos"][0]);
    check("Limits", &list["limits"]);
    let id = server.create_render("Tiny");
    check("Render", &server.show_render(&id));
    server.upload_scene(&id, "tiny.blend", &fs::read(scene("tiny")).unwrap());
    check("Inspection", &server.inspect(&id));
    server.set_render(&id, &json!({"frames": "1"}));
    server.render(&id);
    check("Render", &server.show_render(&id));
    check("RenderSummary", &server.json("GET", "/api/renders", &Value::Null)["renders"][0]);
    check("Problem", &server.send("GET", "/api/videos/0", b"").json());
}

#[test]
fn thumbnails_are_kept_and_follow_their_picture() {
    let server = Server::start();
    let id = three(&server);
    let path = format!("/api/videos/{id}/pictures/p1.png/thumbnail");
    let first: Answer = server.send("GET", &path, b"");
    assert_eq!((first.status, first.header("content-type")), (200, Some("image/jpeg")));
    let kept = server.video(&id).join("thumbnails/p1.png.jpg");
    assert_eq!(fs::read(&kept).unwrap(), first.body);
    let replaced = server.send("PUT", &format!("/api/videos/{id}/pictures/p1.png"), &frame(9));
    assert_eq!(replaced.status, 204);
    assert_ne!(server.send("GET", &path, b"").body, first.body);
    server.upload(&id, "cut.png", &frame(1)[..30]);
    let cut = server.send("GET", &format!("/api/videos/{id}/pictures/cut.png/thumbnail"), b"");
    assert_eq!((cut.status, &cut.json()["picture"]), (422, &json!("cut.png")));
}

#[test]
fn the_browser_asks_for_the_files_of_the_page_once() {
    let server = Server::start();
    let get = |path: &str| server.send("GET", path, b"");
    let page = String::from_utf8(get("/").body).unwrap();
    let (_, rest) = page.split_once("src=\"/assets/").unwrap();
    let (version, _) = rest.split_once("/main.js").unwrap();
    let versioned = get(&format!("/assets/{version}/main.js"));
    assert!(versioned.header("cache-control").unwrap().contains("immutable"));
    assert_eq!(get("/").header("cache-control"), Some("no-cache"));
    // A page that was opened before the server was updated goes on.
    for path in ["/assets/main.js", "/assets/0123456789abcdef/main.js"] {
        let other = get(path);
        assert_eq!(
            (other.status, other.header("cache-control")),
            (200, Some("no-cache")),
            "{path}"
        );
        assert_eq!(other.body, versioned.body);
    }
    for path in ["/assets/none.js", &format!("/assets/{version}/none.js"), "/assets/x/main.js"] {
        assert_eq!(get(path).status, 404, "{path}");
    }
}

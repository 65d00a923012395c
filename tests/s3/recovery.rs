//! Temporary failures of S3: the worker recovers by itself, with new credentials, or with the time
//! of S3.

use std::fs;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use serde_json::json;

use crate::s3::failures::{RUN_AGAIN, Setting, ends, without_credentials};
use crate::support::LONG;
use crate::support::agent::agent;
use crate::support::s3_server::{ACCESS_KEY, Fault, Operation, Request, SECRET_KEY};

#[test]
fn temporary_faults_do_not_affect_the_job() {
    use Operation::{GetObject, ListObjectsV2, PutObject};
    let faults = [
        Fault::on(ListObjectsV2).times(2).respond(503, "SlowDown"),
        Fault::on(GetObject).times(3).respond(503, "SlowDown"),
        Fault::on(GetObject).times(1).reset(),
        Fault::on(GetObject).times(1).close(),
        Fault::on(GetObject).times(2).truncate_body(40),
        Fault::on(PutObject).times(1).respond(500, "InternalError"),
        Fault::on(PutObject).key("0002.png").times(3).respond(503, "ServiceUnavailable"),
        Fault::on(PutObject).key("0003.png").times(1).reset(),
        Fault::on(PutObject).key("0004.png").times(1).lose_response(),
        Fault::on(PutObject).key("0001.png").times(1).respond(400, "RequestTimeout"),
        Fault::on(PutObject).key("0001.png").times(1).respond(429, "TooManyRequests"),
        Fault::on(PutObject).key("0002.png").times(1).respond(400, "ThrottlingException"),
        Fault::on(PutObject).key("0003.png").times(1).reset_upload(20),
        Fault::on(PutObject).key("0003.png").times(1).reset_after(),
        Fault::on(PutObject).key("0004.png").times(1).corrupt_upload(40),
    ];
    let setting = faults.into_iter().fold(Setting::new(), Setting::inject);
    let render = setting.render().env("AWS_MAX_ATTEMPTS", "8");
    render.run().exits(0);
    assert_eq!(setting.frames(), ["0001", "0002", "0003", "0004"]);
    // Every fault was injected.
    assert_eq!(setting.server.faults(), 2 + 3 + 1 + 1 + 2 + 1 + 3 + 1 + 1 + 1 + 5);
}

#[test]
fn a_flipped_bit_in_a_frame_is_detected_and_the_frame_is_fetched_again() {
    let setting = Setting::rendered();
    // A bit in the pixel data.
    let at = setting.server.get("out/frames/0002.png").unwrap().len() / 2;
    let get = || Fault::on(Operation::GetObject).key("frames/0002.png");
    let setting = setting.inject(get().times(1).flip_bit(at));
    setting.stitch().run().exits(0);
    assert!(setting.server.get("out/output.mp4").is_some());

    let setting = setting.inject(get().flip_bit(at));
    let uri = setting.server.uri("out/frames/0002.png");
    ends(setting.stitch().run(), 75, &[&uri, "checksum", RUN_AGAIN]);
}

#[test]
fn a_stalled_download_is_aborted_and_retried() {
    let setting = Setting::new();
    let get = Fault::on(Operation::GetObject).key("a.blend");
    let setting = setting.inject(get.times(1).stall_body(50));
    setting.render().run().exits(0);
    assert_eq!(setting.server.count(Operation::GetObject), 2);
}

#[test]
fn a_late_and_slow_response_is_waited_for() {
    let setting = Setting::new();
    let get = || Fault::on(Operation::GetObject).key("a.blend");
    // Longer than the timeouts for a connection and for a stalled body.
    let setting = setting.inject(get().delay(Duration::from_secs(8)));
    let setting = setting.inject(get().drip_body(20));
    setting.render().run().exits(0);
    // One request: it was not retried.
    assert_eq!((setting.server.count(Operation::GetObject), setting.server.faults()), (1, 1));
}

#[test]
fn only_the_failed_page_of_a_listing_is_retried() {
    let setting = Setting::rendered();
    // Three pages of up to a thousand keys, with the frames on the last one.
    let notes = (0..2500).map(|n| (format!("out/frames/.note {n:04}"), vec![b'x']));
    setting.server.put_many(notes);
    let second = |request: &Request| request.query.contains("continuation-token");
    let list = || Fault::on(Operation::ListObjectsV2).when(second);
    let setting = setting.inject(list().times(1).respond(503, "SlowDown"));
    let setting = setting.inject(list().times(1).truncate_body(1000));
    let setting = setting.inject(list().skip(1).times(1).reset());
    let before = setting.server.count(Operation::ListObjectsV2);
    setting.stitch().env("AWS_MAX_ATTEMPTS", "5").run().exits(0);
    assert!(setting.server.get("out/output.mp4").is_some());
    let frames = |r: &&Request| r.query.contains("frames") && !second(r);
    let requests = setting.server.requests();
    let lists = requests.iter().filter(|r| r.operation == Operation::ListObjectsV2).skip(before);
    assert_eq!(lists.filter(frames).count(), 1, "the first page was fetched again");
}

/// The response of a credentials endpoint, with this token.
fn credentials(token: &str) -> String {
    json!({
        "AccessKeyId": ACCESS_KEY,
        "SecretAccessKey": SECRET_KEY,
        "Token": token,
        "Expiration": "2099-01-01T00:00:00Z",
    })
    .to_string()
}

fn is_of_the_old_session(request: &Request) -> bool {
    request.header("x-amz-security-token") == Some("old")
}

#[test]
fn expired_credentials_of_the_container_are_refreshed() {
    let calls = AtomicUsize::new(0);
    let (address, requests) = agent(move |_| {
        let first = calls.fetch_add(1, Ordering::Relaxed) == 0;
        Some(credentials(if first { "old" } else { "new" }))
    });
    let setting = Setting::new();
    // The scene and the first report still succeed.
    let put = Fault::on(Operation::PutObject).key("frames/").when(is_of_the_old_session);
    let setting = setting.inject(put.respond(400, "ExpiredToken"));
    let uri = format!("http://{address}/credentials");
    let job = setting.render().with(without_credentials);
    let run = job.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri).run().exits(0);
    run.logs(&["the credentials for S3 have expired: getting new ones"]);
    assert_eq!(setting.frames().len(), 4);
    assert_eq!(requests.try_iter().count(), 2, "one refresh for all failed requests");
}

#[test]
fn expired_credentials_of_a_profile_are_read_again() {
    let setting = Setting::new();
    let file = setting.folder.path().join("credentials");
    let profile = |token: &str| {
        let keys = format!("aws_access_key_id={ACCESS_KEY}\naws_secret_access_key={SECRET_KEY}");
        format!("[default]\n{keys}\naws_session_token={token}\n")
    };
    fs::write(&file, profile("old")).unwrap();
    let get = Fault::on(Operation::GetObject).when(is_of_the_old_session);
    let setting = setting.inject(get.respond(400, "ExpiredToken"));
    let job = setting.render().with(without_credentials).env("AWS_MAX_ATTEMPTS", "8");
    let running = job.env("AWS_SHARED_CREDENTIALS_FILE", &file).start();
    setting.server.wait_for(|request| request.faulted, LONG);
    fs::write(&file, profile("new")).unwrap();
    running.finish().exits(0);
    assert_eq!(setting.frames().len(), 4);
}

#[test]
fn credentials_that_stay_expired_end_the_job_with_a_retryable_code() {
    let (address, _requests) = agent(|_| Some(credentials("old")));
    let setting = Setting::new();
    let any = Fault::on(Operation::GetObject).respond(400, "ExpiredToken");
    let uri = format!("http://{address}/credentials");
    let setting = setting.inject(any);
    let job = setting.render().with(without_credentials);
    let run = job.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri).run();
    ends(run, 75, &["ExpiredToken", RUN_AGAIN]);
}

#[test]
fn a_wrong_clock_is_corrected_by_that_of_s3() {
    let setting = Setting::new();
    // Once, the server's clock is an hour ahead, and the worker adopts it. Then the clock is right
    // again, the server refuses the next request, and the worker adopts that time as well.
    let ahead = DateTime::from(SystemTime::now() + Duration::from_hours(1));
    let header = ahead.fmt(DateTimeFormat::HttpDate).unwrap();
    let refusal = Fault::on(Operation::GetObject).times(1);
    let refusal = refusal.respond_with(403, "RequestTimeTooSkewed", &[("date", &header)]);
    let setting = setting.inject(refusal);
    // With this flag there is no concurrent request whose response has the right time.
    setting.render().args("--first-frame scene").run().exits(0);
    assert_eq!(setting.frames().len(), 4);

    // In the format of the header: 20260102T030405Z.
    let now = SystemTime::now() + Duration::from_mins(45);
    let ahead = DateTime::from(now).fmt(DateTimeFormat::DateTime).unwrap();
    let ahead = ahead.replace(['-', ':'], "");
    let requests = setting.server.requests();
    let dates = requests.iter().filter_map(|request| request.header("x-amz-date"));
    assert_eq!(
        dates.filter(|date| *date > ahead.as_str()).count(),
        1,
        "one request is signed with the wrong time"
    );
}

/// Forwards connections from `listener`.
fn forward(listener: &TcpListener, to: &str) {
    for client in listener.incoming().map_while(Result::ok) {
        let server = TcpStream::connect(to).unwrap();
        for (mut from, mut to) in [
            (client.try_clone().unwrap(), server.try_clone().unwrap()),
            (server.try_clone().unwrap(), client.try_clone().unwrap()),
        ] {
            thread::spawn(move || {
                drop(io::copy(&mut from, &mut to));
                drop(to.shutdown(std::net::Shutdown::Write));
            });
        }
    }
}

#[test]
fn a_server_that_is_temporarily_down_is_waited_for() {
    let setting = Setting::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap();
    drop(port);
    let job = setting.render().env("AWS_ENDPOINT_URL", format!("http://{address}"));
    let running = job.env("AWS_MAX_ATTEMPTS", "8").args("--log-level debug").start();
    running.wait_for_log("Connection refused");
    let listener = TcpListener::bind(address).unwrap();
    let to = setting.server.endpoint().replace("http://", "");
    thread::spawn(move || forward(&listener, &to));
    running.finish().exits(0);
    assert_eq!(setting.frames().len(), 4);
}

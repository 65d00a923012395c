//! Tests of the fake S3 server: everything that other tests rely on.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};

use crate::support::s3_server::{
    ACCESS_KEY, BUCKET, Fault, Gate, Operation, REGION, S3Server, SECRET_KEY,
};
use crate::support::wait_until;

/// The limit for every wait: longer than any event takes, even on a busy machine.
const LONG: Duration = Duration::from_mins(1);

#[test]
fn an_object_has_the_bytes_and_metadata_of_its_upload() {
    let server = S3Server::start();
    let client = client(&server);
    let put = client.put_object().bucket(BUCKET).key("a/b.png").content_type("image/png");
    let put = put.metadata("frame", "3").body(ByteStream::from_static(b"PNG"));
    let put = block(put.send()).expect("an upload");

    let stored = server.stored("a/b.png").expect("an object");
    assert_eq!(stored.bytes, b"PNG");
    assert_eq!(Some(format!("\"{}\"", stored.e_tag)), put.e_tag);
    assert_eq!(stored.e_tag, "55505ba281b015ec31f03ccb151b2a34");
    assert_eq!(stored.content_type.as_deref(), Some("image/png"));
    assert_eq!(stored.metadata["frame"], "3");
    assert_eq!(block(get(&client, "a/b.png")).expect("a download"), b"PNG");

    server.remove("a/b.png");
    assert_eq!(server.get("a/b.png"), None);
}

#[test]
fn ranges_and_conditions_are_honoured() {
    let server = S3Server::start();
    let client = client(&server);
    server.put("k", b"0123456789");
    let e_tag = server.stored("k").expect("an object").e_tag;
    let get = || client.get_object().bucket(BUCKET).key("k");
    block(async {
        let range = get().range("bytes=2-4").if_match(&e_tag).send().await;
        let range = range.expect("a part of the object");
        assert_eq!(range.content_range(), Some("bytes 2-4/10"));
        assert_eq!(range.body.collect().await.expect("a body").to_vec(), b"234");

        let other = get().if_match("\"other\"").send().await;
        assert_eq!(code(&other), "PreconditionFailed");
        let put = client.put_object().bucket(BUCKET).key("k").if_none_match("*");
        assert_eq!(code(&put.send().await), "PreconditionFailed");
        assert_eq!(code(&get().range("bytes=10-").send().await), "InvalidRange");
    });
    let request = &server.requests()[0];
    assert_eq!(request.range(), Some("bytes=2-4"));
    assert_eq!((request.status, request.bytes_out), (Some(206), 3));
    assert_eq!(server.get("k").as_deref(), Some(&b"0123456789"[..]));
}

#[test]
fn objects_and_buckets_that_do_not_exist_are_reported_as_missing() {
    let server = S3Server::start();
    let client = client(&server);
    server.put("frames/0001.png", b"");
    block(async {
        assert_eq!(code(&get(&client, "frames").await), "NoSuchKey");
        let head = client.head_object().bucket(BUCKET).key("frames").send().await;
        assert!(head.expect_err("no object").into_service_error().is_not_found());
        let get = client.get_object().bucket("no-such-bucket").key("k").send().await;
        assert_eq!(code(&get), "NoSuchBucket");
        let head = client.head_bucket().bucket("no-such-bucket").send().await;
        assert!(head.expect_err("no bucket").into_service_error().is_not_found());
        let head = client.head_bucket().bucket(BUCKET).send().await;
        assert_eq!(head.expect("a bucket").bucket_region(), Some(REGION));
    });
}

#[test]
fn more_than_a_thousand_objects_are_listed_in_pages() {
    let server = S3Server::start();
    let client = client(&server);
    server.put_many((0..2_500).map(|number| (format!("many/{number:04}"), vec![b'x'])));
    server.put("other", b"");
    let pages = list(&client, "many/", None);
    let sizes: Vec<usize> = pages.iter().map(Vec::len).collect();
    assert_eq!(sizes, [1000, 1000, 500]);
    assert_eq!(pages.concat(), server.keys("many/"));
    assert_eq!(server.count(Operation::ListObjectsV2), 3);
}

#[test]
fn common_prefixes_are_listed_once() {
    let server = S3Server::start();
    let client = client(&server);
    server.put_many(["a", "a/1", "a/2", "b/1", "c"].map(|key| (key, Vec::new())));
    assert_eq!(list(&client, "", Some("/")).concat(), ["a", "c", "a/", "b/"]);
    assert_eq!(list(&client, "a/", Some("/")).concat(), ["a/1", "a/2"]);
}

#[test]
fn every_key_is_stored_and_listed_verbatim() {
    let server = S3Server::start();
    let client = client(&server);
    let long = "long/".repeat(200);
    let mut keys = [
        "a",
        "a/b",
        "a//b",
        "a/",
        "/a",
        "./a",
        "a/../b",
        "with space",
        "plus+",
        "100%",
        "%2F",
        "käse/日本.png",
        "quote'\"&<>",
        "?query#hash",
        "semi;=,@:!*()[]{}|\\^~`$",
        &long,
    ];
    keys.sort_unstable();
    block(async {
        for key in keys {
            let body = ByteStream::from(key.as_bytes().to_vec());
            let put = client.put_object().bucket(BUCKET).key(key).body(body).send().await;
            put.unwrap_or_else(|error| panic!("{key:?}: {}", DisplayErrorContext(error)));
        }
    });
    assert_eq!(server.keys(""), keys);
    assert_eq!(list(&client, "", None).concat(), keys);
    let logged: Vec<String> = server.requests().into_iter().map(|request| request.key).collect();
    assert_eq!(logged[..keys.len()], keys);

    let other = S3Server::start();
    let client = self::client(&other);
    other.put_many(keys.map(|key| (key, key.as_bytes().to_vec())));
    assert_eq!(list(&client, "", None).concat(), keys);
    block(async {
        for key in keys {
            assert_eq!(get(&client, key).await.expect("a download"), key.as_bytes());
            assert_eq!(server.get(key).as_deref(), Some(key.as_bytes()));
        }
    });
}

#[test]
fn a_large_object_is_uploaded_in_parts() {
    let server = S3Server::start();
    let client = client(&server);
    let first = vec![7; 5 * 1024 * 1024];
    let last = b"end".to_vec();
    block(async {
        let id = create_upload(&client, "big").await;
        assert_eq!(server.open_uploads(), ["big"]);
        let mut parts = Vec::new();
        for (number, bytes) in [(1, &first), (2, &last)] {
            let part = client.upload_part().bucket(BUCKET).key("big").upload_id(&id);
            let part = part.part_number(number).body(ByteStream::from(bytes.clone()));
            let e_tag = part.send().await.expect("a part").e_tag;
            parts.push(CompletedPart::builder().part_number(number).set_e_tag(e_tag).build());
        }
        assert_eq!(server.get("big"), None);
        let upload = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = || {
            let complete = client.complete_multipart_upload().bucket(BUCKET).key("big");
            complete.upload_id(&id).multipart_upload(upload.clone()).send()
        };
        complete().await.expect("the end of the upload");
        assert_eq!(code(&complete().await), "NoSuchUpload");

        let id = create_upload(&client, "dropped").await;
        let uploads = client.list_multipart_uploads().bucket(BUCKET).send().await;
        let uploads = uploads.expect("the open uploads");
        assert_eq!(uploads.uploads()[0].upload_id(), Some(id.as_str()));
        let abort = client.abort_multipart_upload().bucket(BUCKET).key("dropped");
        abort.upload_id(id).send().await.expect("an end of the upload");
    });
    let stored = server.stored("big").expect("an object");
    assert_eq!(stored.bytes, [first, last].concat());
    assert!(stored.e_tag.ends_with("-2"), "{}", stored.e_tag);
    assert!(server.open_uploads().is_empty());
    let operations: Vec<Operation> =
        server.requests().iter().map(|request| request.operation).collect();
    assert_eq!(
        operations,
        [
            Operation::CreateMultipartUpload,
            Operation::UploadPart,
            Operation::UploadPart,
            Operation::CompleteMultipartUpload,
            Operation::CompleteMultipartUpload,
            Operation::CreateMultipartUpload,
            Operation::ListMultipartUploads,
            Operation::AbortMultipartUpload,
        ]
    );
    assert_eq!(server.requests()[2].part_number(), Some(2));
}

#[test]
fn a_wrong_signature_is_refused() {
    let server = S3Server::start();
    server.put("k", b"");
    let client = Client::from_conf(config(&server, "wrong", TlsContext::default()));
    assert_eq!(code(&block(get(&client, "k"))), "SignatureDoesNotMatch");
    assert_eq!(server.requests()[0].status, Some(403));
}

#[test]
fn an_upload_with_a_wrong_checksum_changes_nothing() {
    let server = S3Server::start();
    let client = client(&server);
    server.put("k", b"old");
    block(async {
        let put = client.put_object().bucket(BUCKET).key("k").checksum_crc32("AAAAAA==");
        let put = put.body(ByteStream::from_static(b"new")).send().await;
        assert_eq!(code(&put), "BadDigest");

        let id = create_upload(&client, "k").await;
        let part = client.upload_part().bucket(BUCKET).key("k").upload_id(id).part_number(1);
        let part = part.checksum_crc32("AAAAAA==").body(ByteStream::from_static(b"new"));
        assert_eq!(code(&part.send().await), "BadDigest");
    });
    assert_eq!(server.get("k").as_deref(), Some(&b"old"[..]));
}

#[test]
fn the_environment_gives_a_client_access_to_the_server() {
    let names: Vec<&str> = S3Server::start().env().into_iter().map(|(name, _)| name).collect();
    assert!(names.contains(&"AWS_ENDPOINT_URL") && names.contains(&"AWS_SECRET_ACCESS_KEY"));
    assert_eq!(S3Server::start().uri("a b"), "s3://render-test/a b");
}

#[test]
fn a_rule_can_skip_requests_and_limit_its_errors() {
    let server = S3Server::start();
    let client = client(&server);
    server.put("frames/0003.png", b"3");
    let slow_down = Fault::on(Operation::GetObject).key("0003").skip(1).times(2);
    server.inject(slow_down.respond_with(503, "SlowDown", &[("retry-after", "7")]));
    let get = || get(&client, "frames/0003.png");
    let results = block(async { [get().await, get().await, get().await, get().await] });
    assert!(results[0].is_ok() && results[3].is_ok());
    for result in &results[1..3] {
        assert_eq!(code(result), "SlowDown");
        let raw = result.as_ref().err().and_then(SdkError::raw_response).expect("a response");
        assert_eq!(raw.headers().get("retry-after"), Some("7"));
    }
    let faulted: Vec<bool> = server.requests().iter().map(|request| request.faulted).collect();
    assert_eq!(faulted, [false, true, true, false]);
}

#[test]
fn the_first_matching_rule_applies() {
    let server = S3Server::start();
    let client = client(&server);
    server.inject(Fault::on(Operation::PutObject).respond(403, "AccessDenied"));
    server.inject(Fault::on_any().when(|request| request.key == "k").respond(500, "First"));
    server.inject(Fault::on_any().respond(500, "Second"));
    assert_eq!(code(&block(get(&client, "k"))), "First");
    assert_eq!(code(&block(get(&client, "kk"))), "Second");
    let put = client.put_object().bucket(BUCKET).key("k").send();
    assert_eq!(code(&block(put)), "AccessDenied");
    server.clear_faults();
    assert_eq!(code(&block(get(&client, "k"))), "NoSuchKey");
}

#[test]
fn completing_an_upload_can_fail_with_status_200() {
    let server = S3Server::start();
    let client = client(&server);
    server.inject(Fault::on(Operation::CompleteMultipartUpload).error_in_ok_body("InternalError"));
    block(async {
        let id = create_upload(&client, "k").await;
        let complete = client.complete_multipart_upload().bucket(BUCKET).key("k").upload_id(id);
        let result = complete.send().await;
        assert_eq!(code(&result), "InternalError");
        let raw = result.as_ref().err().and_then(SdkError::raw_response).expect("a response");
        assert_eq!(raw.status().as_u16(), 200);
    });
    assert_eq!(server.open_uploads(), ["k"]);
}

#[test]
fn a_connection_can_be_reset() {
    let server = S3Server::start();
    server.inject(Fault::on_any().reset());
    let mut stream = ask(&server, "GET /render-test/k HTTP/1.1");
    let error = stream.read(&mut [0]).expect_err("a reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let request = server.wait_for(|_| true, LONG);
    assert_eq!((request.status, request.bytes_out), (None, 0));
}

#[test]
fn a_connection_can_be_closed() {
    let server = S3Server::start();
    server.inject(Fault::on_any().close());
    let mut stream = ask(&server, "GET /render-test/k HTTP/1.1");
    assert_eq!(stream.read(&mut [0]).expect("an end"), 0);

    let put = client(&server).put_object().bucket(BUCKET).key("k");
    let put = block(put.body(ByteStream::from(vec![0; 1_000_000])).send());
    assert!(matches!(put, Err(SdkError::DispatchFailure(_))), "{put:?}");
    assert_eq!(server.get("k"), None);
    assert!(server.requests()[1].bytes_in >= 1_000_000);
}

#[test]
fn a_response_can_be_lost_after_the_operation() {
    let server = S3Server::start();
    server.inject(Fault::on(Operation::PutObject).lose_response());
    let put = client(&server).put_object().bucket(BUCKET).key("k");
    let put = block(put.body(ByteStream::from_static(b"new")).send());
    assert!(matches!(put, Err(SdkError::DispatchFailure(_))), "{put:?}");
    assert_eq!(server.get("k").as_deref(), Some(&b"new"[..]));
}

#[test]
fn a_response_body_can_be_truncated() {
    let server = S3Server::start();
    let bytes = pattern(3_000_000);
    server.put("k", &bytes);
    for after in [0, 1, 1_234_567] {
        server.clear_faults();
        server.inject(Fault::on(Operation::GetObject).truncate_body(after));
        let mut response = Vec::new();
        let mut stream = ask(&server, &presigned_get(&server, "k"));
        stream.read_to_end(&mut response).expect("an end without a reset");
        let (head, body) = split(&response);
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.to_lowercase().contains("content-length: 3000000\r\n"), "{head}");
        assert!(body == &bytes[..after], "{} bytes", body.len());
        let request = server.wait_for(|request| request.bytes_out == after as u64, LONG);
        assert_eq!(request.status, Some(200));
    }
    let error = block(get(&client(&server), "k")).expect_err("a truncated body");
    assert!(matches!(error, SdkError::ResponseError(_)), "{error:?}");
}

#[test]
fn a_response_body_can_have_a_flipped_bit() {
    let server = S3Server::start();
    server.put("k", &[0; 100]);
    server.inject(Fault::on(Operation::GetObject).flip_bit(42));
    let mut response = Vec::new();
    let mut stream = ask(&server, &presigned_get(&server, "k"));
    while !response.windows(4).any(|end| end == b"\r\n\r\n") || split(&response).1.len() < 100 {
        let mut buffer = [0; 1000];
        let length = stream.read(&mut buffer).expect("more of the response");
        response.extend_from_slice(&buffer[..length]);
    }
    let mut corrupt = [0; 100];
    corrupt[42] = 1;
    assert_eq!(split(&response).1, corrupt);

    let error = block(get(&client(&server), "k")).expect_err("a wrong checksum");
    let text = DisplayErrorContext(error).to_string();
    assert!(text.to_lowercase().contains("checksum"), "{text}");
}

#[test]
fn a_response_can_be_delayed_and_later_rules_still_apply() {
    let server = S3Server::start();
    server.put("k", b"here");
    server.inject(Fault::on_any().key("never").delay(LONG * 60));
    server.inject(Fault::on_any().delay(Duration::from_millis(1)));
    server.inject(Fault::on_any().times(1).respond(500, "InternalError"));
    let client = client(&server);
    assert_eq!(code(&block(get(&client, "k"))), "InternalError");
    let stream = ask(&server, "GET /render-test/never HTTP/1.1");
    let delayed = server.wait_for_arrival(|request| request.key == "never", LONG);
    assert_eq!(block(get(&client, "k")).expect("a download"), b"here");
    assert_eq!(delayed.finished, None);
    assert_eq!(hang_up(stream), [0; 0]);
    assert!(server.requests().iter().all(|request| request.faulted));
}

#[test]
fn a_request_can_be_held_back_until_a_gate_opens() {
    let server = S3Server::start();
    server.put("k", b"here");
    let gate = Gate::default();
    server.inject(Fault::on_any().hold(&gate));
    std::thread::scope(|scope| {
        let download = scope.spawn(|| block(get(&client(&server), "k")));
        let held = server.wait_for_arrival(|request| request.key == "k", LONG);
        assert_eq!((held.status, held.finished), (None, None));
        gate.open();
        assert_eq!(download.join().expect("no panic").expect("a download"), b"here");
    });
}

#[test]
fn a_response_can_be_missing() {
    let server = S3Server::start();
    server.inject(Fault::on_any().stall());
    let stream = ask(&server, "GET /render-test/k HTTP/1.1");
    let request = server.wait_for_arrival(|request| request.key == "k", LONG);
    assert_eq!(request.finished, None);
    assert_eq!(hang_up(stream), [0; 0]);
    assert_eq!(server.wait_for(|request| request.key == "k", LONG).status, None);

    let mut stream = ask(&server, "PUT /render-test/put HTTP/1.1\r\ncontent-length: 1000000");
    stream.write_all(&vec![0; 1_000_000]).expect("an upload");
    server.wait_for_arrival(|request| request.bytes_in == 1_000_000, LONG);
    assert_eq!(hang_up(stream), [0; 0]);
    server.wait_for(|request| request.key == "put", LONG);
    assert_eq!(server.get("put"), None);
}

#[test]
fn a_response_body_can_stall() {
    let server = S3Server::start();
    server.put("k", &pattern(1000));
    server.inject(Fault::on_any().stall_body(10));
    let mut stream = ask(&server, &presigned_get(&server, "k"));
    let mut response = Vec::new();
    while !response.ends_with(&pattern(10)) {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("more of the response");
        response.extend(byte);
    }
    assert!(split(&response).0.to_lowercase().contains("content-length: 1000\r\n"));
    assert_eq!(hang_up(stream), [0; 0]);
    let request = server.wait_for(|_| true, LONG);
    assert_eq!((request.status, request.bytes_out), (Some(200), 10));
}

#[test]
fn a_response_body_can_be_slow() {
    let server = S3Server::start();
    server.put("k", &pattern(1000));
    server.inject(Fault::on_any().times(1).drip_body(1));
    // At one byte per second, the response has begun long before it ends.
    let stream = ask(&server, &presigned_get(&server, "k"));
    let begun = server.wait_for_arrival(|request| request.bytes_out > 0, LONG);
    assert!(begun.bytes_out < 1000 && begun.finished.is_none(), "{begun:?}");
    drop(stream);

    server.inject(Fault::on_any().drip_body(100_000));
    assert_eq!(block(get(&client(&server), "k")).expect("a download"), pattern(1000));
}

#[test]
fn waiting_ends_when_the_request_is_finished() {
    let server = S3Server::start();
    server.put("k", b"");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| server.wait_for(|request| request.key == "k", LONG));
        block(get(&client(&server), "k")).expect("a download");
        let request = waiting.join().expect("a request");
        assert_eq!((request.operation, request.status), (Operation::GetObject, Some(200)));
        assert!(request.finished >= Some(request.started));
    });
    assert_eq!(server.wait_until(|requests| Some(requests.len()), LONG), 1);
}

#[test]
#[should_panic(expected = "the requests were")]
fn waiting_in_vain_shows_the_log() {
    S3Server::start().wait_for(|_| false, Duration::from_millis(1));
}

#[test]
fn requests_signed_for_another_region_are_redirected() {
    let server = S3Server::start_in_region("eu-central-1");
    server.put("k", b"here");
    let config = config(&server, SECRET_KEY, TlsContext::default());
    let here = config.to_builder().region(Region::from_static("eu-central-1")).build();
    let here = Client::from_conf(here);
    let client = Client::from_conf(config);
    block(async {
        let result = get(&client, "k").await;
        assert_eq!(code(&result), "PermanentRedirect");
        let head = client.head_bucket().bucket(BUCKET).send().await;
        for raw in [
            result.as_ref().err().and_then(SdkError::raw_response),
            head.as_ref().err().and_then(SdkError::raw_response),
        ] {
            let raw = raw.expect("a response");
            assert_eq!(raw.status().as_u16(), 301);
            assert_eq!(raw.headers().get("x-amz-bucket-region"), Some("eu-central-1"));
        }
        assert_eq!(get(&here, "k").await.expect("a download"), b"here");
    });
}

#[test]
fn a_server_with_tls_is_accepted_only_by_clients_that_trust_its_certificate() {
    let server = S3Server::start_tls();
    server.put("k", b"secret");
    let pem = std::fs::read_to_string(server.ca_file()).expect("a certificate");
    assert_eq!(pem, server.ca_pem());
    let store = TrustStore::empty().with_pem_certificate(pem);
    let trusting = TlsContext::builder().with_trust_store(store).build();
    let trusting = trusting.expect("a TLS context");
    let trusting = Client::from_conf(config(&server, SECRET_KEY, trusting));
    assert_eq!(block(get(&trusting, "k")).expect("a download"), b"secret");

    let error = block(get(&client(&server), "k")).expect_err("no trust");
    let text = DisplayErrorContext(error).to_string();
    assert!(text.contains("UnknownIssuer"), "{text}");
    assert_eq!(server.count(Operation::GetObject), 1);

    server.inject(Fault::on_any().truncate_body(3));
    let error = block(get(&trusting, "k")).expect_err("a truncated body");
    assert!(matches!(error, SdkError::ResponseError(_)), "{error:?}");
}

#[test]
fn dropping_a_server_stops_its_thread_and_closes_its_connections() {
    let server = S3Server::start();
    let name = server.endpoint().replace("http://127.0.0.1:", "s3-");
    let address = server.endpoint().replace("http://", "");
    server.put("k", b"");
    server.inject(Fault::on(Operation::GetObject).stall());
    let mut stalled = ask(&server, "GET /render-test/k HTTP/1.1");
    server.wait_for_arrival(|_| true, LONG);
    assert!(threads().contains(&name), "{:?}", threads());

    drop(server);
    // The kernel may list a thread for a moment after its end.
    wait_until("the thread is gone", || !threads().contains(&name));
    assert_eq!(stalled.read(&mut [0]).expect("an end"), 0);
    let refused = TcpStream::connect(address).expect_err("no listener");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

/// Runs a future to completion.
pub fn block<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

/// Creates a client that does not retry.
pub fn client(server: &S3Server) -> Client {
    Client::from_conf(config(server, SECRET_KEY, TlsContext::default()))
}

fn config(server: &S3Server, secret_key: &str, context: TlsContext) -> Config {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(context)
        .build_https();
    Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(server.endpoint())
        .region(Region::from_static(REGION))
        .credentials_provider(Credentials::new(ACCESS_KEY, secret_key, None, None, "test"))
        .force_path_style(true)
        .retry_config(RetryConfig::disabled())
        .http_client(http)
        .build()
}

pub type GetError = SdkError<GetObjectError>;

/// Downloads an object. A body that cannot be read is a `ResponseError`.
pub async fn get(client: &Client, key: &str) -> Result<Vec<u8>, GetError> {
    let response = client.get_object().bucket(BUCKET).key(key).send().await?;
    let body = response.body.collect().await;
    let failed = |error| {
        let status = 200.try_into().expect("a status");
        SdkError::response_error(error, HttpResponse::new(status, SdkBody::empty()))
    };
    Ok(body.map_err(failed)?.to_vec())
}

/// Returns the code of an error response.
pub fn code<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(
    result: &Result<T, E>,
) -> &str {
    let error = result.as_ref().expect_err("an error");
    error.code().unwrap_or_else(|| panic!("an error without a code: {error:?}"))
}

/// Returns the pages of a listing: keys, then common prefixes.
fn list(client: &Client, prefix: &str, delimiter: Option<&str>) -> Vec<Vec<String>> {
    let list = client.list_objects_v2().bucket(BUCKET).prefix(prefix);
    let list = list.set_delimiter(delimiter.map(str::to_owned));
    let mut pages = list.into_paginator().send();
    let mut listed = Vec::new();
    block(async {
        while let Some(page) = pages.next().await {
            let page = page.expect("a page");
            let keys = page.contents().iter().map(|object| object.key());
            let prefixes = page.common_prefixes().iter().map(|prefix| prefix.prefix());
            listed.push(keys.chain(prefixes).flatten().map(str::to_owned).collect());
        }
    });
    listed
}

async fn create_upload(client: &Client, key: &str) -> String {
    let create = client.create_multipart_upload().bucket(BUCKET).key(key).send().await;
    create.expect("an upload").upload_id.expect("an id")
}

/// Returns the request line of a signed GET.
fn presigned_get(server: &S3Server, key: &str) -> String {
    let config = PresigningConfig::expires_in(LONG).expect("a duration");
    let get = client(server).get_object().bucket(BUCKET).key(key).presigned(config);
    let uri = block(get).expect("a signed request").uri().to_owned();
    format!("GET {} HTTP/1.1", uri.replace(&server.endpoint(), ""))
}

/// Sends the head of a request without a library that could retry.
pub fn ask(server: &S3Server, request: &str) -> TcpStream {
    let address = server.endpoint().replace("http://", "");
    let mut stream = TcpStream::connect(&address).expect("a connection");
    stream.set_read_timeout(Some(LONG)).expect("a TCP socket");
    write!(stream, "{request}\r\nhost: {address}\r\n\r\n").expect("a request");
    stream
}

/// Closes the client's half of a connection, waits until the server closes the other half, and
/// returns everything that it still sent.
fn hang_up(mut stream: TcpStream) -> Vec<u8> {
    stream.shutdown(Shutdown::Write).expect("an open connection");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("an end without a reset");
    rest
}

/// Splits a response into head and body.
fn split(response: &[u8]) -> (&str, &[u8]) {
    let end = response.windows(4).position(|end| end == b"\r\n\r\n").expect("a head") + 4;
    (str::from_utf8(&response[..end]).expect("text"), &response[end..])
}

/// Returns bytes that reveal a piece in the wrong place.
pub fn pattern(length: u32) -> Vec<u8> {
    (0..length).flat_map(u32::to_be_bytes).take(length as usize).collect()
}

/// Returns the names of the threads of this process.
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("the threads");
    let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm"));
    // A thread may end while the list is read.
    let names = tasks.flatten().flat_map(name);
    names.map(|name| name.trim_end().to_owned()).collect()
}

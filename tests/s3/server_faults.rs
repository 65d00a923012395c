//! Tests of the fake S3 server: faults of uploads, faults at random.

use std::collections::HashSet;
use std::io::{ErrorKind, Write as _};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;

use crate::s3::server_itself::{ask, block, client, code, get, pattern};
use crate::support::s3_server::{BUCKET, Fault, Operation, S3Server};

const LONG: Duration = Duration::from_mins(1);

async fn put(client: &Client, key: &str, bytes: Vec<u8>) -> Result<(), String> {
    let put = client.put_object().bucket(BUCKET).key(key).body(ByteStream::from(bytes));
    put.send().await.map(drop).map_err(|error| format!("{error:?}"))
}

#[test]
fn a_corrupt_upload_is_refused() {
    let server = S3Server::start();
    let client = client(&server);
    server.inject(Fault::on(Operation::PutObject).times(1).corrupt_upload(42));
    block(async {
        let corrupt = client.put_object().bucket(BUCKET).key("k");
        let corrupt = corrupt.body(ByteStream::from(pattern(1000))).send().await;
        assert_eq!(code(&corrupt), "XAmzContentSHA256Mismatch");
        assert_eq!(server.get("k"), None);
        put(&client, "k", pattern(1000)).await.expect("an upload");
    });
    assert_eq!(server.get("k"), Some(pattern(1000)));
}

#[test]
fn an_upload_can_be_reset_in_the_middle_or_after_its_end() {
    let server = S3Server::start();
    server.inject(Fault::on(Operation::PutObject).key("middle").reset_upload(1000));
    server.inject(Fault::on(Operation::PutObject).key("end").reset_after());
    let client = client(&server);
    for (key, stored) in [("middle", None), ("end", Some(pattern(100_000)))] {
        block(put(&client, key, pattern(100_000))).expect_err("a reset");
        let request = server.wait_for(|request| request.key == key, LONG);
        assert_eq!((request.status, request.faulted), (None, true));
        assert_eq!(server.get(key), stored, "{key}");
    }
}

#[test]
fn an_upload_can_stall() {
    let server = S3Server::start();
    server.inject(Fault::on(Operation::PutObject).stall_upload(1000));
    let mut stream = ask(&server, "PUT /render-test/k HTTP/1.1\r\ncontent-length: 100000000");
    stream.write_all(&[0; 2000]).expect("the first bytes");
    server.wait_for_arrival(|request| request.bytes_in >= 1000, LONG);
    // The buffers of the connection fill up; then nothing more is accepted.
    stream.set_write_timeout(Some(Duration::from_millis(100))).expect("a TCP socket");
    let error = stream.write_all(&vec![0; 100_000_000]).expect_err("the server does not read");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}

/// Makes the same requests each time, and returns the outcome of each.
fn outcomes(seed: u64, percent: u8) -> Vec<String> {
    let server = S3Server::start();
    server.put_many((0..30).map(|n| (format!("in/{n}"), pattern(5000))));
    server.fault_rate(seed, percent);
    let client = client(&server);
    let mut outcomes = Vec::new();
    block(async {
        for n in 0..30 {
            for attempt in 0..2 {
                let got = get(&client, &format!("in/{n}")).await;
                if let Ok(bytes) = &got {
                    assert_eq!(bytes, &pattern(5000), "the checksum missed a wrong byte");
                }
                let sent = put(&client, &format!("out/{n}"), pattern(5000)).await;
                outcomes.push(format!("{n} {attempt} {} {}", got.is_ok(), sent.is_ok()));
                let stored = server.get(&format!("out/{n}"));
                assert!(
                    stored.is_none_or(|bytes| bytes == pattern(5000)),
                    "a wrong byte is stored"
                );
            }
        }
    });
    assert_eq!(server.count(Operation::GetObject), 60);
    server.clear_faults();
    block(put(&client, "after", Vec::new())).expect("no more faults");
    outcomes
}

#[test]
fn a_percentage_of_all_requests_fails_and_the_seed_determines_which() {
    let seed = 20;
    let first = outcomes(seed, 30);
    assert_eq!(first, outcomes(seed, 30));
    assert_ne!(first, outcomes(seed + 1, 30));
    // 30 % of 120 requests, less those with the fault that is only a delay.
    let failed: usize = first.iter().map(|outcome| outcome.matches("false").count()).sum();
    assert!((20..=50).contains(&failed), "{failed}");
    let none: HashSet<_> = outcomes(seed, 0).iter().map(|o| o.contains("false")).collect();
    assert_eq!(none, HashSet::from([false]));
}

#[test]
fn rules_take_precedence_over_random_faults() {
    let server = S3Server::start();
    server.put("k", b"1");
    server.fault_rate(1, 100);
    server.inject(Fault::on(Operation::GetObject).times(1).respond(404, "NoSuchKey"));
    let client = client(&server);
    let response = block(async { client.get_object().bucket(BUCKET).key("k").send().await });
    assert_eq!(code(&response), "NoSuchKey");
    assert_eq!(server.faults(), 1);
    // The response may be late, an error, or missing.
    drop(block(async { client.get_object().bucket(BUCKET).key("k").send().await }));
    assert_eq!(server.faults(), 2);
}

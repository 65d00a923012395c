//! A store that sends without end: no more is read than any answer can have.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::support::{LONG, Worker, worker};

const MIB: u64 = 1024 * 1024;

/// Where a server gives up that nobody stops.
const ENOUGH: u64 = 300 * MIB;

/// A server that answers every request in one way, and how many bytes it got rid of.
struct Server {
    address: String,
    sent: Arc<AtomicU64>,
}

impl Server {
    fn start(answer: impl Fn(&mut TcpStream, &AtomicU64) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, sent) = (listener.local_addr().unwrap().to_string(), Arc::default());
        let (answer, count) = (Arc::new(answer), Arc::clone(&sent));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (answer, sent) = (Arc::clone(&answer), Arc::clone(&count));
                std::thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    stream.set_read_timeout(Some(LONG)).unwrap();
                    let mut head = BufReader::new(stream.try_clone().unwrap());
                    let lines = head.by_ref().lines().map_while(Result::ok);
                    if lines.take_while(|line| !line.is_empty()).count() > 0 {
                        answer(&mut stream, &sent);
                    }
                });
            }
        });
        Self { address, sent }
    }

    /// One whose body, with this status, begins so and never ends.
    fn endless(status: u16, beginning: &'static str) -> Self {
        Self::start(move |stream, sent| {
            let mut chunk = beginning.as_bytes().to_vec();
            chunk.resize(64 * 1024, b'A');
            let head = format!("HTTP/1.1 {status} -\r\nTransfer-Encoding: chunked\r\n\r\n");
            let mut gone = stream.write_all(head.as_bytes()).is_err();
            while !gone && sent.fetch_add(chunk.len() as u64, Relaxed) < ENOUGH {
                let chunk = [format!("{:x}\r\n", chunk.len()).as_bytes(), &chunk, b"\r\n"].concat();
                gone = stream.write_all(&chunk).is_err();
            }
        })
    }

    fn asked_by(&self, worker: Worker) -> Worker {
        worker
            .env("AWS_ENDPOINT_URL", format!("http://{}", self.address))
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_MAX_ATTEMPTS", "1")
    }

    /// What was sent, what lies in the buffers of the connection included.
    fn sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }
}

#[test]
fn of_an_endless_refusal_the_beginning_is_read() {
    let server = Server::endless(403, "<Error><Code>AccessDenied</Code><Message>");
    let run = server.asked_by(worker("inspect").input("s3://bucket/a.blend")).run().exits(77);
    assert!(run.text().len() < 10_000, "{} bytes of log", run.text().len());
    assert!(server.sent() < 20 * MIB, "{} bytes", server.sent());
}

#[test]
fn an_endless_page_of_a_listing_is_none() {
    let server = Server::endless(200, "<ListBucketResult><Contents><Key>");
    let stitch = worker("stitch").input("s3://bucket/in").output("s3://bucket/out");
    let run = server.asked_by(stitch).run().exits(75);
    assert!(run.last_words().contains("longer than any can be"), "{}", run.last_words());
    // Frames and reports are listed at once.
    assert!(server.sent() < 80 * MIB, "{} bytes", server.sent());
}

#[test]
fn a_listing_that_begins_again_and_again_is_refused() {
    let server = Server::start(|stream, _| {
        let page = "<ListBucketResult><IsTruncated>true</IsTruncated>\
            <NextContinuationToken>same</NextContinuationToken></ListBucketResult>";
        let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n";
        drop(write!(stream, "{head}Content-Length: {}\r\n\r\n{page}", page.len()));
    });
    let stitch = worker("stitch").input("s3://bucket/in").output("s3://bucket/out");
    let run = server.asked_by(stitch).run().exits(77);
    assert!(run.last_words().contains("the listing does not end"), "{}", run.last_words());
}

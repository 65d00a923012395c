//! Endless responses: the worker reads no more than a valid response can have.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::support::{LONG, Worker, worker};

const MIB: u64 = 1024 * 1024;

/// The number of bytes after which the server stops sending.
const ENOUGH: u64 = 300 * MIB;

/// A server with one response to every request, and the number of bytes that it has sent.
struct Server {
    address: String,
    sent: Arc<AtomicU64>,
}

impl Server {
    fn start(respond: impl Fn(&mut TcpStream, &AtomicU64) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, sent) = (listener.local_addr().unwrap().to_string(), Arc::default());
        let (respond, count) = (Arc::new(respond), Arc::clone(&sent));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (respond, sent) = (Arc::clone(&respond), Arc::clone(&count));
                std::thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    stream.set_read_timeout(Some(LONG)).unwrap();
                    let mut head = BufReader::new(stream.try_clone().unwrap());
                    let lines = head.by_ref().lines().map_while(Result::ok);
                    if lines.take_while(|line| !line.is_empty()).count() > 0 {
                        respond(&mut stream, &sent);
                    }
                });
            }
        });
        Self { address, sent }
    }

    /// Starts a server whose response body has this beginning and no end.
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

    /// Makes a worker use this server as S3.
    fn for_worker(&self, worker: Worker) -> Worker {
        worker
            .env("AWS_ENDPOINT_URL", format!("http://{}", self.address))
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_MAX_ATTEMPTS", "1")
    }

    /// Returns the number of bytes sent, including those in the buffers of the connection.
    fn sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }
}

#[test]
fn only_the_beginning_of_an_endless_error_is_read() {
    let server = Server::endless(403, "<Error><Code>AccessDenied</Code><Message>");
    let run = server.for_worker(worker("inspect").input("s3://bucket/a.blend")).run().exits(77);
    assert!(run.text().len() < 10_000, "{} bytes of log", run.text().len());
    assert!(server.sent() < 20 * MIB, "{} bytes", server.sent());
}

#[test]
fn an_endless_page_of_a_listing_is_an_error() {
    let server = Server::endless(200, "<ListBucketResult><Contents><Key>");
    let stitch = worker("stitch").input("s3://bucket/in").output("s3://bucket/out");
    let run = server.for_worker(stitch).run().exits(75);
    assert!(run.final_error().contains("the response is longer than"), "{}", run.final_error());
    // The worker lists frames and reports concurrently.
    assert!(server.sent() < 80 * MIB, "{} bytes", server.sent());
}

#[test]
fn a_listing_that_repeats_the_same_page_is_an_error() {
    let server = Server::start(|stream, _| {
        let page = "<ListBucketResult><IsTruncated>true</IsTruncated>\
            <NextContinuationToken>same</NextContinuationToken></ListBucketResult>";
        let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n";
        drop(write!(stream, "{head}Content-Length: {}\r\n\r\n{page}", page.len()));
    });
    let stitch = worker("stitch").input("s3://bucket/in").output("s3://bucket/out");
    let run = server.for_worker(stitch).run().exits(77);
    assert!(run.final_error().contains("the listing does not end"), "{}", run.final_error());
}

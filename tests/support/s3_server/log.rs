//! The log of requests, in order of arrival.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use hyper::HeaderMap;
use hyper::http::request::Parts;
use percent_encoding::percent_decode_str;

use super::operation::Operation;

/// One HTTP request and its outcome.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub operation: Operation,
    pub bucket: String,
    /// The decoded key of the object; empty if the request has none.
    pub key: String,
    /// The raw query.
    pub query: String,
    pub headers: HeaderMap,
    /// Whether a fault was injected.
    pub faulted: bool,
    /// The status of the response; none if the connection ended before.
    pub status: Option<u16>,
    /// The bytes of the request body that arrived, including the framing of signed chunks.
    pub bytes_in: u64,
    /// The bytes of the response body that were handed to the connection.
    pub bytes_out: u64,
    pub started: Instant,
    /// When the whole response had been handed to the connection, or the connection had ended.
    pub finished: Option<Instant>,
}

impl Request {
    /// Creates the log entry of a request that has just arrived.
    pub fn new(parts: &Parts) -> Self {
        let path = parts.uri.path().trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let query = parts.uri.query().unwrap_or_default();
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        Self {
            method: parts.method.to_string(),
            operation: Operation::of(&parts.method, bucket, key, query, &parts.headers),
            bucket: decode(bucket),
            key: decode(key),
            query: query.to_owned(),
            headers: parts.headers.clone(),
            faulted: false,
            status: None,
            bytes_in: 0,
            bytes_out: 0,
            started: Instant::now(),
            finished: None,
        }
    }

    /// Returns the value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the requested range of the object, such as `bytes=0-99`.
    pub fn range(&self) -> Option<&str> {
        self.header("range")
    }

    /// Returns the number of the uploaded part.
    pub fn part_number(&self) -> Option<u32> {
        let mut pairs = self.query.split('&');
        pairs.find_map(|pair| pair.strip_prefix("partNumber="))?.parse().ok()
    }
}

/// The requests to one server.
#[derive(Default)]
pub struct Log {
    requests: Mutex<Vec<Request>>,
    changed: Condvar,
}

impl Log {
    /// Adds a request that has arrived.
    pub fn add(self: &Arc<Self>, request: Request) -> Entry {
        let mut requests = self.lock();
        let position = requests.len();
        requests.push(request);
        self.changed.notify_all();
        Entry { log: Arc::clone(self), position }
    }

    /// Returns all requests.
    pub fn requests(&self) -> Vec<Request> {
        self.lock().clone()
    }

    /// Waits until `what` returns a value.
    ///
    /// # Panics
    /// After `timeout`, with the log.
    pub fn wait<T>(&self, timeout: Duration, what: impl Fn(&[Request]) -> Option<T>) -> T {
        let deadline = Instant::now() + timeout;
        let mut requests = self.lock();
        loop {
            if let Some(found) = what(&requests) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let log = requests.clone();
                drop(requests);
                panic!("not seen within {timeout:?}; the requests were {log:#?}");
            }
            let waited = self.changed.wait_timeout(requests, left);
            requests = waited.expect("the log of the server").0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Request>> {
        self.requests.lock().expect("the log of the server")
    }
}

/// The entry of one request in the log. Dropping it marks the request as finished.
pub struct Entry {
    log: Arc<Log>,
    position: usize,
}

impl Entry {
    pub fn faulted(&self) {
        self.change(|request| request.faulted = true);
    }

    pub fn received(&self, bytes: u64) {
        self.change(|request| request.bytes_in += bytes);
    }

    pub fn responded(&self, status: u16) {
        self.change(|request| request.status = Some(status));
    }

    pub fn sent(&self, bytes: u64) {
        self.change(|request| request.bytes_out += bytes);
    }

    fn change(&self, change: impl FnOnce(&mut Request)) {
        change(&mut self.log.lock()[self.position]);
        self.log.changed.notify_all();
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.change(|request| request.finished = Some(Instant::now()));
    }
}

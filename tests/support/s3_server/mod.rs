//! An S3 server inside a test, with fault injection.
//!
//! The crate `s3s` implements the protocol (signatures, checksums, XML), `s3s-fs` stores the
//! objects. In front of them, a log records every request, and rules inject faults:
//!
//! ```ignore
//! let server = S3Server::start();
//! server.put("scene.blend", b"BLENDER");
//! server.inject(Fault::on(Operation::GetObject).times(2).respond(503, "SlowDown"));
//! // … run the program with `server.env()` and `server.uri("scene.blend")` …
//! assert_eq!(server.count(Operation::GetObject), 3);
//! ```
#![allow(dead_code, unused_imports, reason = "each test binary uses a part of this")]

mod body;
mod checksums;
mod connection;
mod faults;
mod front;
mod index;
mod listing;
mod log;
mod operation;
mod rate;
mod service;
mod serving;
mod store;
mod throttle;
mod tls;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tempfile::TempDir;

use self::faults::Rules;
use self::front::Front;
use self::rate::FaultRate;
use self::serving::Serving;
use self::store::Store;
use self::throttle::Throttle;
use self::tls::Identity;

pub use self::faults::{Fault, Gate, Requests};
pub use self::log::Request;
pub use self::operation::Operation;

/// The bucket that every server has.
pub const BUCKET: &str = "render-test";

/// The credentials that every server accepts.
pub const ACCESS_KEY: &str = "AKIATESTTESTTESTTEST";
pub const SECRET_KEY: &str = "test/secret+access/key";

/// The region of [`S3Server::env`], and of buckets unless a test says otherwise.
pub const REGION: &str = "us-east-1";

/// The file name of the certificate in the server's directory.
const CA_FILE: &str = "ca.pem";

/// The number of objects that [`S3Server::put_many`] stores concurrently.
const AT_ONCE: usize = 16;

/// An S3 server on a free port. Dropping it stops the server.
pub struct S3Server {
    /// Declared first: it must be dropped before the directory that it uses.
    serving: Serving,
    front: Arc<Front>,
    store: Store,
    /// The certificate of a server with TLS.
    pem: Option<String>,
    directory: TempDir,
}

/// A stored object.
#[derive(Clone, Debug)]
pub struct Stored {
    pub bytes: Vec<u8>,
    /// The `ETag`, without quotes.
    pub e_tag: String,
    pub content_type: Option<String>,
    pub metadata: BTreeMap<String, String>,
}

impl S3Server {
    /// Starts a server with HTTP that accepts requests signed for any region.
    pub fn start() -> Self {
        Self::launch(None, 1, None)
    }

    /// Starts a server like [`Self::start`] that serves requests in parallel, for measurements of
    /// clients.
    pub fn start_threads(threads: usize) -> Self {
        Self::launch(None, threads, None)
    }

    /// Starts a server that redirects requests signed for another region than `region`. Since
    /// [`Self::env`] sets [`REGION`], it redirects a client's first requests.
    pub fn start_in_region(region: &str) -> Self {
        Self::launch(Some(region), 1, None)
    }

    /// Starts a server with HTTPS. Clients must trust [`Self::ca_file`].
    pub fn start_tls() -> Self {
        Self::launch(None, 1, Some(Identity::new()))
    }

    fn launch(region: Option<&str>, threads: usize, identity: Option<Identity>) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let (acceptor, pem) = identity.map(|identity| (identity.acceptor, identity.pem)).unzip();
        if let Some(pem) = &pem {
            std::fs::write(directory.path().join(CA_FILE), pem).expect("the certificate");
        }
        let store = Store::new(directory.path(), region.unwrap_or(REGION));
        store.add_bucket(BUCKET);
        let mut builder = S3ServiceBuilder::new(store.clone());
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let front = Arc::new(Front {
            log: Arc::default(),
            rules: Rules::default(),
            rate: FaultRate::default(),
            throttle: Throttle::default(),
            service: builder.build(),
            region: region.map(str::to_owned),
        });
        let serving = Serving::start(Arc::clone(&front), threads, acceptor);
        Self { serving, front, store, pem, directory }
    }

    /// Returns the URL for clients.
    pub fn endpoint(&self) -> String {
        let scheme = if self.pem.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.serving.address())
    }

    /// Returns the environment that gives a program access to this server.
    pub fn env(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }

    /// Returns the S3 URI of a key.
    #[expect(clippy::unused_self, reason = "every server has the same bucket")]
    pub fn uri(&self, key: &str) -> String {
        format!("s3://{BUCKET}/{key}")
    }

    /// Returns the certificate of a server with TLS, in PEM format.
    pub fn ca_pem(&self) -> &str {
        self.pem.as_deref().expect("a server with TLS")
    }

    /// Returns the certificate file of a server with TLS, for `SSL_CERT_FILE`.
    pub fn ca_file(&self) -> PathBuf {
        assert!(self.pem.is_some(), "the server has no TLS");
        self.directory.path().join(CA_FILE)
    }

    /// Creates a bucket.
    pub fn add_bucket(&self, bucket: &str) {
        self.store.add_bucket(bucket);
    }

    /// Stores an object without a request.
    pub fn put(&self, key: &str, bytes: &[u8]) {
        self.put_many([(key, bytes.to_vec())]);
    }

    /// Stores many objects without requests.
    pub fn put_many<K: Into<String>>(&self, objects: impl IntoIterator<Item = (K, Vec<u8>)>) {
        let objects = objects.into_iter().map(|(key, bytes)| (key.into(), bytes));
        let objects: Vec<(String, Vec<u8>)> = objects.collect();
        let store = self.store.clone();
        self.serving.run(async move {
            let store = &store;
            let puts = futures_util::stream::iter(objects);
            puts.for_each_concurrent(AT_ONCE, async |(key, bytes)| {
                let put = store.put(BUCKET, &key, bytes.into()).await;
                put.unwrap_or_else(|error| panic!("cannot store {key:?}: {error:?}"));
            })
            .await;
        });
    }

    /// Stores an object with its metadata, without a request.
    pub fn put_stored(&self, key: &str, object: &Stored) {
        let (store, key, object) = (self.store.clone(), key.to_owned(), object.clone());
        let put = self.serving.run(async move {
            store.put_with(BUCKET, &key, object.bytes.into(), object.metadata).await
        });
        put.expect("an object");
    }

    /// Returns the bytes of an object, if it exists.
    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.stored(key).map(|stored| stored.bytes)
    }

    /// Returns an object with its metadata, if it exists.
    pub fn stored(&self, key: &str) -> Option<Stored> {
        let store = self.store.clone();
        let key = key.to_owned();
        let (output, bytes) =
            self.serving.run(async move { store.get(BUCKET, &key).await.ok() })?;
        Some(Stored {
            bytes: Vec::from(bytes),
            e_tag: output.e_tag.map(s3s::dto::ETag::into_value).unwrap_or_default(),
            content_type: output.content_type,
            metadata: output.metadata.into_iter().flatten().collect(),
        })
    }

    /// Deletes an object, if it exists.
    pub fn remove(&self, key: &str) {
        self.store.remove(BUCKET, key);
    }

    /// Returns the keys that start with `prefix`, sorted.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        self.store.keys(BUCKET, prefix)
    }

    /// Returns every object that was ever visible under a key that starts with `prefix`, oldest
    /// first, including those that were replaced or deleted.
    pub fn history(&self, prefix: &str) -> Vec<(String, Vec<u8>)> {
        let (store, prefix) = (self.store.clone(), prefix.to_owned());
        let history = self.serving.run(async move { store.history(BUCKET, &prefix).await });
        let history = history.expect("every object is kept");
        history.into_iter().map(|(key, bytes)| (key, Vec::from(bytes))).collect()
    }

    /// Returns the keys of multipart uploads that are neither completed nor aborted.
    pub fn open_uploads(&self) -> Vec<String> {
        self.store.open_uploads()
    }

    /// Returns all requests in order of arrival.
    pub fn requests(&self) -> Vec<Request> {
        self.front.log.requests()
    }

    /// Returns the number of requests for an operation.
    pub fn count(&self, operation: Operation) -> usize {
        let requests = self.requests();
        requests.iter().filter(|request| request.operation == operation).count()
    }

    /// Waits for a finished request that satisfies `what`.
    ///
    /// # Panics
    /// After `timeout`, with the log.
    pub fn wait_for(&self, what: impl Fn(&Request) -> bool, timeout: Duration) -> Request {
        self.wait_for_arrival(|request| request.finished.is_some() && what(request), timeout)
    }

    /// Waits for a request that satisfies `what`. It may still be unanswered.
    ///
    /// # Panics
    /// After `timeout`, with the log.
    pub fn wait_for_arrival(&self, what: impl Fn(&Request) -> bool, timeout: Duration) -> Request {
        self.wait_until(|requests| requests.iter().find(|request| what(request)).cloned(), timeout)
    }

    /// Waits until `what` returns a value for the log.
    ///
    /// # Panics
    /// After `timeout`, with the log.
    pub fn wait_until<T>(&self, what: impl Fn(&[Request]) -> Option<T>, timeout: Duration) -> T {
        self.front.log.wait(timeout, what)
    }

    /// Adds a rule after the existing ones.
    pub fn inject(&self, fault: Fault) {
        self.front.rules.add(fault);
    }

    /// Makes `percent` of all requests fail at random: errors, throttling, resets before and after
    /// the operation, truncated bodies and flipped bits in both directions, late and missing
    /// responses. A request that a rule acts on is exempt. The same `seed` gives the same faults
    /// (see [`rate`]); a failing test should print it.
    ///
    /// ```ignore
    /// server.fault_rate(seed, 30);
    /// ```
    pub fn fault_rate(&self, seed: u64, percent: u8) {
        self.front.rate.set(seed, percent);
    }

    /// Limits the total bandwidth of all request bodies.
    pub fn throttle(&self, bytes_per_second: u32) {
        self.front.throttle.set(bytes_per_second);
    }

    /// Returns the number of requests with an injected fault.
    pub fn faults(&self) -> usize {
        self.requests().iter().filter(|request| request.faulted).count()
    }

    /// Removes all rules, the fault rate and the throttle.
    pub fn clear_faults(&self) {
        self.front.throttle.clear();
        self.front.rules.clear();
        self.front.rate.clear();
    }
}

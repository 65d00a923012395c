//! An S3 server, near or far.

use std::path::Path;
use std::time::Duration;

use crate::bench::files;
use crate::proxy::{self, Proxy};
use crate::support::s3_server::S3Server;

/// How many files are in memory at once while they are put there.
const AT_ONCE: usize = 256;

/// How many requests the server answers at the same time: a client that has them wait for
/// each other is not measured.
const THREADS: usize = 2;

/// The S3 server of the tests, perhaps with a long way to it. It never deletes the bytes
/// of an object before it is dropped: each run that uploads much has one of its own.
pub struct Store {
    pub server: S3Server,
    proxy: Option<Proxy>,
}

impl Store {
    /// One to which a round trip takes so long, in addition.
    pub fn start(round_trip: Option<Duration>) -> Self {
        let server = S3Server::start_threads(THREADS);
        let address = server.endpoint().trim_start_matches("http://").parse();
        let address = address.expect("the address of the server");
        let proxy = round_trip.map(|round_trip| Proxy::start(address, round_trip));
        Self { server, proxy }
    }

    /// The URL that clients connect to.
    pub fn endpoint(&self) -> String {
        match &self.proxy {
            None => self.server.endpoint(),
            Some(proxy) => format!("http://{}", proxy.address()),
        }
    }

    /// The environment with which a program finds it and is let in.
    pub fn env(&self) -> Vec<(&'static str, String)> {
        let mut variables = self.server.env();
        variables.push(("AWS_ENDPOINT_URL", self.endpoint()));
        variables
    }

    /// Stores the files of a folder, without requests.
    pub fn put_files(&self, folder: &Path, prefix: &str) {
        for files in files(folder).chunks(AT_ONCE) {
            self.server.put_many(files.iter().map(|file| {
                let name = file.file_name().and_then(|name| name.to_str()).expect("UTF-8");
                (format!("{prefix}/{name}"), std::fs::read(file).expect("a file"))
            }));
        }
    }
}

/// What a way that is so long really takes, in words.
pub fn way(round_trip: Duration) -> String {
    let (trip, first) = proxy::measure(round_trip);
    let [trip, first] = [trip, first].map(|spread| spread.median * 1000.0);
    format!("a round trip takes {trip:.1} ms, the first one of a connection {first:.1} ms")
}

//! An S3 server, with or without latency.

use std::path::Path;
use std::time::Duration;

use crate::files::files;
use crate::proxy::{self, Proxy};
use crate::support::s3_server::S3Server;

/// The files in memory at once while the store is filled.
const AT_ONCE: usize = 256;

/// The threads of the server: with one alone, concurrent requests of a client would wait for each
/// other.
const THREADS: usize = 2;

/// The S3 server of the tests, behind a proxy that adds latency if asked for. It deletes no bytes
/// before it is dropped, so each run that uploads much has a server of its own.
pub struct Store {
    pub server: S3Server,
    proxy: Option<Proxy>,
}

impl Store {
    /// Starts a server, with `round_trip` added to the latency.
    pub fn start(round_trip: Option<Duration>) -> Self {
        let server = S3Server::start_threads(THREADS);
        let address = server.endpoint().trim_start_matches("http://").parse();
        let address = address.expect("the address of the server");
        let proxy = round_trip.map(|round_trip| Proxy::start(address, round_trip));
        Self { server, proxy }
    }

    /// Returns the URL for clients.
    pub fn endpoint(&self) -> String {
        match &self.proxy {
            None => self.server.endpoint(),
            Some(proxy) => format!("http://{}", proxy.address()),
        }
    }

    /// Returns the environment that gives a program access to this server.
    pub fn env(&self) -> Vec<(&'static str, String)> {
        let mut variables = self.server.env();
        variables.push(("AWS_ENDPOINT_URL", self.endpoint()));
        variables
    }

    /// Stores the files of a folder without requests.
    pub fn put_files(&self, folder: &Path, prefix: &str) {
        for files in files(folder).chunks(AT_ONCE) {
            self.server.put_many(files.iter().map(|file| {
                let name = file.file_name().and_then(|name| name.to_str()).expect("UTF-8");
                (format!("{prefix}/{name}"), std::fs::read(file).expect("a file"))
            }));
        }
    }
}

/// Measures the actual latency and describes it.
pub fn latency(round_trip: Duration) -> String {
    let (trip, first) = proxy::measure(round_trip);
    let [trip, first] = [trip, first].map(|spread| spread.median * 1000.0);
    format!("a round trip takes {trip:.1} ms, the first one of a connection {first:.1} ms")
}
